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

use petla::net::{TcpListener, TcpStream};
use petla::streams::{StreamReader, StreamWriter, open_connection};
use std::io;

/// More than a socket and its peer's hold together.
const MUCH: usize = 16 << 20;

/// Both halves of a connection, and its other end.
async fn connected() -> io::Result<(StreamReader, StreamWriter, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (reader, writer) = open_connection(listener.local_addr()?).await?;
    let (peer, _) = listener.accept().await?;
    assert_eq!(peer.local_addr()?, writer.peer_addr()?);
    assert_eq!(peer.peer_addr()?, writer.local_addr()?);
    Ok((reader, writer, peer))
}

/// Everything up to the end of the stream.
async fn read_all(peer: &TcpStream) -> io::Result<Vec<u8>> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 1 << 16]);
    while let n @ 1.. = peer.read(&mut buf).await? {
        all.extend_from_slice(&buf[..n]);
    }
    Ok(all)
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
