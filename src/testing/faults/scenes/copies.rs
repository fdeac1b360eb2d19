//! From one stream, or from a file, into another stream.

use std::fs::File;
use std::net::Shutdown;

use super::Scene;
use crate::combinators::try_gather_tuple;
use crate::net::{TcpListener, TcpStream};
use crate::streams::{StreamReader, StreamWriter, copy, open_connection};
use crate::sys::faults::errnos::*;
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{Failure, Outcome, call, on_loop, step};

type Streams = (StreamReader, StreamWriter);

async fn connected() -> Result<(Streams, TcpStream), Failure> {
    let listener = step("bind", TcpListener::bind("127.0.0.1:0")).await?;
    let addr = call("local_addr", || listener.local_addr())?;
    let streams = step("open_connection", open_connection(addr)).await?;
    let (peer, _) = step("accept", listener.accept()).await?;
    Ok((streams, peer))
}

pub(super) const STREAM: Scene = Scene {
    name: "an echo by copy",
    play: || on_loop(stream),
    // The end was not sent: it is when both halves are dropped.
    rules: &[rule("shutdown", &[ENOTCONN], Fate::Absorbed).of("wait_closed")],
};

async fn stream() -> Outcome {
    let ((mut reader, mut writer), peer) = connected().await?;
    let data = vec![b'x'; 300_000];
    let echo = async move {
        step("copy", copy(&mut reader, &mut writer)).await?;
        step("wait_closed", writer.wait_closed()).await
    };
    let send = async {
        step("write_all", peer.write_all(&data)).await?;
        call("shutdown", || peer.shutdown(Shutdown::Write))
    };
    let receive = async {
        let mut all = vec![0; data.len()];
        step("read_exact", peer.read_exact(&mut all)).await?;
        assert!(all == data);
        Ok(())
    };
    try_gather_tuple((echo, send, receive)).await.map(drop)
}

pub(super) const FILE: Scene = Scene {
    name: "a file that is sent",
    play: || on_loop(file),
    rules: &[
        // The system cannot: the file is read and sent.
        rule("sendfile", &[EINVAL, ENOSYS], Fate::Absorbed),
        rule("shutdown", &[ENOTCONN], Fate::Absorbed),
    ],
};

async fn file() -> Outcome {
    let ((reader, mut writer), peer) = connected().await?;
    let file = std::env::current_exe()
        .and_then(File::open)
        .expect("it is this program");
    step("send_file", writer.send_file(&file, 1, 100_000)).await?;
    step("wait_closed", writer.wait_closed()).await?;
    drop((reader, writer));
    let mut all = Vec::new();
    let mut buf = [0; 1 << 14];
    while let n @ 1.. = step("read", peer.read(&mut buf)).await? {
        all.extend_from_slice(&buf[..n]);
    }
    assert_eq!((all.len(), &all[..3]), (100_000, &b"ELF"[..]));
    Ok(())
}
