//! What both tests use: the program, and members without a browser.
#![allow(dead_code)] // each test uses a part

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};
use async_tungstenite::{WebSocketStream, client_async};
use futures_util::StreamExt;
use petla::net::TcpStream;
use petla::timeout;
use petla_testbed::Program;
use serde_json::{Value, json};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(options: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_petla-websocket-chat"));
        command.args(["--port", "0"]).args(options);
        let mut program = Program::start(command);
        let line = program.wait_for_line("http://");
        let rest = line.strip_prefix("http://").unwrap();
        let address = rest.split('/').next().unwrap().parse().unwrap();
        Server { program, address }
    }
}

/// Somebody in the chat, or about to be.
pub(crate) struct Member(pub(crate) WebSocketStream<TcpStream>);

impl Member {
    /// Without a name.
    pub(crate) async fn connect(server: &Server) -> Member {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let url = format!("ws://{}/chat", server.address);
        let request = url.into_client_request().unwrap();
        let (socket, _) = client_async(request, stream).await.unwrap();
        Member(socket)
    }

    /// With a name that was taken: the next message is not about that any more.
    pub(crate) async fn join(server: &Server, name: &str) -> Member {
        let mut member = Member::connect(server).await;
        member.send(json!({ "name": name })).await;
        let news = member.hear().await;
        assert_eq!(news["kind"], "joined");
        assert_eq!(news["name"], name.trim());
        member
    }

    pub(crate) async fn send(&mut self, value: Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(json!({ "say": text })).await;
    }

    /// The next message of any kind.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        timeout(LIMIT, self.0.next()).await.expect("a message")
    }

    /// The next message of the chat.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Passes all messages until the close.
    pub(crate) async fn hear_close(&mut self) -> CloseFrame {
        loop {
            if let Message::Close(frame) = self.next().await.unwrap().unwrap() {
                return frame.unwrap();
            }
        }
    }
}
