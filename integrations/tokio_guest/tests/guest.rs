//! tokio as a guest: what the two lines give, what happens without them, and how it ends.
//!
//! ```text
//! $ cargo test -p petla-tokio-guest
//! ```
//!
//! The texts of tokio's panics are checked, since people search for them.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;
use std::{io, thread};

use petla::local::Event;
use petla::net::TcpListener;
use petla::{spawn, timeout};
use petla_testbed::{Program, free_port};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

/// For what is sure to come.
const LIMIT: Duration = Duration::from_secs(30);
/// What the guide tells people to search for.
const NO_REACTOR: &str =
    "there is no reactor running, must be called from the context of a Tokio 1.x runtime";

fn one_worker() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// The message of the panic that `body` must end in.
fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(body)) else {
        panic!("there was no panic");
    };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(other) => other.downcast_ref::<&str>().unwrap().to_string(),
    }
}

fn program(arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-tokio-guest"));
    command.args(arguments);
    Program::start(command)
}

#[test]
fn the_program_uses_all_of_tokio_from_the_loops_own_thread() {
    let mut guest = program(&[]);
    let status = guest.wait_exit();
    let lines = guest.lines();
    assert!(status.success(), "{lines:#?}");
    let [pages, timers, channel, blocking] = &lines[..] else {
        panic!("four lines, not {lines:#?}");
    };
    assert!(pages.starts_with("reqwest: 20 pages, 180 bytes,"));
    assert!(pages.ends_with("every task on main"));
    assert!(timers.ends_with("a page that never comes: deadline has elapsed"));
    assert!(channel.starts_with("tokio::spawn: counted to 10000 on tokio-"));
    assert!(channel.ends_with("came to main: 50005000"));
    assert!(blocking.contains("9592 primes below 100000, found on tokio-"));
}

#[test]
fn a_server_that_does_not_run_and_a_wrong_argument_have_a_message_and_a_code() {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let mut guest = program(&[&url]);
    assert_eq!(guest.wait_exit().code(), Some(1));
    guest.wait_for_line(&format!("no answer; does a server run at {url}?"));
    guest.wait_for_line("refused");

    let mut guest = program(&["--help"]);
    assert_eq!(guest.wait_exit().code(), Some(2));
    guest.wait_for_line("usage: petla-tokio-guest");
}

#[test]
fn without_the_context_the_panic_says_that_no_reactor_runs() {
    let sleep = || petla::run(async { tokio::time::sleep(Duration::ZERO).await });
    assert_eq!(panic_of(sleep), NO_REACTOR);
    let connect = || petla::run(tokio::net::TcpStream::connect("127.0.0.1:1"));
    assert_eq!(panic_of(connect), NO_REACTOR);
    let port = free_port();
    let fetch = || petla::run(reqwest::get(format!("http://127.0.0.1:{port}/")));
    assert_eq!(panic_of(fetch), NO_REACTOR);
}

#[test]
#[expect(
    clippy::let_underscore_must_use,
    reason = "this mistake is the subject"
)]
fn a_context_that_is_not_kept_is_none() {
    let tokio = one_worker();
    let _ = tokio.enter();
    let sleep = || petla::run(async { tokio::time::sleep(Duration::ZERO).await });
    assert_eq!(panic_of(sleep), NO_REACTOR);
}

/// The client's connection and its task on tokio's thread are gone when the limit has passed.
#[test]
fn a_request_that_is_given_up_leaves_nothing_behind() {
    let tokio = one_worker();
    let _context = tokio.enter();
    petla::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let asked = Rc::new(Event::new());
        let (told, alive) = (Rc::clone(&asked), Rc::new(()));
        let server = spawn(async move {
            let (client, _) = listener.accept().await?;
            let mut buffer = [0; 1024];
            client.read(&mut buffer).await?;
            told.set();
            client.read(&mut buffer).await // 0 when the client has closed it
        });
        let client = reqwest::Client::new();
        let held = Rc::clone(&alive);
        let fetch = async {
            let _held = held;
            client.get(&url).send().await.map(drop)
        };
        let given_up = petla::CancelScope::new();
        let handle = given_up.clone();
        let canceller = spawn(async move {
            asked.wait().await;
            handle.cancel("not wanted any more")
        });
        let result = timeout(LIMIT, given_up.run(async |_| fetch.await)).await?;
        assert!(result.is_err(), "it was cancelled");
        assert!(canceller.await?);
        assert_eq!(Rc::strong_count(&alive), 1, "the future is gone");
        assert_eq!(
            timeout(LIMIT, server).await???,
            0,
            "the connection is closed"
        );
        timeout(LIMIT, async {
            while tokio.metrics().num_alive_tasks() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await?;
        io::Result::Ok(())
    })
    .unwrap();
}

