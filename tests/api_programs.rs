//! Programs against the public interface, as a user would write them: each must compile as it
//! stands, and run to its end.
//!
//! # Not here
//! What they print: the tests of each part look at results.

mod common;

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use common::{LONG, alone_command};

/// Where all of the echo servers listen.
const ADDRESS: &str = "127.0.0.1:8888";

/// Starts an echo server, the body of the calling test, talks to it, and asks it to end while one
/// client is connected; `noticed` waits until it has heard of that. What it printed.
fn talk_to_echo_server(
    main: fn() -> io::Result<()>,
    noticed: impl FnOnce(&mut dyn BufRead) -> String,
) -> Option<String> {
    static PORT: Mutex<()> = Mutex::new(());
    let mut command = alone_command(|| main().unwrap())?;
    let _alone = PORT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = TcpListener::bind(ADDRESS) {
        eprintln!("skipped: {ADDRESS}: {error}");
        return None;
    }
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let begin = Instant::now();
    let mut client = loop {
        match TcpStream::connect(ADDRESS) {
            Ok(client) => break client,
            Err(error) => assert!(begin.elapsed() < LONG, "{error}"),
        }
        std::thread::yield_now();
    };
    echo(&mut client, b"hello");
    // SAFETY: takes numbers; the process is a child that nobody has waited for.
    unsafe { libc::kill(server.id() as i32, libc::SIGTERM) };
    let mut said = noticed(&mut stdout);
    echo(&mut client, b"again");
    drop(client);
    stdout.read_to_string(&mut said).unwrap();
    assert!(server.wait().unwrap().success(), "{said}");
    Some(said)
}

fn echo(client: &mut TcpStream, text: &[u8; 5]) {
    client.write_all(text).unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, text);
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p01_producer_consumer {
    include!("api/p01_producer_consumer.rs");

    #[test]
    fn two_producers_feed_a_consumer() {
        main();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p01b_spawned {
    include!("api/p01b_spawned.rs");

    #[test]
    fn the_same_with_tasks() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p01c_group {
    include!("api/p01c_group.rs");

    #[test]
    fn a_group_joins_its_producers_and_shuts_the_queue_down() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p02_echo_server {
    use super::{BufRead, talk_to_echo_server};

    include!("api/p02_echo_server.rs");

    #[test]
    fn an_echo_server_lets_its_clients_finish() {
        let noticed = |stdout: &mut dyn BufRead| {
            let mut line = String::new();
            while !line.contains("closing") && stdout.read_line(&mut line).unwrap() > 0 {}
            line
        };
        if let Some(said) = talk_to_echo_server(main, noticed) {
            assert!(said.contains("closing 1 connections"), "{said}");
        }
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p02b_streams {
    use super::{ADDRESS, BufRead, Instant, LONG, talk_to_echo_server};
    use std::net::TcpStream;

    include!("api/p02b_streams.rs");

    #[test]
    fn a_stream_server_lets_its_clients_finish() {
        let noticed = |_: &mut dyn BufRead| {
            let begin = Instant::now();
            while TcpStream::connect(ADDRESS).is_ok() {
                assert!(begin.elapsed() < LONG, "it still listens");
            }
            String::new()
        };
        if let Some(said) = talk_to_echo_server(main, noticed) {
            assert!(said.contains("0 connections aborted"), "{said}");
        }
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p03_fetch_many {
    use super::common::{alone_command, text};
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    include!("api/p03_fetch_many.rs");

    /// Answers each request on port 80 and counts them.
    fn serve(listener: TcpListener) -> Arc<AtomicUsize> {
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 18];
                // Those that are given up send none.
                if stream.read_exact(&mut request).is_ok() {
                    stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
                    count.fetch_add(1, SeqCst);
                }
            }
        });
        served
    }

    /// The program needs port 80 of a hundred addresses of this machine, and two hosts that are
    /// called `a` and `b`.
    fn run_it() {
        let bound = TcpListener::bind("0.0.0.0:80");
        let taken = |error: &io::Error| error.kind() == ErrorKind::AddrInUse;
        let somebody_else = bound.as_ref().is_err_and(taken);
        let served = bound.ok().map(serve);
        let first = TcpStream::connect("127.0.0.0:80").map(drop);
        let end = main();
        match (first, served) {
            // Whatever that one answers.
            _ if somebody_else => {}
            (Ok(_), Some(served)) => assert!(served.load(SeqCst) >= 400, "{end:?}"),
            (Ok(_), None) => panic!("who answers?"),
            // `try_gather` gives it.
            (Err(error), _) => assert_eq!(end.unwrap_err().kind(), error.kind()),
        }
    }

    #[test]
    fn a_hundred_pages_are_fetched_in_four_ways() {
        let Some(mut command) = alone_command(run_it) else {
            return;
        };
        // Nobody knows `a` and `b`: do not wait for long.
        let output = command.env("RES_OPTIONS", "timeout:1 attempts:1").output();
        let output = output.unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p04_wait_first {
    include!("api/p04_wait_first.rs");

    #[test]
    fn the_first_good_answer_wins() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p05_task_group {
    include!("api/p05_task_group.rs");

    #[test]
    fn the_failed_group_at_its_end_says_what_failed() {
        let error = main().unwrap_err().to_string();
        assert!(error.starts_with("a task failed: task-"), "{error}");
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p06_condition {
    include!("api/p06_condition.rs");

    #[test]
    fn a_buffer_stands_on_a_lock_and_two_conditions() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p07_worker_pool {
    include!("api/p07_worker_pool.rs");

    #[test]
    fn workers_take_jobs_by_priority() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p08_cancel_scopes {
    include!("api/p08_cancel_scopes.rs");

    #[test]
    fn scopes_end_in_every_way() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p09_threads {
    include!("api/p09_threads.rs");

    #[test]
    fn work_goes_to_threads_and_back() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p10_tests {
    include!("api/p10_tests.rs");

    #[test]
    fn tests_are_written_like_this() {
        main();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p11_send {
    include!("api/p11_send.rs");

    #[test]
    fn what_frameworks_ask_for_compiles() {
        main();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p12_borrow {
    include!("api/p12_borrow.rs");

    #[test]
    fn borrowing_works_up_to_the_queue_that_is_shut_down() {
        let end = std::panic::catch_unwind(main).unwrap_err();
        let message = end.downcast_ref::<String>().unwrap();
        assert!(message.contains("ShutDown"), "{message}");
    }
}

#[allow(clippy::all, unused, reason = "a program as its author wrote it")]
mod p13_errors {
    include!("api/p13_errors.rs");

    #[test]
    fn errors_convert_by_the_question_mark() {
        main();
        assert_eq!(
            petla::run(f())
                .unwrap_err()
                .to_string()
                .contains("No such file"),
            true
        );
        assert_eq!(petla::run(g()).unwrap(), 5);
        assert_eq!(petla::run(h()).unwrap(), 3);
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p15_select {
    include!("api/p15_select.rs");

    #[test]
    fn select_runs_without_a_loop() {
        main();
    }
}
