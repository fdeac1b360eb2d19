//! Programs against the public interface, as a user would write them: each must compile as it
//! stands, and run to its end.
//!
//! # Not here
//! What they print: the tests of each part look at results.

mod common;

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
mod p10_tests {
    include!("api/p10_tests.rs");

    #[test]
    fn tests_are_written_like_this() {
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
