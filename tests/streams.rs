//! `petla::streams`: a reader and a writer over one connection, against a plain socket as the peer.

mod common;

#[path = "streams/closing.rs"]
mod closing;
#[path = "streams/convert.rs"]
mod convert;
#[path = "streams/limits.rs"]
mod limits;
#[path = "streams/reading.rs"]
mod reading;
#[path = "streams/trouble.rs"]
mod trouble;
#[path = "streams/vectored.rs"]
mod vectored;
#[path = "streams/wakers.rs"]
mod wakers;
#[path = "streams/writing.rs"]
mod writing;

use common::peers::{MUCH, look, noise, read_all};
use petla::net::{TcpListener, TcpStream};
use petla::streams::{StreamReader, StreamWriter, open_connection};
use std::io;

/// Both halves of a connection, and its other end.
async fn connected() -> io::Result<(StreamReader, StreamWriter, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (reader, writer) = open_connection(listener.local_addr()?).await?;
    let (peer, _) = listener.accept().await?;
    assert_eq!(peer.local_addr()?, writer.peer_addr()?);
    assert_eq!(peer.peer_addr()?, writer.local_addr()?);
    Ok((reader, writer, peer))
}
