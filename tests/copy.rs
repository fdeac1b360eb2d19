//! `petla::streams`: copying between connections, and from files, against plain sockets as peers.
//!
//! The bugs of asyncio that this is about:
//!
//! | number | where | which test |
//! | --- | --- | --- |
//! | B68 | `copy/copying.rs` | `a_slow_reader_stops_the_source_and_little_is_held` |
//! | B71 | `copy/trouble.rs` | `a_sink_that_is_gone_ends_a_source_that_never_pauses` |

mod common;

#[path = "copy/bidirectional.rs"]
mod bidirectional;
#[path = "copy/cancelled.rs"]
mod cancelled;
#[path = "copy/copying.rs"]
mod copying;
#[path = "copy/files.rs"]
mod files;
#[path = "copy/trouble.rs"]
mod trouble;

use common::peers::{MUCH, look, noise, read_all, reset};
use petla::net::{TcpListener, TcpStream};
use petla::streams::{StreamReader, StreamWriter, open_connection};
use std::io;

/// What a copy takes from its reader at once.
const LARGE: usize = 256 << 10;

/// A connection that is copied from or to, and its other end.
struct Side {
    reader: StreamReader,
    writer: StreamWriter,
    peer: TcpStream,
}

async fn connected() -> io::Result<Side> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (reader, writer) = open_connection(listener.local_addr()?).await?;
    let (peer, _) = listener.accept().await?;
    peer.set_nodelay(true)?;
    let side = Side {
        reader,
        writer,
        peer,
    };
    Ok(side)
}

/// A source and a sink.
async fn two() -> io::Result<(Side, Side)> {
    Ok((connected().await?, connected().await?))
}

#[test]
fn the_bugs_are_accounted_for() {
    common::numbers::are_accounted_for("copy", &[('B', 68..=68), ('B', 71..=71)]);
}
