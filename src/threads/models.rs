//! Loom's proofs of the way of work to a thread and back.
//!
//! A result lies in a cell of loom's own ([`Letter`]), so that to read it before it was handed
//! over is an error and not luck. Work that is forgotten leaves a future that nobody wakes, or a
//! worker that nobody calls: loom reports a deadlock.
//!
//! # What the models catch
//! `.ci/mutate threads` seeds each line.
//!
//! | mutation | fails first |
//! | --- | --- |
//! | nobody is woken; the result is lost | `a_result_reaches_..` |
//! | the waker is taken out before the result is there | `the_waker_of_the_last_..` |
//! | a poll keeps the first waker; leaves its own in a second step | `the_waker_of_the_last_..` |
//! | abandoned work begins; keeps its worker | `work_that_is_abandoned_..` |
//! | abandoned work keeps its result | `a_dropped_ticket_..` |
//! | the worker is free, or the place given back, after the wake | `whoever_is_woken_..` |
//! | refused work does not say why | `refused_work_..` |
//! | an idle worker is not called; stays in the list; sleeps without a look | `one_..` hangs |
//! | a worker that is on its way is not counted, or not counted on | `one_worker_..` |
//! | a worker looks and sleeps in two steps; is called and not counted | `work_of_two_..` |
//! | work without a thread is refused though one is there | `work_of_two_..` |
//! | work without a thread is kept; the thread stays counted | `.._refused_only_..` |
//! | a closed pool: idle workers sleep on, no end is told, work is taken in | `a_closed_..` |
//!
//! # Not here
//! The idle limit: loom's `wait_timeout` never times out. It acts under the pool's one mutex; unit
//! tests see it end threads. Work that relied on a thread which is then refused, for which it takes
//! two workers and two who submit: a unit test brings that order about. The token of a limiter
//! (`primitives`), the loop's mailbox (`mailbox::models`), forks.

use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::sync::Arc as StdArc;
use std::sync::atomic::AtomicUsize as Count;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll, Wake, Waker};

use loom::future::block_on;
use loom::model::Builder;
use loom::thread;

use super::job::{Ticket, Work, job};
use super::pool::{Pool, Start};
use super::worker;
use crate::error::JoinError;
use crate::rt::{Arc, AtomicU32, UnsafeCell};

/// Tries every order with at most `LOOM_MAX_PREEMPTIONS` pre-emptions, or 2.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let orders = StdArc::new(Count::new(0));
    let counted = orders.clone();
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!("{} orders", orders.load(Relaxed));
}

/// Counts.
#[derive(Clone)]
struct Tally(Arc<AtomicU32>);

impl Tally {
    fn new() -> Tally {
        Tally(Arc::new(AtomicU32::new(0)))
    }

    fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// Counts its drop.
    fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

struct Guard(Tally);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Counts how often it rings; what was done before is seen by who waits for that.
struct Ring(Tally);

impl Wake for Ring {
    fn wake(self: StdArc<Self>) {
        self.0.0.fetch_add(1, Release);
    }
}

/// Waits until it rang. (Loom's `block_on` also polls without being woken.)
fn wait_for_ring(tally: &Tally) {
    while tally.0.load(Acquire) == 0 {
        thread::yield_now();
    }
}

fn ring(tally: &Tally) -> Waker {
    Waker::from(StdArc::new(Ring(tally.clone())))
}

/// Written by the worker, read by the future; counts its drops.
struct Letter {
    text: UnsafeCell<u32>,
    _guard: Guard,
}

// SAFETY: loom watches the cell, and fails the model if a write is not alone in it.
unsafe impl Sync for Letter {}

impl Letter {
    fn write(drops: &Tally) -> Letter {
        let letter = Letter {
            text: UnsafeCell::new(0),
            _guard: drops.guard(),
        };
        // SAFETY: loom checks that nobody else is in the cell.
        letter.text.with_mut(|text| unsafe { *text = 7 });
        letter
    }

    fn is_written(&self) -> bool {
        // SAFETY: loom checks that nobody writes the cell.
        self.text.with(|text| unsafe { *text == 7 })
    }
}

type Ends<T> = (StdArc<dyn Work>, Ticket<T>);

fn ends<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static, waker: Waker) -> Ends<T> {
    job(f, (), waker, None, Location::caller())
}

fn poll<T>(ticket: &Ticket<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    ticket.poll(&mut Context::from_waker(waker))
}

/// Hands work over with `submit` at the first poll, as `ToThread` does, and awaits it.
fn wait_for<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
    submit: impl FnOnce(StdArc<dyn Work>),
) -> Result<T, JoinError> {
    let mut new = Some((f, submit));
    let mut ticket = None;
    block_on(poll_fn(move |cx| {
        if let Some((f, submit)) = new.take() {
            let (work, mine) = ends(f, cx.waker().clone());
            ticket = Some(mine);
            submit(work);
        }
        ticket.as_ref().unwrap().poll(cx)
    }))
}

