//! Server and client against each other, against curl, and against peers that are not right.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use petla_testbed::Program;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_petla-https");
const LIMIT: Duration = Duration::from_secs(20);

struct Server {
    program: Program,
    port: u16,
    folder: TempDir,
}

impl Server {
    fn start(options: &[&str]) -> Server {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--port", "0", "--certificate"])
            .arg(folder.path().join("cert.pem"))
            .args(options);
        let mut program = Program::start(command);
        let line = program.wait_for_line("https://localhost:");
        let rest = line.strip_prefix("https://localhost:").unwrap();
        let port = rest.split('/').next().unwrap().parse().unwrap();
        Server {
            program,
            port,
            folder,
        }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    fn assert_lives(&self) {
        let (code, text) = get(&self.url(), &self.certificate());
        assert_eq!((code, &*text), (0, "hello over HTTP/2.0 and TLSv1_3"));
    }
}

/// The exit code of our client, and what it printed.
fn get(url: &str, certificate: &PathBuf) -> (i32, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["get", url, "--certificate"]).arg(certificate);
    let mut program = Program::start(command);
    let code = program.wait_exit().code().unwrap();
    (code, program.lines().join("\n"))
}

/// The exit code of curl, and what it printed.
fn curl(url: &str, options: &[&str]) -> (i32, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "20", "--noproxy", "*", url]);
    let output = command.args(options).output();
    let output = output.expect("curl runs: install Debian's package curl");
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn curl_gets_the_page_in_both_versions_if_it_trusts_the_certificate() {
    let server = Server::start(&[]);
    let certificate = server.certificate();
    let trust = ["--cacert", certificate.to_str().unwrap()];
    for (option, version) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
        let (code, text) = curl(&server.url(), &[trust[0], trust[1], option]);
        assert_eq!(
            (code, text),
            (0, format!("hello over {version} and TLSv1_3\n"))
        );
    }
    let old = ["--tls-max", "1.2", "--http1.1"];
    let (code, text) = curl(&server.url(), &[&trust[..], &old].concat());
    assert_eq!((code, &*text), (0, "hello over HTTP/1.1 and TLSv1_2\n"));
    let (code, _) = curl(&server.url(), &[]);
    assert_eq!(code, 60, "nobody else vouches for it");
}

#[test]
fn the_client_trusts_one_certificate_for_name_and_address() {
    let server = Server::start(&[]);
    server.assert_lives();
    let url = format!("https://127.0.0.1:{}/", server.port);
    assert_eq!(get(&url, &server.certificate()).0, 0);
    let url = format!("{}elsewhere", server.url());
    let (code, text) = get(&url, &server.certificate());
    assert_eq!((code, text), (1, format!("{url}: 404 Not Found\nnot here")));
}

#[test]
fn a_server_with_another_certificate_is_refused() {
    let (server, other) = (Server::start(&[]), Server::start(&[]));
    let (code, text) = get(&server.url(), &other.certificate());
    assert_eq!(code, 1);
    let why = format!(
        "the server is not the one of {}",
        other.certificate().display()
    );
    assert!(
        text.starts_with(&format!("{}: {why}: ", server.url())),
        "{text}"
    );
    server.assert_lives();
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let server = Server::start(&[]);
    let file = server.folder.path().join("other");
    let (code, text) = get(&server.url(), &file);
    assert_eq!(code, 1);
    assert!(text.contains("cannot read the certificate"), "{text}");
    fs::write(&file, "-----BEGIN CERTIFICATE-----\nno\n").unwrap();
    let (code, text) = get(&server.url(), &file);
    assert_eq!(code, 1);
    assert!(text.contains("/other holds no certificate"), "{text}");
}

#[test]
fn a_client_without_tls_is_sent_away_and_others_are_served() {
    let mut server = Server::start(&[]);
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    // An alert, and then the end or a reset, as the system likes.
    drop(stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP"));
    server.program.wait_for_line("no TLS handshake: ");
    server.assert_lives();
}

#[test]
fn a_client_that_says_nothing_is_disconnected_and_others_are_served() {
    let mut server = Server::start(&["--limit", "0.2"]);
    let mut silent = server.connect();
    let mut half = server.connect();
    half.write_all(b"\x16\x03\x01\x02").unwrap(); // the head of a greeting, and no more
    server.assert_lives();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert_eq!(half.read(&mut [0]).unwrap(), 0);
    server
        .program
        .wait_for_line("no TLS handshake within 200ms");
    server
        .program
        .wait_for_line("no TLS handshake within 200ms");
    server.assert_lives();
}

#[test]
fn the_server_ends_in_order_and_nobody_keeps_it() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&[]);
        let mut silent = server.connect();
        server.assert_lives();
        server.program.signal(signal);
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        assert_eq!(server.program.wait_exit().code(), Some(0));
        assert_eq!(server.program.lines().pop().unwrap(), "all are served");
        let (code, text) = get(&server.url(), &server.certificate());
        assert_eq!(code, 1);
        let why = format!("there is no way to localhost:{}", server.port);
        assert!(text.contains(&why), "{text}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_told_from_one_with_the_wrong_certificate() {
    let certificate = Server::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let url = format!("https://127.0.0.1:{port}/");
    let (code, text) = get(&url, &certificate.certificate());
    assert_eq!(code, 1);
    assert!(text.contains("the server does not speak TLS"), "{text}");
}

#[test]
fn arguments_that_make_no_sense_give_2_and_the_usage() {
    let wrong: [(&[&str], &str); 5] = [
        (&[], "serve or get?"),
        (&["serve"], "--certificate wants a file"),
        (&["get", "--certificate", "a"], "a URL is missing"),
        (
            &["get", "http://localhost/"],
            "http://localhost/ is not known",
        ),
        (&["serve", "--port", "x"], "--port wants a number"),
    ];
    for (arguments, message) in wrong {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        let mut program = Program::start(command);
        assert_eq!(program.wait_exit().code(), Some(2));
        assert_eq!(program.lines()[0], message);
        assert!(program.lines()[1].starts_with("usage: petla-https serve "));
    }
}
