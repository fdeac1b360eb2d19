//! The program against servers that answer, and against some that do not.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming, server::conn::http2};
use petla::interop::LoopExecutor;
use petla_testbed::{Program, free_port};

/// Takes one connection, reads until an empty line, and sends `answer`.
fn answer_once(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            request.push(byte[0]);
        }
        stream.write_all(&answer).unwrap();
        if answer.ends_with(b"and silence") {
            // Until the client has gone.
            while stream.read(&mut byte).is_ok_and(|length| length > 0) {}
        }
    });
    address
}

/// The exit code and what was printed.
fn client(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-http-client"));
    command.args(arguments);
    let mut program = Program::start(command);
    let code = program.wait_exit().code().unwrap();
    (code, program.lines().join("\n"))
}

fn get(address: SocketAddr, options: &[&str]) -> (i32, String) {
    let url = format!("http://{address}/a/page?of=mine");
    client(&[options, &[&url]].concat())
}

#[test]
fn a_page_is_printed_with_its_head() {
    let address = answer_once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: odd\r\n\r\npage\n");
    let (code, text) = get(address, &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\ncontent-length: 5\nx-kind: odd\n\npage"
    );
}

#[test]
fn http2_is_spoken_when_asked_for() {
    let (ready, address) = std::sync::mpsc::channel();
    thread::spawn(move || {
        petla::run(async {
            let listener = petla::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(async |request: Request<Incoming>| {
                let text = format!("{:?} {}\n", request.version(), request.uri());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            let builder = http2::Builder::new(LoopExecutor::new());
            builder.serve_connection(stream, service).await.unwrap();
        });
    });
    let address = address.recv().unwrap();
    let (code, text) = get(address, &["--http2"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("HTTP/2.0 200 OK\n"), "{text}");
    let body = format!("\n\nHTTP/2.0 http://{address}/a/page?of=mine");
    assert!(text.ends_with(&body), "{text}");
}

#[test]
fn a_status_of_400_or_above_is_printed_and_gives_3() {
    for status in ["404 Not Found", "500 Internal Server Error"] {
        let address = answer_once(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        let (code, text) = get(address, &[]);
        assert_eq!(code, 3);
        assert!(text.starts_with(&format!("HTTP/1.1 {status}\n")), "{text}");
    }
}

#[test]
fn a_server_that_does_not_run_is_named() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let (code, text) = client(&[&url]);
    let why = format!("nobody listens at 127.0.0.1:{port}: is the server running?");
    assert_eq!((code, text), (1, format!("{url}: {why}")));
}

#[test]
fn a_name_that_nobody_knows_is_named() {
    // No name below .invalid is ever known (RFC 6761).
    let (code, text) = client(&["http://nowhere.invalid/"]);
    assert_eq!(code, 1);
    let why = "cannot find the address of \"nowhere.invalid\"";
    assert!(text.contains(why), "{text}");
}

#[test]
fn what_is_not_http_is_told_from_what_is_silent() {
    let (code, text) = get(answer_once("SSH-2.0-petla\r\n\r\n"), &[]);
    assert_eq!(code, 1);
    assert!(text.contains("the server does not speak HTTP/1"), "{text}");
    let (code, text) = get(
        answer_once("HTTP/1.1 400 Bad Request\r\n\r\n"),
        &["--http2"],
    );
    assert_eq!(code, 1);
    assert!(text.contains("the server does not speak HTTP/2"), "{text}");
    let (code, text) = get(answer_once(""), &[]);
    assert_eq!(code, 1);
    let why = "the server closed the connection and did not answer";
    assert!(text.contains(why), "{text}");
}

#[test]
fn a_page_that_breaks_off_is_not_taken_for_a_whole_one() {
    let address = answer_once("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this\n");
    let (code, text) = get(address, &[]);
    assert_eq!(code, 1);
    assert!(text.contains("\n\nonly this\n"), "{text}");
    assert!(text.contains("the page broke off after 10 bytes"), "{text}");
}

#[test]
fn the_limit_holds_for_the_whole_page() {
    let address = answer_once("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nand silence");
    let (code, text) = get(address, &["--limit", "0.2"]);
    assert_eq!(code, 1);
    assert!(text.contains("no whole answer within 200ms"), "{text}");
}

#[test]
fn arguments_that_make_no_sense_give_2_and_the_usage() {
    let wrong: [(&[&str], &str); 6] = [
        (&[], "a URL is missing"),
        (
            &["https://localhost/"],
            "https is not spoken here, only http",
        ),
        (
            &["localhost"],
            "localhost is no URL: it must begin with http://",
        ),
        (&["http://a/", "http://b/"], "one URL at a time"),
        (
            &["--limit", "soon", "http://a/"],
            "--limit wants a number of seconds",
        ),
        (&["--http3", "http://a/"], "--http3 is not known"),
    ];
    for (arguments, message) in wrong {
        let (code, text) = client(arguments);
        assert_eq!(code, 2);
        assert!(text.starts_with(message), "{text}");
        assert!(text.contains("\nusage: petla-http-client "), "{text}");
    }
}