#[test]
fn a_result_reaches_whoever_awaits_it() {
    explore(|| {
        let drops = Tally::new();
        let inside = drops.clone();
        let letter = wait_for(
            move || Letter::write(&inside),
            |work| drop(thread::spawn(move || work.run(&|| ()))),
        );
        assert!(letter.unwrap().is_written());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    explore(|| {
        let (first, second) = (Tally::new(), Tally::new());
        let (work, ticket) = ends(|| 7, ring(&first));
        let worker = thread::spawn(move || work.run(&|| ()));
        let polled = poll(&ticket, &ring(&second));
        worker.join().unwrap();
        match polled {
            Poll::Ready(seven) => assert_eq!((seven.unwrap(), second.count()), (7, 0)),
            Poll::Pending => {
                assert_eq!((first.count(), second.count()), (0, 1));
                assert!(poll(&ticket, Waker::noop()).is_ready());
            }
        }
    });
}

#[test]
fn a_dropped_ticket_leaves_nothing_whenever_it_is_dropped() {
    explore(|| {
        let [work_drops, letters, places, free] = [(); 4].map(|()| Tally::new());
        let (guard, held) = (work_drops.guard(), places.guard());
        let inside = letters.clone();
        let f = move || {
            drop(guard);
            Letter::write(&inside)
        };
        let (work, ticket) = job(f, held, Waker::noop().clone(), None, Location::caller());
        let counted = free.clone();
        let worker = thread::spawn(move || work.run(&|| counted.add()));
        drop(ticket);
        worker.join().unwrap();
        assert_eq!(
            (work_drops.count(), places.count(), free.count()),
            (1, 1, 1)
        );
        assert!(letters.count() <= 1);
    });
}

#[test]
fn work_that_is_abandoned_before_it_begins_does_not_run() {
    explore(|| {
        let (ran, free) = (Tally::new(), Tally::new());
        let inside = ran.clone();
        let (work, ticket) = ends(move || inside.add(), Waker::noop().clone());
        drop(ticket);
        let counted = free.clone();
        let worker = thread::spawn(move || work.run(&|| counted.add()));
        worker.join().unwrap();
        assert_eq!((ran.count(), free.count()), (0, 1));
    });
}

#[test]
fn whoever_is_woken_finds_the_worker_free_and_its_place_given_back() {
    explore(|| {
        let [free, places, rings] = [(); 3].map(|()| Tally::new());
        let held = places.guard();
        let (work, ticket) = job(|| 7, held, ring(&rings), None, Location::caller());
        let counted = free.clone();
        thread::spawn(move || work.run(&|| counted.add()));
        wait_for_ring(&rings);
        assert_eq!((free.count(), places.count()), (1, 1));
        assert!(poll(&ticket, Waker::noop()).is_ready());
    });
}

#[test]
fn refused_work_says_so_or_was_abandoned() {
    explore(|| {
        let places = Tally::new();
        let held = places.guard();
        let f = || unreachable!("it was refused");
        let (work, ticket) =
            job::<_, (), _>(f, held, Waker::noop().clone(), None, Location::caller());
        let refuser = thread::spawn(move || work.refuse("no".into()));
        let early = poll(&ticket, Waker::noop());
        if early.is_pending() {
            drop(ticket);
        }
        refuser.join().unwrap();
        assert_eq!(places.count(), 1);
        if let Poll::Ready(end) = early {
            assert_eq!(end.unwrap_err().reason(), Some("no"));
        }
    });
}

/// Starts the first thread, and refuses any other.
fn start_one(name: String, pool: Arc<Pool>) -> io::Result<()> {
    match &*name {
        "pool-1" => start(name, pool),
        _ => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn start(_: String, pool: Arc<Pool>) -> io::Result<()> {
    thread::spawn(move || worker::work(&pool));
    Ok(())
}

fn pool(start: Start) -> Arc<Pool> {
    let mut pool = Pool::new(1, "pool");
    pool.start = start;
    Arc::new(pool)
}

#[test]
fn one_worker_serves_one_after_the_other() {
    explore(|| {
        let pool = pool(start);
        for _ in 0..2 {
            let rings = Tally::new();
            let (work, ticket) = ends(|| (), ring(&rings));
            Pool::submit(&pool, work);
            wait_for_ring(&rings);
            assert!(poll(&ticket, Waker::noop()).is_ready());
        }
        assert_eq!(pool.threads(), 1, "it was on its way, or idle");
        pool.close();
        block_on(pool.ended.wait());
    });
}

#[test]
fn work_of_two_threads_is_all_done_by_the_one_worker_there_is() {
    explore(|| {
        let pool = pool(start_one);
        let elsewhere = pool.clone();
        let other = thread::spawn(move || wait_for(|| 1, |work| Pool::submit(&elsewhere, work)));
        // One that is refused came when no thread was there, or was to be.
        let mine = wait_for(|| 2, |work| Pool::submit(&pool, work));
        let theirs = other.join().unwrap();
        assert!(mine.is_ok() && theirs.is_ok(), "{mine:?} {theirs:?}");
        pool.close();
    });
}

#[test]
fn work_is_refused_only_if_no_thread_is_there() {
    explore(|| {
        let pool = pool(|_, _| Err(io::ErrorKind::WouldBlock.into()));
        let elsewhere = pool.clone();
        let other = thread::spawn(move || wait_for(|| 1, |work| Pool::submit(&elsewhere, work)));
        assert!(wait_for(|| 2, |work| Pool::submit(&pool, work)).is_err());
        assert!(other.join().unwrap().is_err());
        assert_eq!((pool.threads(), pool.working()), (0, 0));
    });
}

#[test]
fn a_closed_pool_finishes_what_it_has_and_ends_its_workers() {
    explore(|| {
        let pool = pool(start);
        let ran = Tally::new();
        let inside = ran.clone();
        let (work, ticket) = ends(move || inside.add(), Waker::noop().clone());
        Pool::submit(&pool, work);
        let closer = pool.clone();
        let closing = thread::spawn(move || closer.close());
        block_on(pool.ended.wait());
        assert_eq!(ran.count(), 1);
        closing.join().unwrap();
        let (late, refused) = ends(|| (), Waker::noop().clone());
        Pool::submit(&pool, late);
        assert!(poll(&refused, Waker::noop()).is_ready());
        drop(ticket);
    });
}
