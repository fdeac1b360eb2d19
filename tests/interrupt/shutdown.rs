//! The example `graceful_shutdown`, from its first step to its exit code.

use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::send::{SIGINT, SIGTERM, kill, raise};
use crate::common::{LONG, alone_command};

#[path = "../../examples/graceful_shutdown.rs"]
#[allow(
    dead_code,
    reason = "its main() reads the arguments of another program"
)]
mod example;

/// The example in a process of its own, and what it prints.
struct Running {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    /// Starts the example; nothing in that process itself.
    fn start(limit: Option<Duration>) -> Option<Running> {
        let body = || {
            thread::spawn(|| {
                thread::sleep(LONG);
                std::process::exit(99) // it hangs
            });
            std::process::exit(example::run(limit).unwrap().into())
        };
        let mut command = alone_command(body)?;
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Some(Running { process, out })
    }

    /// The rest of the next line with `step` in it; the test runner begins the first one.
    fn wait_for(&mut self, step: &str) -> String {
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.trim_end().split_once(step) {
                return rest.to_owned();
            }
            line.clear();
        }
        panic!("it ended before {step:?}");
    }

    fn signal(&self, signal: i32) {
        kill(self.process.id(), signal);
    }

    /// Everything that it still prints, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (rest, self.process.wait().unwrap().code())
    }
}

/// A client whom a worker waits for.
fn connect(address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let mut greeting = [0; 10];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"your turn\n");
    client
}

/// Sends a line and reads the answer to its end.
fn ask(mut client: TcpStream) {
    client.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HELLO\n");
}

#[test]
fn sigterm_serves_who_was_accepted_and_ends_with_0() {
    let Some(mut example) = Running::start(None) else {
        return;
    };
    let address = example.wait_for("bootstrap: listening on ");
    example.wait_for("running: ");
    let client = connect(&address);
    example.signal(SIGTERM);
    let cause = example.wait_for("shutdown: ");
    assert_eq!(cause, "the event loop was terminated by SIGTERM");
    example.wait_for("shutdown: the workers have 5s");
    assert!(TcpStream::connect(&address).is_err(), "nobody listens");
    ask(client);
    let (rest, code) = example.end();
    assert_eq!(
        (&rest[..], code),
        ("shutdown: 1 clients were served\n", Some(0))
    );
}

#[test]
fn ctrl_c_ends_with_130_and_a_second_one_does_not_wait() {
    for again in [false, true] {
        let Some(mut example) = Running::start(None) else {
            return;
        };
        let address = example.wait_for("bootstrap: listening on ");
        example.wait_for("running: ");
        let client = connect(&address);
        example.signal(SIGINT);
        example.wait_for("shutdown: the workers have 5s");
        if again {
            example.signal(SIGINT);
        } else {
            ask(client);
        }
        let (rest, code) = example.end();
        let expected = match again {
            false => ("shutdown: 1 clients were served\n", Some(130)),
            true => (
                "shutdown: cut short: the event loop was interrupted by SIGINT\n",
                Some(1),
            ),
        };
        assert_eq!((&rest[..], code), expected);
    }
}

#[test]
fn the_time_ends_it_too() {
    let Some(mut example) = Running::start(Some(Duration::ZERO)) else {
        return;
    };
    example.wait_for("running: ");
    let (rest, code) = example.end();
    let expected = "shutdown: the time is over\nshutdown: accepts nobody, 0 clients wait\n\
        shutdown: the workers have 5s\nshutdown: 0 clients were served\n";
    assert_eq!((&rest[..], code), (expected, Some(0)));
}

#[test]
fn a_main_ends_though_another_thread_holds_stdout_for_good() {
    let Some(mut command) = alone_command(|| {
        let (held, is_held) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let _lock = std::io::stdout().lock();
            held.send(()).unwrap();
            loop {
                thread::park();
            }
        });
        is_held.recv().unwrap();
        petla::__private::run_main(false, async {
            raise(SIGINT);
            pending::<()>().await
        });
    }) else {
        return;
    };
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(10);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > limit => {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
            None => thread::yield_now(),
        }
    };
    assert_eq!(status.signal(), Some(SIGINT));
}
