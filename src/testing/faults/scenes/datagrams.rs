//! Datagrams, and descriptors that are passed.

use std::io::{Read, Write, pipe};
use std::os::fd::AsFd;

use super::Scene;
use crate::combinators::try_gather_tuple;
use crate::net::{UdpSocket, UnixDatagram, UnixStream};
use crate::testing::faults::step::{Outcome, call, on_loop, step};
use crate::time::yield_now;

pub(super) const UDP: Scene = Scene {
    name: "two UDP sockets",
    play: || on_loop(udp),
    rules: &[],
};

async fn udp() -> Outcome {
    let one = step("bind", UdpSocket::bind("127.0.0.1:0")).await?;
    let other = step("bind", UdpSocket::bind("127.0.0.1:0")).await?;
    let (one_addr, other_addr) = (
        call("local_addr", || one.local_addr())?,
        call("local_addr", || other.local_addr())?,
    );
    let mut buf = [0; 8];
    let answer = async {
        let (received, from) = step("recv_from", other.recv_from(&mut buf)).await?;
        assert_eq!((received.len, from), (4, one_addr));
        step("connect", other.connect(from)).await?;
        step("send", other.send(b"pong")).await
    };
    let ask = async {
        yield_now().await; // the other one waits
        step("send_to", one.send_to(b"ping", other_addr)).await?;
        let received = step("recv", one.recv(&mut [0; 2])).await?;
        assert!(received.is_truncated() && received.full_len == 4);
        Ok(())
    };
    try_gather_tuple((answer, ask)).await.map(drop)
}

pub(super) const UNIX: Scene = Scene {
    name: "a pair of Unix datagram sockets",
    play: || on_loop(unix),
    rules: &[],
};

async fn unix() -> Outcome {
    let (one, other) = call("pair", UnixDatagram::pair)?;
    step("send", one.send(b"ping")).await?;
    let mut buf = [0; 8];
    assert_eq!(step("recv", other.recv(&mut buf)).await?.len, 4);
    call("peer_cred", || one.peer_cred())?;
    Ok(())
}

pub(super) const DESCRIPTORS: Scene = Scene {
    name: "descriptors that are passed",
    play: || on_loop(descriptors),
    rules: &[],
};

async fn descriptors() -> Outcome {
    let (one, other) = call("pair", UnixStream::pair)?;
    let (mut reader, writer) = pipe().expect("two descriptors are free");
    let take = async {
        let mut buf = [0; 8];
        let (received, fds) = step("recv_with_fds", other.recv_with_fds(&mut buf, 2)).await?;
        assert_eq!((received.len, fds.len()), (4, 1));
        for fd in fds {
            std::fs::File::from(fd)
                .write_all(b"x")
                .expect("it is a pipe");
        }
        Ok(())
    };
    let give = async {
        yield_now().await; // the other one waits
        let fds = [writer.as_fd()];
        step("send_with_fds", one.send_with_fds(b"fd: ", &fds)).await
    };
    try_gather_tuple((take, give)).await?;
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("it is a pipe");
    assert_eq!(text, "x");
    Ok(())
}
