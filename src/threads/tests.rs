//! A pool by itself: with a short limit, and with a system that refuses threads.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::pool::{Pool, Start};
use super::to_thread::ToThread;
use super::worker;
use crate::error::JoinError;

/// Longer than anything takes; only what hangs takes so long.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

fn pool(idle_limit: Duration, start: Start) -> Arc<Pool> {
    let mut pool = Pool::new(40, "test");
    pool.idle_limit = idle_limit;
    pool.start = start;
    Arc::new(pool)
}

fn run<F, T>(pool: &Arc<Pool>, f: F) -> ToThread<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    ToThread::new(f, Some(pool.clone()), Location::caller())
}

fn eagain() -> io::Error {
    io::Error::from_raw_os_error(11)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park_timeout(LONG);
    }
}

/// Begins it, and leaves it.
fn begin<F: Future + Unpin>(future: &mut F) {
    let poll = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONG, "it never comes");
        thread::yield_now();
    }
}

/// Work that blocks until it is let go.
fn gate() -> (Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, opened): (Sender<()>, Receiver<()>) = channel();
    (open, move || opened.recv_timeout(LONG).unwrap())
}

#[test]
fn threads_that_are_idle_for_the_limit_end() {
    let pool = pool(SHORT, worker::start);
    let together = Arc::new(Barrier::new(3));
    let mut work: Vec<_> = (0..3)
        .map(|_| {
            let together = together.clone();
            Box::pin(run(&pool, move || together.wait().is_leader()))
        })
        .collect();
    work.iter_mut().for_each(begin);
    let leaders = work.into_iter().map(block_on).filter_map(Result::ok);
    assert_eq!(leaders.filter(|&leads| leads).count(), 1);
    assert!(pool.threads() <= 3);
    wait_until(|| pool.threads() == 0);
    assert_eq!(block_on(run(&pool, || 5)).unwrap(), 5, "one begins again");
}

#[test]
fn one_after_the_other_takes_one_thread() {
    let pool = pool(LONG, worker::start);
    let names: Vec<_> = (0..200)
        .map(|_| block_on(run(&pool, || thread::current().name().map(str::to_owned))).unwrap())
        .collect();
    assert_eq!(pool.threads(), 1);
    assert!(names.iter().all(|name| name.as_deref() == Some("test-1")));
    pool.close();
    wait_until(|| pool.threads() == 0);
}

#[test]
fn the_thread_that_became_idle_last_is_the_first_to_work() {
    let pool = pool(LONG, worker::start);
    let gates: Vec<_> = (0..3).map(|_| gate()).collect();
    let (mut opens, mut work) = (Vec::new(), Vec::new());
    let at_work = Arc::new(AtomicUsize::new(0));
    for (open, pass) in gates {
        opens.push(open);
        let counted = at_work.clone();
        let mut future = Box::pin(run(&pool, move || {
            counted.fetch_add(1, SeqCst);
            pass();
            thread::current().id()
        }));
        begin(&mut future);
        work.push(future);
    }
    // Else the first to be done may take the work of a thread that is still on its way.
    wait_until(|| at_work.load(SeqCst) == 3);
    for (idle, (open, future)) in (1..).zip(opens.into_iter().zip(work)) {
        open.send(()).unwrap();
        let last = block_on(future).unwrap();
        wait_until(|| pool.idle() == idle);
        let next = block_on(run(&pool, || thread::current().id())).unwrap();
        assert_eq!(next, last);
        wait_until(|| pool.idle() == idle);
    }
    pool.close();
}

#[test]
fn work_for_which_no_thread_starts_says_so_and_gives_its_place_back() {
    let pool = pool(LONG, |_, _| Err(eagain()));
    for _ in 0..2 {
        let refused = block_on(run(&pool, || unreachable!("it cannot run")));
        let JoinError::Cancelled(cancelled) = refused.unwrap_err() else {
            panic!("it did not run")
        };
        let reason = cancelled.reason().unwrap();
        assert!(reason.starts_with("no thread could be started for it: "));
        assert!(cancelled.location().file().ends_with("threads/tests.rs"));
        assert_eq!((pool.limiter.borrowed(), pool.working()), (0, 0));
    }
}

