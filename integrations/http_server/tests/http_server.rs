//! The program as its clients see it: curl, and sockets that do what no good client does.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn::http2};
use petla::{gather, interop::LoopExecutor, spawn};
use petla_testbed::{Program, wait_for};

const LIMIT: Duration = Duration::from_secs(20);

struct Server {
    program: Program,
    address: SocketAddr,
}

impl Server {
    fn start(options: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_petla-http-server"));
        command.args(["--port", "0"]).args(options);
        let mut program = Program::start(command);
        let line = program.wait_for_line("http://");
        let rest = line.strip_prefix("http://").unwrap();
        let address = rest.split('/').next().unwrap().parse().unwrap();
        Server { program, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// It answers as if nothing had happened.
    fn assert_lives(&self) {
        assert_eq!(curl(&[&self.url("/")]), "hello over HTTP/1.1\n");
    }

    /// Ends it in order, and gives its last line.
    fn end(mut self) -> String {
        self.program.signal("TERM");
        assert_eq!(self.program.wait_exit().code(), Some(0));
        self.program.lines().pop().unwrap()
    }
}

fn curl_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--noproxy",
            "*",
        ])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn();
    let mut child = child.expect("curl runs: install Debian's package curl");
    // A server that has answered already need not have read all of it.
    drop(child.stdin.take().unwrap().write_all(input));
    child.wait_with_output().unwrap()
}

/// What curl prints for these arguments, if it is content.
fn curl(arguments: &[&str]) -> String {
    let output = curl_with_input(arguments, b"");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {text}");
    String::from_utf8(output.stdout).unwrap()
}

/// The status and the body.
fn post(url: &str, options: &[&str], body: &[u8]) -> (String, String) {
    let end = ["--data-binary", "@-", "--write-out", "%{http_code}", url];
    let arguments = [options, end.as_slice()].concat();
    let output = curl_with_input(&arguments, body);
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.split_at(text.len() - 3);
    (status.to_owned(), body.to_owned())
}

/// All that comes until the end of the connection.
fn rest(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn both_versions_are_served_on_one_port() {
    let server = Server::start(&[]);
    let url = server.url("/");
    assert_eq!(curl(&[&url]), "hello over HTTP/1.1\n");
    assert_eq!(curl(&["--http1.0", &url]), "hello over HTTP/1.0\n");
    let text = curl(&["--http2-prior-knowledge", &url]);
    assert_eq!(text, "hello over HTTP/2.0\n");
    assert_eq!(server.end(), "3 requests served, 0 connections aborted");
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let server = Server::start(&[]);
    let url = server.url("/");
    let text = curl(&["--write-out", "%{num_connects}\n", &url, &url]);
    let hello = "hello over HTTP/1.1";
    assert_eq!(text, format!("{hello}\n1\n{hello}\n0\n"));
}

#[test]
fn json_is_answered_with_json() {
    let server = Server::start(&[]);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let url = server.url("/mean");
        let (status, body) = post(&url, &[version], br#"{"values": [1, 2.5, 4]}"#);
        assert_eq!(body, "{\"count\":3,\"mean\":2.5}\n");
        assert_eq!(status, "200");
    }
}

#[test]
fn invalid_json_is_400_and_the_place_of_the_mistake() {
    let server = Server::start(&[]);
    let wrong: [(&[u8], &str); 6] = [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"{\"values\": [1, }", "expected value at line 1 column 16"),
        (b"{\"value\": 1}", "missing field `values` at line 1"),
        (b"{\"values\": \"one\"}", "expected a sequence at line 1"),
        (b"\xff\xfe", "expected value at line 1 column 1"),
        (b"{\"values\": []}", "no values have no mean"),
    ];
    for (body, message) in wrong {
        let (status, answer) = post(&server.url("/mean"), &[], body);
        assert_eq!(status, "400");
        assert!(answer.starts_with("{\"error\":\""), "{answer}");
        assert!(answer.contains(message), "{answer}");
    }
    server.assert_lives();
}

