//! Each server starts, answers, keeps its data over a restart and a crash, and leaves nothing.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use petla_testbed::{Nats, Postgres, RabbitMq, Redis, Server, wait_for};

const LIMIT: Duration = Duration::from_secs(20);

/// What a server could leave behind: processes that mention its folder or its port, and files.
struct Traces {
    folder: PathBuf,
    port: u16,
}

impl Traces {
    fn of(server: &Server) -> Traces {
        let (folder, port) = (server.folder().to_owned(), server.port());
        let traces = Traces { folder, port };
        assert!(traces.folder.is_dir());
        assert!(!traces.processes().is_empty(), "it runs, and is seen");
        traces
    }

    /// The command lines of all who have the folder in their arguments or in their environment.
    fn processes(&self) -> Vec<String> {
        let folder = self.folder.to_str().unwrap();
        let mentions = |process: &Path| {
            let has = |name: &str| {
                let text = fs::read(process.join(name)).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(folder)
            };
            has("environ") || has("cmdline")
        };
        let all = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let found = all.filter(|process| mentions(process));
        let command = |process: PathBuf| fs::read_to_string(process.join("cmdline"));
        found.filter_map(|process| command(process).ok()).collect()
    }

    #[track_caller]
    fn are_gone(&self) {
        assert!(!self.folder.exists(), "{} is left", self.folder.display());
        assert_eq!(self.processes(), [""; 0]);
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }
}

#[test]
fn postgres_keeps_its_rows_and_leaves_nothing() {
    let mut postgres = Postgres::start();
    let traces = Traces::of(&postgres);
    postgres.sql("CREATE TABLE users (name text, born date)");
    postgres.sql("INSERT INTO users VALUES ('Bob', '1984-03-01')");
    postgres.restart();
    assert_eq!(postgres.sql("SELECT * FROM users"), "Bob|1984-03-01");
    postgres.kill();
    postgres.restart();
    assert_eq!(postgres.sql("SELECT count(*) FROM users"), "1");
    postgres.kill();
    drop(postgres);
    traces.are_gone();
}

#[test]
fn postgres_refuses_a_wrong_password() {
    let postgres = Postgres::start();
    let url = postgres.url().replace(Postgres::PASSWORD, "wrong");
    let psql = Command::new("psql").args(["-c", "SELECT 1", &url]).output();
    let psql = psql.unwrap();
    let message = String::from_utf8_lossy(&psql.stderr);
    assert!(!psql.status.success());
    assert!(
        message.contains("password authentication failed"),
        "{message}"
    );
}

#[test]
fn redis_keeps_its_keys_and_leaves_nothing() {
    let mut redis = Redis::start();
    let traces = Traces::of(&redis);
    redis.cli(&["SET", "key", "value"]);
    redis.restart();
    assert_eq!(redis.cli(&["GET", "key"]), "value");
    redis.kill();
    assert_eq!(redis.pid(), None);
    redis.restart();
    assert_eq!(redis.cli(&["GET", "key"]), "value");
    drop(redis);
    traces.are_gone();
}

#[test]
fn redis_refuses_who_does_not_know_the_password() {
    let redis = Redis::start_with_password("sesame");
    assert_eq!(redis.cli(&["PING"]), "PONG");
    let stranger = Command::new("redis-cli")
        .args(["-p", &redis.port().to_string(), "PING"])
        .output();
    let answer = String::from_utf8(stranger.unwrap().stdout).unwrap();
    assert!(answer.starts_with("NOAUTH"), "{answer}");
}

#[test]
fn rabbitmq_keeps_its_queues_and_leaves_nothing() {
    let mut rabbitmq = RabbitMq::start();
    let traces = Traces::of(&rabbitmq);
    let port = rabbitmq.port();
    assert!(Amqp::connect(port).declare_queue(false), "it is made");
    rabbitmq.restart();
    assert_eq!(rabbitmq.port(), port);
    assert!(Amqp::connect(port).declare_queue(true), "it is there");
    rabbitmq.kill();
    rabbitmq.restart();
    assert!(Amqp::connect(port).declare_queue(true), "it is there");
    drop(rabbitmq);
    traces.are_gone();
}

