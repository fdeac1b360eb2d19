//! The other end of a connection, a plain socket: what it sends, how it reads, how it goes.

use std::io;
use std::time::Duration;

use petla::net::TcpStream;

/// More than two sockets and their peers' hold together.
pub(crate) const MUCH: usize = 16 << 20;

/// Everything up to the end of the stream.
pub(crate) async fn read_all(peer: &TcpStream) -> io::Result<Vec<u8>> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 1 << 16]);
    while let n @ 1.. = peer.read(&mut buf).await? {
        all.extend_from_slice(&buf[..n]);
    }
    Ok(all)
}

/// Closing resets the connection.
pub(crate) fn reset(peer: TcpStream) {
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

/// Lets the loop learn what has come: it looks after 64 polls at the latest.
pub(crate) async fn look() {
    for _ in 0..65 {
        petla::yield_now().await;
    }
}

/// Bytes that repeat only at a distance that no buffer has for its size.
pub(crate) fn noise(length: usize) -> Vec<u8> {
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
