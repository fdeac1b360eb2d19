//! The chat among clients without a browser: good ones, slow ones, silent ones, wrong ones.

mod common;

use std::process::Command;

use async_tungstenite::client_async;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Message};
use petla::net::TcpStream;
use petla_testbed::Program;
use serde_json::json;

use common::{Member, Server};

/// The status and all that curl prints.
fn curl(arguments: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    let options = [
        "--silent",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "--include",
    ];
    command.args(options).args(arguments);
    let output = command.output();
    let output = output.expect("curl runs: install Debian's package curl");
    let text = String::from_utf8(output.stdout).unwrap();
    (text.split(' ').nth(1).unwrap().to_owned(), text)
}

#[test]
fn two_members_hear_each_other_and_who_comes_and_goes() {
    let mut server = Server::start(&[]);
    petla::run(async {
        let mut ada = Member::join(&server, "ada").await;
        let mut bob = Member::join(&server, " bob ").await;
        let joined = json!({ "kind": "joined", "name": "bob", "here": ["ada", "bob"] });
        assert_eq!(ada.hear().await, joined);
        ada.say("hello, <b>bob</b> \u{1f600}").await;
        let said = json!({ "kind": "said", "name": "ada", "text": "hello, <b>bob</b> \u{1f600}" });
        assert_eq!(ada.hear().await, said);
        assert_eq!(bob.hear().await, said);
        bob.0.close(None).await.unwrap();
        let left = json!({ "kind": "left", "name": "bob", "here": ["ada"] });
        assert_eq!(ada.hear().await, left);
        drop(ada); // without a word
    });
    server.program.wait_for_line("ada has come: 1 here");
    server.program.wait_for_line("bob has gone: 1 here");
    server.program.wait_for_line("ada has gone: 0 here");
}

#[test]
fn a_name_that_cannot_be_is_refused_and_another_may_be_given() {
    let server = Server::start(&[]);
    petla::run(async {
        let _ada = Member::join(&server, "ada").await;
        let mut other = Member::connect(&server).await;
        let long = "x".repeat(31);
        let wrong = [
            (
                json!({ "name": "ada" }),
                "Somebody of that name is here already.",
            ),
            (
                json!({ "name": " " }),
                "A name has between 1 and 30 characters.",
            ),
            (
                json!({ "name": long }),
                "A name has between 1 and 30 characters.",
            ),
            (
                json!({ "name": "a\nb" }),
                "A name has no control characters.",
            ),
            (json!({ "say": "hello" }), "Who are you?"),
        ];
        for (request, text) in wrong {
            other.send(request).await;
            assert_eq!(
                other.hear().await,
                json!({ "kind": "refused", "text": text })
            );
        }
        other.send(json!({ "name": "bob" })).await;
        assert_eq!(other.hear().await["here"], json!(["ada", "bob"]));
    });
}

#[test]
fn who_does_not_read_is_dropped_and_the_others_go_on() {
    let mut server = Server::start(&[]);
    petla::run(async {
        let _slow = Member::join(&server, "slow").await;
        let mut ada = Member::join(&server, "ada").await;
        let mut bob = Member::join(&server, "bob").await;
        assert_eq!(ada.hear().await["kind"], "joined");
        let text = "x".repeat(8000);
        let mut count = 0;
        // The system takes some megabytes for `slow`; then its queue is full.
        loop {
            ada.say(&text).await;
            let (to_ada, to_bob) = (ada.hear().await, bob.hear().await);
            assert_eq!(to_ada, to_bob);
            if to_ada["kind"] == "left" {
                assert_eq!(to_ada["name"], "slow");
                break;
            }
            count += 1;
            assert!(count < 20_000, "it is never dropped");
        }
    });
    server.program.wait_for_line("slow has gone: 2 here");
}

#[test]
fn who_gives_no_sign_of_life_is_dropped() {
    let server = Server::start(&["--ping", "0.2"]);
    petla::run(async {
        let mut ada = Member::join(&server, "ada").await;
        // It reads nothing, so it answers no ping.
        let mut mute = Member::join(&server, "mute").await;
        assert_eq!(ada.hear().await["name"], "mute");
        let left = json!({ "kind": "left", "name": "mute", "here": ["ada"] });
        assert_eq!(ada.hear().await, left);
        let close = mute.hear_close().await;
        assert_eq!(
            (close.code, close.reason.as_str()),
            (CloseCode::Policy, "no sign of life")
        );
        ada.say("still here").await; // who reads has answered its pings
        assert_eq!(ada.hear().await["text"], "still here");
    });
}

