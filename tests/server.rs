//! `petla::streams`' servers: what is accepted has a handler, what ends is told, nothing is lost.
//!
//! asyncio's streams and servers had bugs, and its own tests name behaviours. Each that has a
//! meaning in Rust is a test whose comment names it (B: a bug, E: a behaviour).
//!
//! | asyncio | here | |
//! | --- | --- | --- |
//! | B68 | `streams/vectored.rs` | |
//! | B69: `connection_lost` twice | no callbacks: an end that is asked for twice comes once | |
//! | B70: two drains at once | does not compile: `drain` borrows the writer | |
//! | B71 | `handlers.rs` | `a_loop_that_writes_and_drains_sees_the_peer_go` |
//! | B72 | `streams/closing.rs` | `closing_ends_the_reader_also_one_that_waits` |
//! | B73 | `streams/convert.rs` | `what_was_received_and_not_read_goes_with_the_socket` |
//! | B74, E13 | `closing.rs` | |
//! | E11 | `streams/reading.rs` | `of_several_separators_the_one_that_ends_first_counts` |
//! | E12 | `streams/reading.rs` | `each_way_of_reading_sees_the_end_in_its_own_way` |
//!
//! # Not here
//! Readers and writers by themselves: `streams.rs`.

mod common;

#[path = "server/closing.rs"]
mod closing;
#[path = "server/handlers.rs"]
mod handlers;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/random.rs"]
mod random;
#[path = "server/serving.rs"]
mod serving;
#[path = "server/trouble.rs"]
mod trouble;
#[path = "server/unix.rs"]
mod unix;

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::rc::Rc;

use common::peers::{MUCH, read_all};
use petla::net::TcpStream;
use petla::streams::{Server, StreamReader, StreamWriter, start_server};

const LOCAL: &str = "127.0.0.1:0";

/// Sends back what comes, until the peer ends.
async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let mut buf = [0; 4096];
    while let n @ 1.. = reader.read(&mut buf).await? {
        writer.write(&buf[..n]);
        writer.drain().await?;
    }
    Ok(())
}

async fn echo_server() -> io::Result<Server> {
    start_server(LOCAL, echo).await
}

/// A server whose handlers never end, and how many of them have begun.
async fn idle_server() -> io::Result<(Server, Rc<Cell<usize>>)> {
    let begun = Rc::new(Cell::new(0));
    let count = Rc::clone(&begun);
    let server = start_server(LOCAL, async move |_reader, _writer| {
        common::bump(&count);
        pending().await
    });
    Ok((server.await?, begun))
}

async fn client(server: &Server) -> io::Result<TcpStream> {
    TcpStream::connect(server.local_addr()?).await
}

/// A client that has had an answer, so that its handler has run.
async fn served(server: &Server) -> io::Result<TcpStream> {
    let client = client(server).await?;
    client.write_all(b"ping").await?;
    let mut pong = [0; 4];
    client.read_exact(&mut pong).await?;
    assert_eq!(&pong, b"ping");
    Ok(client)
}

#[test]
fn every_number_of_the_list_has_a_test_or_a_reason() {
    common::numbers::are_accounted_for("server", &[('B', 68..=74), ('E', 11..=13)]);
}
