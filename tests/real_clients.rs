//! Clients that other people wrote, against the servers among the examples: they run as children
//! of the loop that serves them. One that is not installed is skipped, which its test prints.
//!
//! # Not here
//! `curl`: `server_examples`, where its answers are looked at byte by byte.

mod common;

#[allow(dead_code, reason = "its main does not run")]
#[path = "../examples/echo_streams.rs"]
mod echo_streams;
#[allow(dead_code, reason = "its main does not run")]
#[path = "../examples/http_server.rs"]
mod http_server;

use std::io::{self, ErrorKind};
use std::process::{Output, Stdio};
use std::time::Duration;

use common::{text, within, within_io};
use petla::process::Command;

/// What the program says, if there is such a program.
async fn client(program: &str, arguments: &[&str]) -> io::Result<Option<Output>> {
    match Command::new(program).args(arguments).output().await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: no {program}");
            Ok(None)
        }
        output => output.map(Some),
    }
}

/// Fifty connections of up to half a megabyte each, which are read only while they are written.
const ASYNCIO: &str = r#"
import asyncio, sys

async def talk(number):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    data = bytes(range(256)) * (number * 40)
    async def feed():
        for at in range(0, len(data), 7777):
            writer.write(data[at:at + 7777])
            await writer.drain()
        writer.write_eof()
    feeder = asyncio.create_task(feed())
    assert await reader.read() == data
    await feeder
    writer.close()
    await writer.wait_closed()

async def main():
    await asyncio.gather(*(talk(number) for number in range(1, 51)))
    print("all came back")

asyncio.run(main())
"#;

#[test]
fn asyncio_streams_get_back_what_they_send() {
    within_io(async {
        let server = echo_streams::start(0, 20).await?;
        let port = server.local_addr()?.port().to_string();
        if let Some(output) = client("python3", &["-c", ASYNCIO, &port]).await? {
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(said, "all came back\n");
        }
        assert_eq!(server.shutdown(None).await, 0);
        Ok(())
    });
}

#[test]
fn netcat_gets_back_what_it_is_given() {
    within_io(async {
        let server = echo_streams::start(0, 1).await?;
        let port = server.local_addr()?.port().to_string();
        let mut command = Command::new("nc");
        let command = command
            .args(["127.0.0.1", &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut netcat = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: no nc");
                return Ok(());
            }
            spawned => spawned?,
        };
        let (stdin, stdout) = (netcat.stdin.take().unwrap(), netcat.stdout.take().unwrap());
        stdin.write_all(b"a line\n").await?;
        let mut answer = [0; 7];
        stdout.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"a line\n");
        netcat.stop(Duration::from_secs(5)).await?;
        assert_eq!(server.shutdown(None).await, 0);
        Ok(())
    });
}

#[test]
fn wrk_gets_nothing_but_answers() {
    let output = within(async {
        let (server, _site) = http_server::start(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("http://{}/", server.local_addr()?);
        client("wrk", &["-t1", "-c20", "-d1s", &url]).await
    });
    if let Some(output) = output.unwrap() {
        let said = text(&output.stdout);
        assert!(said.contains("Requests/sec"), "{said}");
        assert!(
            !said.contains("Socket errors") && !said.contains("Non-2xx"),
            "{said}"
        );
        assert!(!said.contains(" 0 requests in"), "{said}");
    }
}
