//! Servers of streams, with two clients each.
//!
//! What fails in a handler is reported, and ends that connection only: its client reads an end.

use std::io;
use std::path::PathBuf;

use super::Scene;
use crate::combinators::try_gather_tuple;
use crate::streams::{
    Server, StreamReader, StreamWriter, open_connection, open_unix_connection, start_server,
    start_unix_server,
};
use crate::sys::faults::errnos::*;
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{
    Failure, LOOP, Outcome, call, has_reported, named, on_loop, step,
};

const HANDLER: &str = "the handler";
const SERVE: &str = "serve_forever";

async fn handle(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let echo = async {
        while let Some(line) = reader.read_line().await? {
            writer.write(line.as_bytes());
            writer.write(b"\n");
            writer.drain().await?;
        }
        writer.wait_closed().await
    };
    named(HANDLER, echo).await
}

async fn ask((mut reader, mut writer): (StreamReader, StreamWriter)) -> Outcome {
    let asked = named("ask", async {
        writer.write(b"hello\n");
        writer.drain().await
    });
    step("ask", asked).await?;
    match step("answer", reader.read_line()).await {
        // The handler failed: its connection ended, in order or by a reset.
        Ok(None) | Err(_) if has_reported() => return Ok(()),
        line => assert_eq!(line?, Some("hello")),
    }
    step("wait_closed", writer.wait_closed()).await
}

/// Serves until `visit` is done.
async fn serve(server: Server, visit: impl Future<Output = Outcome>) -> Outcome {
    let visit = async {
        visit.await?;
        server.close();
        Ok(())
    };
    let serve = step(SERVE, server.serve_forever());
    let outcome: Result<_, Failure> = try_gather_tuple((serve, visit)).await;
    server.close();
    server.wait_closed().await;
    outcome.map(drop)
}

pub(super) const TCP: Scene = Scene {
    name: "a server",
    play: || on_loop(tcp),
    rules: &[
        // What ends accepting ends the server.
        rule("accept4", &[EPERM, EOPNOTSUPP], Fate::ComesOutOf(SERVE)),
        rule("epoll_ctl_add", &[ENOSPC], Fate::ComesOutOf(SERVE)).of(LOOP),
        // No memory to wait with is no memory: tried again after a pause.
        rule("epoll_ctl_add", &[ENOMEM], Fate::Absorbed).of(LOOP),
        rule("epoll_ctl_add", &[], Fate::Reported).of(HANDLER),
        rule("recv", &[], Fate::Reported).of(HANDLER),
        rule("send", &[], Fate::Reported).of(HANDLER),
        // Any port will do, so another one is tried.
        rule("bind", &[EADDRINUSE], Fate::Absorbed),
        rule("listen", &[EADDRINUSE], Fate::Absorbed),
        // TCP_NODELAY: the socket that is served may be of another kind.
        rule("setsockopt", &[], Fate::Absorbed).nth(2),
        // The end was not sent: it is when both halves are dropped.
        rule("shutdown", &[ENOTCONN], Fate::Absorbed),
    ],
};

async fn tcp() -> Outcome {
    let server = step("start_server", start_server("127.0.0.1:0", handle)).await?;
    let addr = call("local_addr", || server.local_addr())?;
    let visit = async {
        for _ in 0..2 {
            ask(step("open_connection", open_connection(addr)).await?).await?;
        }
        Ok(())
    };
    serve(server, visit).await
}

pub(super) const UNIX: Scene = Scene {
    name: "a Unix server",
    play: || {
        let path = socket_path();
        let outcome = on_loop(unix);
        assert!(!path.exists(), "its file is left");
        outcome
    },
    rules: &[
        rule("accept4", &[EPERM, EOPNOTSUPP], Fate::ComesOutOf(SERVE)),
        rule("epoll_ctl_add", &[ENOSPC], Fate::ComesOutOf(SERVE)).of(LOOP),
        rule("epoll_ctl_add", &[ENOMEM], Fate::Absorbed).of(LOOP),
        rule("epoll_ctl_add", &[], Fate::Reported).of(HANDLER),
        rule("recv", &[], Fate::Reported).of(HANDLER),
        rule("send", &[], Fate::Reported).of(HANDLER),
        // A dead server's file is in the way: it is removed.
        rule("bind", &[EADDRINUSE], Fate::Absorbed),
        // The queue is full: tried again after a pause.
        rule("connect", &[EAGAIN], Fate::Absorbed),
        rule("shutdown", &[ENOTCONN], Fate::Absorbed),
    ],
};

fn socket_path() -> PathBuf {
    std::env::temp_dir().join(format!("petla-faults-{}", std::process::id()))
}

async fn unix() -> Outcome {
    let path = socket_path();
    let server = step("start_unix_server", start_unix_server(&path, handle)).await?;
    let visit = async {
        for _ in 0..2 {
            let connection = open_unix_connection(&path);
            ask(step("open_unix_connection", connection).await?).await?;
        }
        Ok(())
    };
    serve(server, visit).await
}
