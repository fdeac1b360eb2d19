//! The servers among the examples, with real connections: what they promise, they do.
//!
//! # Not here
//! Clients that are other programs: the last test, which is skipped where there is no `curl`.

mod common;

#[allow(dead_code, reason = "its main does not run")]
#[path = "../examples/chat_server.rs"]
mod chat_server;
#[allow(dead_code, reason = "its main does not run")]
#[path = "../examples/echo_streams.rs"]
mod echo_streams;
#[allow(dead_code, reason = "its main does not run")]
#[path = "../examples/http_server.rs"]
mod http_server;

#[path = "server_examples/chat.rs"]
mod chat;
#[path = "server_examples/http.rs"]
mod http;

use std::net::SocketAddr;

use common::within_io;
use petla::net::TcpStream;

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

#[test]
fn the_echo_sends_back_and_shuts_down() {
    within_io(async {
        let server = echo_streams::start(0, 1).await?;
        for _ in 0..2 {
            let client = TcpStream::connect(server.local_addr()?).await?;
            client.write_all(b"back, please").await?;
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"back, please");
        }
        assert_eq!(server.shutdown(None).await, 0);
        Ok(())
    });
}