/// reqwest's own limit is tokio's timer, petla's is the loop's: both end a request.
#[test]
fn limits_of_both_kinds_end_a_request() {
    let tokio = one_worker();
    let _context = tokio.enter();
    petla::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?; // accepts nobody
        let url = format!("http://{}/", listener.local_addr()?);
        let short = Duration::from_millis(20);
        let client = reqwest::Client::builder().timeout(short).build().unwrap();
        assert!(client.get(&url).send().await.unwrap_err().is_timeout());
        let elapsed = timeout(short, reqwest::get(&url)).await;
        assert_eq!(elapsed.unwrap_err().to_string(), "deadline has elapsed");
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn ten_thousand_messages_each_way_wake_each_other() {
    const MESSAGES: u64 = 10_000;
    let tokio = one_worker();
    let _context = tokio.enter();
    petla::run(async {
        // One at a time, so that each side waits for the other again and again.
        let (to_guest, mut asked) = mpsc::channel::<u64>(1);
        let (answer, mut from_guest) = mpsc::channel(1);
        let guest = tokio::spawn(async move {
            let mut count = 0;
            while let Some(number) = asked.recv().await {
                answer.send(number * 2).await.unwrap();
                count += 1;
            }
            count
        });
        let seen = Rc::new(RefCell::new(Vec::new()));
        let filled = Rc::clone(&seen);
        let host = spawn(async move {
            for number in 0..MESSAGES {
                to_guest.send(number).await.unwrap();
                let answer = from_guest.recv().await.unwrap();
                filled.borrow_mut().push(answer);
            }
        });
        timeout(LIMIT, host)
            .await
            .expect("no wake is lost")
            .unwrap();
        assert_eq!(guest.await.unwrap(), MESSAGES);
        assert!(
            seen.borrow()
                .iter()
                .copied()
                .eq((0..MESSAGES).map(|n| n * 2))
        );
    });
}

#[test]
fn a_flood_from_tokio_keeps_its_order_while_the_loop_does_other_things() {
    const MESSAGES: u32 = 10_000;
    let tokio = one_worker();
    let _context = tokio.enter();
    petla::run(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (begin, wait) = oneshot::channel();
        let flood = tokio::spawn(async move {
            wait.await.unwrap();
            (0..MESSAGES).for_each(|number| sender.send(number).unwrap());
        });
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        let other = spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                petla::yield_now().await;
            }
        });
        begin.send(()).unwrap();
        let mut expected = 0;
        while let Some(number) = receiver.recv().await {
            assert_eq!(number, expected);
            expected += 1;
        }
        assert_eq!(expected, MESSAGES);
        flood.await.unwrap();
        other.cancel("the flood is over");
        assert!(turns.get() > 0);
    });
}

#[test]
fn a_blocking_call_runs_elsewhere_and_its_panic_is_an_error() {
    let tokio = one_worker();
    let _context = tokio.enter();
    petla::run(async {
        let here = thread::current().id();
        let there = tokio::task::spawn_blocking(|| thread::current().id());
        assert_ne!(there.await.unwrap(), here);
        let panic = tokio::task::spawn_blocking(|| panic!("on purpose")).await;
        assert!(panic.unwrap_err().is_panic());
    });
}

/// The order of `main`: the loop ends, its tasks are dropped, then the context, then the runtime.
#[test]
fn what_the_loop_leaves_behind_does_not_hold_up_the_runtimes_end() {
    let tokio = one_worker();
    let context = tokio.enter();
    let (kept, mut pending) = mpsc::channel::<()>(1);
    petla::run(async move {
        drop(spawn(async move { pending.recv().await }));
        spawn(tokio::time::sleep(LIMIT)).detach();
        drop(tokio::spawn(std::future::pending::<()>()));
        petla::yield_now().await;
    });
    assert!(kept.is_closed(), "the receiver went with the loop's tasks");
    drop(context);
    drop(tokio); // drops its tasks and joins its worker
}

/// The wrong order: a runtime that ends before the loop takes its timers with it.
#[test]
fn a_runtime_that_ends_first_makes_its_timers_panic() {
    let tokio = one_worker();
    let handle = tokio.handle().clone();
    let _context = handle.enter();
    let message = panic_of(|| {
        petla::run(async move {
            let sleep = tokio::time::sleep(Duration::from_millis(1));
            drop(tokio);
            sleep.await;
        })
    });
    assert!(message.contains("shut"), "{message}");
}
