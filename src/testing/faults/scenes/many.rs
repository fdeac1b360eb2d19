//! Much at once: several clients, large data, streams with buffers.

use std::io;

use super::Scene;
use crate::combinators::{gather_tuple, try_gather_tuple};
use crate::net::{TcpListener, TcpStream, UnixStream};
use crate::streams::{StreamReader, StreamWriter, open_connection};
use crate::sys::faults::errnos::*;
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{Failure, Outcome, call, on_loop, step};
use crate::time::yield_now;

pub(super) const CLIENTS: Scene = Scene {
    name: "a listener with five clients",
    play: || on_loop(clients),
    // No memory to wait with is no memory: tried again after a pause.
    rules: &[rule("epoll_ctl_add", &[ENOMEM], Fate::Absorbed).of("accept")],
};

async fn clients() -> Outcome {
    let listener = step("bind", TcpListener::bind("127.0.0.1:0")).await?;
    let addr = call("local_addr", || listener.local_addr())?;
    let serve = async {
        let mut incoming = listener.incoming();
        for _ in 0..5 {
            let next = async { incoming.next().await.expect("it has no end") };
            let (stream, _) = step("accept", next).await?;
            step("welcome", stream.write_all(b"welcome")).await?;
        }
        Ok(())
    };
    let visit = async {
        for _ in 0..5 {
            yield_now().await; // the first accept waits
            let stream = step("connect", TcpStream::connect(addr)).await?;
            step("read", stream.read_exact(&mut [0; 7])).await?;
        }
        Ok(())
    };
    try_gather_tuple((serve, visit)).await.map(drop)
}

/// More than the buffers of a pair hold.
const MUCH: usize = 1 << 20;

pub(super) const SLOW_PAIR: Scene = Scene {
    name: "a mebibyte through a slow pair",
    play: || on_loop(slow_pair),
    rules: &[],
};

async fn slow_pair() -> Outcome {
    let (one, other) = call("pair", UnixStream::pair)?;
    let data = b"0123456789abc".repeat(MUCH / 13);
    let send = step("write_all", one.write_all(&data));
    let receive = async {
        let mut all = vec![0; data.len()];
        let (first, rest) = all.split_at_mut(MUCH / 2);
        for part in first.chunks_mut(60_000) {
            step("read a part", other.read_exact(part)).await?;
            yield_now().await;
        }
        step("read the rest", other.read_exact(rest)).await?;
        assert!(all == data);
        Ok(())
    };
    try_gather_tuple((send, receive)).await.map(drop)
}

/// More than the buffers of a connection hold.
const SENT: usize = 6 << 20;

pub(super) const STREAMS: Scene = Scene {
    name: "streams with buffers",
    play: || on_loop(streams),
    rules: &[
        // `write` never waits and gives no error: `drain` does.
        rule("send", &[], Fate::ComesOutOf("drain")).of("write"),
        // The end was not sent: the peer reads it when both halves are dropped.
        rule("shutdown", &[ENOTCONN], Fate::Absorbed),
    ],
};

async fn streams() -> Outcome {
    let listener = step("bind", TcpListener::bind("127.0.0.1:0")).await?;
    let addr = call("local_addr", || listener.local_addr())?;
    let connection = step("open_connection", open_connection(addr)).await?;
    let (peer, _) = step("accept", listener.accept()).await?;
    // Each drops its end when it fails, so the other one is not kept waiting.
    let (sent, received) = gather_tuple((answer(connection), ask(peer))).await;
    let received = received?;
    sent?;
    assert_eq!(received, SENT);
    Ok(())
}

async fn answer((mut reader, mut writer): (StreamReader, StreamWriter)) -> Outcome {
    if step("read_line", reader.read_line()).await? != Some("go") {
        return Ok(()); // the peer failed
    }
    call("write", || {
        writer.write(&vec![b'x'; SENT]);
        io::Result::Ok(())
    })?;
    step("drain", writer.drain()).await?;
    step("wait_closed", writer.wait_closed()).await
}

async fn ask(peer: TcpStream) -> Result<usize, Failure> {
    step("greet", peer.write_all(b"go\n")).await?;
    let (mut all, mut buf) = (0, vec![0; 1 << 17]);
    while let n @ 1.. = step("receive", peer.read(&mut buf)).await? {
        all += n;
    }
    Ok(all)
}