#[test]
fn a_message_that_is_too_large_or_makes_no_sense_ends_its_sender_alone() {
    let server = Server::start(&[]);
    petla::run(async {
        let mut ada = Member::join(&server, "ada").await;
        let large = Message::text(json!({ "say": "x".repeat(9000) }).to_string());
        let wrong = [
            (large, CloseCode::Size, "the message is too large"),
            (
                Message::text("hello"),
                CloseCode::Unsupported,
                "the message is not understood",
            ),
            (
                Message::text("{\"run\": 1}"),
                CloseCode::Unsupported,
                "the message is not understood",
            ),
            (
                Message::binary(&b"\0"[..]),
                CloseCode::Unsupported,
                "the message is not understood",
            ),
        ];
        for (message, code, reason) in wrong {
            let mut bob = Member::join(&server, "bob").await;
            bob.0.send(message).await.unwrap();
            let close = bob.hear_close().await;
            assert_eq!((close.code, close.reason.as_str()), (code, reason));
            assert_eq!(ada.hear().await["kind"], "joined");
            assert_eq!(ada.hear().await["kind"], "left");
        }
        ada.say("anybody here?").await;
        assert_eq!(ada.hear().await["text"], "anybody here?");
    });
}

#[test]
fn everybody_is_told_when_the_chat_is_over() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&[]);
        petla::run(async {
            let mut ada = Member::join(&server, "ada").await;
            let mut nameless = Member::connect(&server).await;
            server.program.signal(signal);
            for member in [&mut ada, &mut nameless] {
                let close = member.hear_close().await;
                assert_eq!(
                    (close.code, close.reason.as_str()),
                    (CloseCode::Away, "the chat is over")
                );
                assert!(member.next().await.is_none_or(|end| end.is_err()));
            }
        });
        assert_eq!(server.program.wait_exit().code(), Some(0));
        assert_eq!(server.program.lines().pop().unwrap(), "the chat is over");
    }
}

#[test]
fn a_page_of_another_site_may_not_listen() {
    let server = Server::start(&[]);
    petla::run(async {
        let ours = format!("http://{}", server.address);
        for (origin, is_welcome) in [(ours.as_str(), true), ("http://elsewhere.example", false)] {
            let stream = TcpStream::connect(server.address).await.unwrap();
            let url = format!("ws://{}/chat", server.address);
            let mut request = url.into_client_request().unwrap();
            request
                .headers_mut()
                .insert("origin", origin.parse().unwrap());
            match client_async(request, stream).await {
                Ok(_) => assert!(is_welcome),
                Err(Error::Http(response)) => assert!(!is_welcome && response.status() == 403),
                Err(error) => panic!("{error}"),
            }
        }
    });
}

#[test]
fn what_is_no_handshake_is_refused() {
    let server = Server::start(&[]);
    let url = |path| format!("http://{}{path}", server.address);
    let (status, page) = curl(&[&url("/")]);
    assert_eq!(status, "200");
    assert!(
        page.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"),
        "{page}"
    );
    assert!(
        page.contains("\r\ncontent-security-policy: default-src 'none'; "),
        "{page}"
    );
    assert_eq!(curl(&[&url("/chat")]).0, "400");
    assert_eq!(curl(&["--data", "x", &url("/chat")]).0, "405");
    assert_eq!(curl(&[&url("/elsewhere")]).0, "404");
}

#[test]
fn what_cannot_be_done_is_said_and_has_an_exit_code() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let taken = format!("port {port} cannot be used: try another");
    let wrong = [
        (["--port", &port], 1, taken.as_str()),
        (["--port", "http"], 2, "--port wants a number"),
        (["--ping", "0"], 2, "--ping 0 would never stop asking"),
        (["--room", "9"], 2, "--room is not known"),
    ];
    for (arguments, code, message) in wrong {
        let mut command = Command::new(env!("CARGO_BIN_EXE_petla-websocket-chat"));
        command.args(arguments);
        let mut program = Program::start(command);
        assert_eq!(program.wait_exit().code(), Some(code));
        assert!(
            program.lines()[0].starts_with(message),
            "{:?}",
            program.lines()
        );
        let is_usage = |line: &String| line.starts_with("usage: petla-websocket-chat ");
        assert_eq!(program.lines().get(1).is_some_and(is_usage), code == 2);
    }
}