#[test]
fn what_is_not_there_is_404_and_a_wrong_method_405() {
    let server = Server::start(&[]);
    let (status, body) = post(&server.url("/elsewhere"), &[], b"");
    assert_eq!((&*status, &*body), ("404", "{\"error\":\"not here\"}\n"));
    let head = curl(&["--include", &server.url("/mean")]);
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    assert!(head.to_lowercase().contains("\nallow: post\r\n"), "{head}");
    let (status, _) = post(&server.url("/nap/a"), &["--request", "GET"], b"");
    assert_eq!(status, "400");
}

#[test]
fn a_body_that_is_too_large_is_413_for_every_kind_of_client() {
    let server = Server::start(&["--body", "100000"]);
    let url = server.url("/mean");
    let over = vec![b' '; 100_001];
    let huge = vec![b' '; 8_000_000];
    let excess = vec![b' '; 1_000_000]; // and still read to its end
    let kinds: [(&[&str], &[u8]); 5] = [
        (&["--header", "Expect:"], &over),
        (
            &[
                "--header",
                "Expect:",
                "--header",
                "Transfer-Encoding: chunked",
            ],
            &over,
        ),
        (&["--header", "Expect: 100-continue"], &over),
        (&["--header", "Expect: 100-continue"], &huge),
        (&["--http2-prior-knowledge"], &excess),
    ];
    for (options, body) in kinds {
        let (status, answer) = post(&url, options, body);
        assert_eq!(
            answer, "{\"error\":\"the body may have 100000 bytes\"}\n",
            "{options:?}"
        );
        assert_eq!(status, "413");
    }
    let mut just = br#"{"values": [5]}"#.to_vec();
    just.resize(100_000, b' ');
    assert_eq!(post(&url, &[], &just).0, "200");
}

#[test]
fn a_client_that_is_slow_to_ask_is_disconnected_and_others_are_served() {
    let server = Server::start(&["--limit", "0.3"]);
    let silent = server.connect();
    let half_a_head = server.connect();
    write!(&half_a_head, "GET / HTTP/1.1\r\nHost: pe").unwrap();
    let half_a_preface = server.connect();
    write!(&half_a_preface, "PRI * HTTP/2.0\r\n").unwrap();
    let idle = server.connect();
    write!(&idle, "GET / HTTP/1.1\r\nHost: petla\r\n\r\n").unwrap();
    server.assert_lives();
    assert_eq!(rest(&silent), "");
    assert_eq!(rest(&half_a_head), "");
    assert_eq!(rest(&half_a_preface), "");
    assert!(rest(&idle).ends_with("\r\n\r\nhello over HTTP/1.1\n"));
    server.assert_lives();
}

#[test]
fn a_head_that_comes_byte_by_byte_has_no_more_time_than_another() {
    let server = Server::start(&["--limit", "0.3"]);
    let mut stream = server.connect();
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let begin = Instant::now();
    // A byte now and then: the pause is a read that finds nothing, until it finds the end.
    let mut head = b"GET / HTTP/1.1\r\nX: "
        .iter()
        .chain(std::iter::repeat(&b'x'));
    while begin.elapsed() < LIMIT {
        let sent = stream.write_all(&[*head.next().unwrap()]);
        let is_over = match stream.read(&mut [0; 100]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        };
        if sent.is_err() || is_over {
            break;
        }
    }
    assert!(begin.elapsed() < LIMIT / 2, "it may go on for ever");
    server.assert_lives();
}

#[test]
fn a_body_that_comes_too_slowly_is_408() {
    let server = Server::start(&["--limit", "0.3"]);
    let stream = server.connect();
    let head = "POST /mean HTTP/1.1\r\nHost: petla\r\nContent-Length: 9\r\n\r\n";
    write!(&stream, "{head}{{").unwrap();
    let text = rest(&stream);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("the body took longer than 300ms"), "{text}");
    server.assert_lives();
}