#[test]
fn work_for_which_no_thread_starts_waits_for_the_one_there_is() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let start: Start = |name, pool| match STARTED.fetch_add(1, SeqCst) {
        0 => worker::start(name, pool),
        _ => Err(eagain()),
    };
    let pool = pool(LONG, start);
    let (open, pass) = gate();
    let mut first = Box::pin(run(&pool, pass));
    begin(&mut first);
    let mut rest: Vec<_> = (0..10).map(|n| Box::pin(run(&pool, move || n))).collect();
    rest.iter_mut().for_each(begin);
    assert_eq!((pool.threads(), pool.working()), (1, 11));
    open.send(()).unwrap();
    block_on(first).unwrap();
    let numbers: Vec<_> = rest.into_iter().map(|one| block_on(one).unwrap()).collect();
    assert!(numbers.into_iter().eq(0..10));
    assert_eq!(STARTED.load(SeqCst), 11);
    pool.close();
}

/// Work that found a thread on its way, which then could not be started, goes to an idle one.
#[test]
fn work_that_relied_on_a_thread_that_was_refused_goes_to_an_idle_one() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    type Meanwhile = Box<dyn FnOnce(&Arc<Pool>) + Send>;
    static THIRD: Mutex<Option<Meanwhile>> = Mutex::new(None);
    let start: Start = |name, pool| match STARTED.fetch_add(1, SeqCst) {
        0 | 1 => worker::start(name, pool),
        _ => {
            let meanwhile = THIRD.lock().unwrap().take();
            meanwhile.expect("one is refused")(&pool);
            Err(eagain())
        }
    };
    let pool = pool(LONG, start);
    let (open_first, first) = gate();
    let (open_second, second) = gate();
    let (open_third, third) = gate();
    let mut blocked = (Box::pin(run(&pool, first)), Box::pin(run(&pool, second)));
    begin(&mut blocked.0);
    begin(&mut blocked.1);
    let (give, given) = channel();
    *THIRD.lock().unwrap() = Some(Box::new(move |pool| {
        open_first.send(()).unwrap();
        wait_until(|| pool.working() == 2); // the first worker is done, and took the third work
        open_second.send(()).unwrap();
        wait_until(|| pool.idle() == 1);
        let mut relying = Box::pin(run(pool, || 5));
        begin(&mut relying);
        give.send(relying).unwrap();
    }));
    let mut third = Box::pin(run(&pool, third));
    begin(&mut third);
    assert_eq!(block_on(given.recv().unwrap()).unwrap(), 5);
    open_third.send(()).unwrap();
    block_on(third).unwrap();
    pool.close();
}

#[test]
fn a_closed_pool_ends_its_threads_and_refuses_work() {
    let pool = pool(LONG, worker::start);
    let (open, pass) = gate();
    let mut under_way = Box::pin(run(&pool, pass));
    begin(&mut under_way);
    assert!(block_on(run(&pool, || ())).is_ok(), "a second thread");
    pool.close();
    wait_until(|| pool.threads() == 1);
    assert!(!pool.ended.is_set());
    let refused = block_on(run(&pool, || ())).unwrap_err();
    assert_eq!(refused.reason(), Some("its thread pool was shut down"));
    open.send(()).unwrap();
    block_on(under_way).unwrap();
    block_on(pool.ended.wait());
    wait_until(|| pool.threads() == 0);
}

#[test]
fn a_worker_started_by_a_thread_with_exact_sleeps_does_not_have_them() {
    use crate::sys::process::{set_timer_slack, timer_slack};
    let usual = timer_slack().unwrap();
    set_timer_slack(1).unwrap();
    let pool = pool(LONG, worker::start);
    let seen = block_on(run(&pool, || timer_slack().unwrap())).unwrap();
    set_timer_slack(usual).unwrap();
    assert_eq!(seen, 50_000);
    pool.close();
}