#[test]
fn nats_keeps_its_streams_and_leaves_nothing() {
    let mut nats = Nats::start();
    let traces = Traces::of(&nats);
    let config = r#"{"name":"jobs","subjects":["jobs.*"],"storage":"file"}"#;
    let made = nats_request(nats.port(), "$JS.API.STREAM.CREATE.jobs", config);
    assert!(made.contains(r#""did_create":true"#), "{made}");
    let stored = nats_request(nats.port(), "jobs.first", "work");
    assert!(stored.contains(r#""seq":1"#), "{stored}");
    for end in [Server::stop, Server::kill] {
        end(&mut nats);
        nats.restart();
        let info = nats_request(nats.port(), "$JS.API.STREAM.INFO.jobs", "");
        assert!(info.contains(r#""messages":1"#), "{info}");
    }
    drop(nats);
    traces.are_gone();
}

#[test]
fn nats_refuses_who_does_not_know_the_password() {
    let nats = Nats::start_with_password("sesame");
    assert!(nats.url().contains("petla:sesame@"));
    let mut stream = TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
        .write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains("-ERR 'Authorization Violation'"),
        "{answer}"
    );
}

#[test]
fn servers_of_one_kind_do_not_meet() {
    let (one, other) = (Redis::start(), Redis::start());
    one.cli(&["SET", "key", "value"]);
    assert_ne!(one.port(), other.port());
    assert_eq!(other.cli(&["EXISTS", "key"]), "0");
}

/// The answer to one request, in NATS' own words.
fn nats_request(port: u16, subject: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    let request = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB answers 1\r\n\
         PUB {subject} answers {length}\r\n{body}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    wait_for("an answer", LIMIT, || {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap();
        answer += &String::from_utf8_lossy(&buffer[..length]);
        answer
            .split_once("MSG ")
            .is_some_and(|(_, rest)| rest.contains("}\r\n"))
    });
    answer
}

/// As much of AMQP 0-9-1 as it takes to declare a durable queue.
struct Amqp(TcpStream);

impl Amqp {
    fn connect(port: u16) -> Amqp {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut amqp = Amqp(stream);
        amqp.0.write_all(b"AMQP\0\0\x09\x01").unwrap();
        assert_eq!(amqp.method(), (10, 10)); // start
        let login = b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US";
        amqp.send(0, (10, 11), login); // start-ok
        assert_eq!(amqp.method(), (10, 30)); // tune
        amqp.send(0, (10, 31), &[0, 1, 0, 2, 0, 0, 0, 0]); // tune-ok
        amqp.send(0, (10, 40), b"\x01/\0\0"); // open
        assert_eq!(amqp.method(), (10, 41));
        amqp.send(1, (20, 10), b"\0"); // channel.open
        assert_eq!(amqp.method(), (20, 11));
        amqp
    }

    /// With `passive` only asks whether it exists.
    fn declare_queue(&mut self, passive: bool) -> bool {
        let bits = if passive { 0b11 } else { 0b10 }; // passive, durable
        self.send(
            1,
            (50, 10),
            &[b"\0\0\x04jobs", &[bits][..], &[0; 4]].concat(),
        );
        self.method() == (50, 11) // declare-ok
    }

    fn send(&mut self, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
        let mut frame = vec![1];
        frame.extend(channel.to_be_bytes());
        frame.extend((arguments.len() as u32 + 4).to_be_bytes());
        frame.extend(class.to_be_bytes());
        frame.extend(method.to_be_bytes());
        frame.extend(arguments);
        frame.push(0xce);
        self.0.write_all(&frame).unwrap();
    }

    /// Class and method of the next frame.
    fn method(&mut self) -> (u16, u16) {
        let mut head = [0; 11];
        self.0.read_exact(&mut head).unwrap();
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut rest = vec![0; length as usize - 4 + 1];
        self.0.read_exact(&mut rest).unwrap();
        (number(7), number(9))
    }
}