#[test]
fn what_is_not_http_is_refused_and_others_are_served() {
    let server = Server::start(&[]);
    let stream = server.connect();
    stream.set_nodelay(true).unwrap();
    (&stream)
        .write_all(b"\x16\x03\x01\x00\xff hello\r\n\r\n")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let text = rest(&stream);
    assert!(text.starts_with("HTTP/1.1 400 "), "{text:?}");
    server.assert_lives();
}

#[test]
fn more_clients_than_places_are_all_served() {
    let server = Server::start(&["--clients", "20"]);
    let clients: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    for mut client in &clients {
        write!(
            client,
            "GET / HTTP/1.1\r\nHost: petla\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
    }
    for client in &clients {
        assert!(rest(client).ends_with("hello over HTTP/1.1\n"));
    }
    assert_eq!(server.end(), "200 requests served, 0 connections aborted");
}

#[test]
fn requests_on_one_connection_of_http2_run_at_once() {
    let server = Server::start(&[]);
    let begin = Instant::now();
    petla::run(async {
        let stream = petla::net::TcpStream::connect(server.address)
            .await
            .unwrap();
        let handshake = http2::handshake(LoopExecutor::new(), stream);
        let (sender, connection) = handshake.await.unwrap();
        spawn(async move { connection.await.unwrap() }).detach();
        let request = Request::get(server.url("/nap/400")).body(Empty::<Bytes>::new());
        let request = request.unwrap();
        let nap = || sender.clone().send_request(request.clone());
        for response in gather((0..50).map(|_| nap())).await {
            assert_eq!(response.unwrap().status(), 200);
        }
    });
    assert!(begin.elapsed() < 25 * Duration::from_millis(400));
    assert_eq!(server.end(), "50 requests served, 0 connections aborted");
}

/// A connection whose handler runs, and waits for fifteen bytes.
fn busy(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    let head = "POST /mean HTTP/1.1\r\nHost: petla\r\nContent-Length: 15\r\n";
    write!(stream, "{head}Expect: 100-continue\r\n\r\n").unwrap();
    let mut word = [0; 25];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(word, *b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn a_request_under_way_is_answered_when_the_program_is_told_to_end() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&[]);
        let idle = server.connect();
        let mut busy = busy(&server);
        server.program.signal(signal);
        assert_eq!(rest(&idle), "");
        wait_for("nobody is accepted any more", LIMIT, || {
            TcpStream::connect(server.address).is_err()
        });
        assert!(!server.program.has_exited());
        busy.write_all(br#"{"values": [3]}"#).unwrap();
        let text = rest(&busy);
        assert!(text.ends_with("{\"count\":1,\"mean\":3.0}\n"), "{text}");
        assert_eq!(server.program.wait_exit().code(), Some(0));
        let last = server.program.lines().pop().unwrap();
        assert_eq!(last, "1 requests served, 0 connections aborted");
    }
}

#[test]
fn a_request_that_takes_too_long_does_not_keep_the_program_from_its_end() {
    let server = Server::start(&["--patience", "0.2"]);
    let busy = busy(&server);
    assert_eq!(server.end(), "0 requests served, 1 connections aborted");
    assert_eq!(rest(&busy), "");
}

#[test]
fn what_cannot_be_done_is_said_and_the_exit_code_is_1() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let taken = format!("port {port} cannot be used: try another");
    let wrong = [
        (["--port", &port], taken.as_str()),
        (["--port", "http"], "--port wants a number"),
        (["--limit", "-1"], "--limit wants a number of seconds"),
        (["--clients", "0"], "--clients 0 serves nobody"),
        (["--speed", "9"], "usage: petla-http-server"),
    ];
    for (arguments, message) in wrong {
        let mut command = Command::new(env!("CARGO_BIN_EXE_petla-http-server"));
        command.args(arguments);
        let mut program = Program::start(command);
        assert_eq!(program.wait_exit().code(), Some(1));
        let text = program.lines().join("\n");
        assert!(text.contains(message), "{text}");
    }
}
