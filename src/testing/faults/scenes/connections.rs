//! Connections, from their addresses to their ends.

use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::time::Duration;

use super::Scene;
use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use crate::sys::faults::errnos::*;
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{Outcome, call, on_loop, step};

/// The text is a literal: nobody is asked for its address.
const ANY_PORT: &str = "127.0.0.1:0";

pub(super) const TCP: Scene = Scene {
    name: "a TCP connection",
    play: || on_loop(tcp),
    rules: &[],
};

async fn tcp() -> Outcome {
    let bind = TcpListener::bind(ANY_PORT).backlog(8).reuse_port(true);
    let listener = step("bind", bind).await?;
    let addr = call("local_addr", || listener.local_addr())?;
    let client = step("connect", TcpStream::connect(addr)).await?;
    let (server, peer) = step("accept", listener.accept()).await?;
    assert_eq!(call("local_addr", || client.local_addr())?, peer);
    assert_eq!(call("peer_addr", || client.peer_addr())?, addr);
    options(&client)?;

    step("write_all", client.write_all(b"ping")).await?;
    let mut buf = [0; 4];
    assert_eq!(step("peek", server.peek(&mut buf)).await?, 4);
    step("read_exact", server.read_exact(&mut buf)).await?;
    assert_eq!(&buf, b"ping");
    let parts = [IoSlice::new(b"po"), IoSlice::new(b"ng")];
    assert_eq!(
        step("write_vectored", server.write_vectored(&parts)).await?,
        4
    );
    let (mut first, mut second) = ([0; 2], [0; 2]);
    let mut rooms = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(
        step("read_vectored", client.read_vectored(&mut rooms)).await?,
        4
    );
    assert_eq!((&first, &second), (b"po", b"ng"));

    call("shutdown", || client.shutdown(Shutdown::Write))?;
    assert_eq!(step("read", server.read(&mut buf)).await?, 0);
    assert!(call("take_error", || server.take_error())?.is_none());
    Ok(())
}

fn options(stream: &TcpStream) -> Outcome {
    call("set_nodelay", || stream.set_nodelay(true))?;
    assert!(call("nodelay", || stream.nodelay())?);
    call("set_keepalive", || stream.set_keepalive(true))?;
    assert!(call("keepalive", || stream.keepalive())?);
    call("set_ttl", || stream.set_ttl(9))?;
    assert_eq!(call("ttl", || stream.ttl())?, 9);
    let limit = Some(Duration::ZERO);
    call("set_linger", || stream.set_linger(limit))?;
    assert_eq!(call("linger", || stream.linger())?, limit);
    call("set_linger", || stream.set_linger(None))
}

pub(super) const UNIX: Scene = Scene {
    name: "a connection by an abstract Unix address",
    play: || on_loop(unix),
    rules: &[
        // The listener's queue is full: tried again after a pause.
        rule("connect", &[EAGAIN], Fate::Absorbed),
    ],
};

async fn unix() -> Outcome {
    let name = format!("petla faults {}", std::process::id());
    let addr = UnixAddr::from_abstract_name(name).expect("it is short");
    let listener = step("bind", UnixListener::bind_addr(&addr)).await?;
    let client = step("connect", UnixStream::connect_addr(&addr)).await?;
    let (server, _) = step("accept", listener.accept()).await?;
    step("write_all", server.write_all(b"welcome")).await?;
    let mut buf = [0; 7];
    step("read_exact", client.read_exact(&mut buf)).await?;
    drop(server);
    assert_eq!(step("read", client.read(&mut buf)).await?, 0);
    Ok(())
}

pub(super) const PAIR: Scene = Scene {
    name: "a pair of Unix sockets",
    play: || on_loop(pair),
    rules: &[],
};

async fn pair() -> Outcome {
    let (one, other) = call("pair", UnixStream::pair)?;
    let mut buf = [0; 4];
    // The first read waits, so it registers.
    let echo = async {
        step("read", other.read(&mut buf)).await?;
        step("write", other.write(b"pong")).await
    };
    let ask = async {
        crate::time::yield_now().await;
        step("ask", one.write(b"ping")).await?;
        step("answer", one.read_exact(&mut [0; 4])).await
    };
    crate::combinators::try_gather_tuple((echo, ask)).await?;
    call("shutdown", || one.shutdown(Shutdown::Both))?;
    assert_eq!(step("read", other.read(&mut [0; 4])).await?, 0);
    Ok(())
}

pub(super) const TWO_ADDRESSES: Scene = Scene {
    name: "the second of two addresses",
    play: || on_loop(two_addresses),
    // The error of the first address is not the last word: the second is tried.
    rules: &[
        rule("socket", &[], Fate::Absorbed).of("connect to one of them"),
        rule("connect", &[], Fate::Absorbed).of("connect to one of them"),
        rule("poll", &[], Fate::Absorbed).of("connect to one of them"),
        rule("getsockopt", &[], Fate::Absorbed).of("connect to one of them"),
    ],
};

async fn two_addresses() -> Outcome {
    let listener = step("bind", TcpListener::bind(ANY_PORT)).await?;
    let addr = call("local_addr", || listener.local_addr())?;
    let twice = [addr, addr];
    step("connect to one of them", TcpStream::connect(&twice[..])).await?;
    Ok(())
}
