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

use petla::net::{TcpListener, TcpStream};
use petla::streams::{StreamReader, StreamWriter, open_connection};
use std::io;
use std::time::Duration;

/// More than two sockets and their peers' hold together.
const MUCH: usize = 16 << 20;

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

/// Everything up to the end of the stream.
async fn read_all(peer: &TcpStream) -> io::Result<Vec<u8>> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 1 << 16]);
    while let n @ 1.. = peer.read(&mut buf).await? {
        all.extend_from_slice(&buf[..n]);
    }
    Ok(all)
}

/// Closing resets the connection.
fn reset(peer: TcpStream) {
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

/// Lets the loop learn what has come: it looks after 64 polls at the latest.
async fn look() {
    for _ in 0..65 {
        petla::yield_now().await;
    }
}

/// Bytes that repeat only at a distance that no buffer has for its size.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let once: Vec<u8> = (0..65_521).map(next).collect();
    let mut all = once.repeat(length.div_ceil(once.len()));
    all.truncate(length);
    all
}

#[test]
fn the_bugs_are_accounted_for() {
    common::numbers::are_accounted_for("copy", &[('B', 68..=68), ('B', 71..=71)]);
}
