//! Permits on a loop, where a grant lapses that its task does not look at.
//!
//! Random tasks hold futures that they polled once, and then do something else: wait for other
//! permits, or sleep until all others are done or asleep. They hold no permit while they wait.
//! So every wait has to end, whatever stands before it in line: a grant to a future that nobody
//! polls goes to the next one. At the end all permits are back, and nobody is in line.
//!
//! # Not here
//! `sync`, where such a grant stays.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use petla::primitives::{Local, Lock, Semaphore};
use petla::{spawn, yield_now};
use proptest::prelude::*;

use super::permits::Pool;

#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Polls a new future once, which needs so many.
    Start(usize),
    /// Of the futures, the one at this index, modulo their number.
    Poll(usize),
    Drop(usize),
    /// Waits for it to the end.
    Finish(usize),
    /// Waits for so many with a new future.
    Acquire(usize),
    Try(usize),
    /// Of what is held, the one at this index, modulo its number.
    Release(usize),
    Yield,
    Sleep,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        5 => (0..4_usize).prop_map(Deed::Start),
        2 => (0..8_usize).prop_map(Deed::Poll),
        2 => (0..8_usize).prop_map(Deed::Drop),
        2 => (0..8_usize).prop_map(Deed::Finish),
        3 => (0..4_usize).prop_map(Deed::Acquire),
        2 => (0..4_usize).prop_map(Deed::Try),
        3 => (0..8_usize).prop_map(Deed::Release),
        3 => Just(Deed::Yield),
        2 => Just(Deed::Sleep),
    ];
    prop::collection::vec(deed, 0..12)
}

/// What the tasks share.
struct World<P> {
    pool: P,
    permits: usize,
    /// Permits that are held.
    out: Cell<usize>,
    /// Tasks that are neither done nor asleep.
    active: Cell<usize>,
    sleepers: RefCell<Vec<Waker>>,
    night: Cell<usize>,
}

impl<P: Pool> World<P> {
    async fn sleep(&self) {
        let night = self.night.get();
        self.active.set(self.active.get() - 1);
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        self.sleepers.borrow_mut().push(waker);
        // It is woken for every grant that it does not look at.
        poll_fn(|_| match self.night.get() == night {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
    }

    /// Makes all go on who sleep; whether there is somebody.
    fn wake_all(&self) -> bool {
        self.night.set(self.night.get() + 1);
        let sleepers = self.sleepers.take();
        self.active.set(sleepers.len());
        sleepers.into_iter().for_each(Waker::wake);
        self.active.get() != 0
    }

    fn check(&self) {
        let (free, out) = (self.pool.free(), self.out.get());
        assert!(free + out <= self.permits, "{free} free and {out} held");
    }
}

/// What a task has.
struct Doer<'a, P: Pool> {
    world: &'a World<P>,
    futures: Vec<Pin<Box<dyn Future<Output = P::Held<'a>> + 'a>>>,
    held: Vec<P::Held<'a>>,
}

impl<'a, P: Pool> Doer<'a, P> {
    fn need(&self, need: usize) -> usize {
        need.min(self.world.permits)
    }

    fn count(&self, f: impl Fn(usize, usize) -> usize, held: &P::Held<'a>) {
        self.world.out.set(f(self.world.out.get(), P::count(held)));
    }

    fn hold(&mut self, held: P::Held<'a>) {
        self.count(|out, count| out + count, &held);
        self.world.check();
        self.held.push(held);
    }

    fn release(&mut self, index: usize) {
        let held = self.held.remove(index);
        self.count(|out, count| out - count, &held);
        drop(held);
        self.world.check();
    }

    fn release_all(&mut self) {
        while !self.held.is_empty() {
            self.release(0);
        }
    }

    async fn poll_once(&mut self, index: usize) {
        let future = &mut self.futures[index];
        let poll = |cx: &mut Context<'_>| Poll::Ready(future.as_mut().poll(cx));
        if let Poll::Ready(held) = poll_fn(poll).await {
            drop(self.futures.remove(index));
            self.hold(held);
        }
    }

    async fn finish(&mut self, future: impl Future<Output = P::Held<'a>>) {
        self.release_all();
        let held = future.await;
        self.hold(held);
    }

    async fn act(&mut self, deed: Deed) -> Option<()> {
        let pool = &self.world.pool;
        match deed {
            Deed::Start(need) => {
                self.futures.push(Box::pin(pool.acquire(self.need(need))));
                self.poll_once(self.futures.len() - 1).await;
            }
            Deed::Poll(index) => {
                self.poll_once(index.checked_rem(self.futures.len())?).await;
            }
            Deed::Drop(index) => {
                drop(self.futures.remove(index.checked_rem(self.futures.len())?));
            }
            Deed::Finish(index) => {
                let future = self.futures.remove(index.checked_rem(self.futures.len())?);
                self.finish(future).await;
            }
            Deed::Acquire(need) => {
                let future = pool.acquire(self.need(need));
                self.finish(future).await;
            }
            Deed::Try(need) => {
                let held = pool.try_acquire(self.need(need))?;
                self.hold(held);
            }
            Deed::Release(index) => self.release(index.checked_rem(self.held.len())?),
            Deed::Yield => yield_now().await,
            Deed::Sleep => {
                self.release_all();
                self.world.sleep().await;
            }
        }
        Some(())
    }
}

async fn task<P: Pool>(world: Rc<World<P>>, deeds: Vec<Deed>) {
    let mut doer = Doer {
        world: &world,
        futures: Vec::new(),
        held: Vec::new(),
    };
    for deed in deeds {
        doer.act(deed).await;
    }
    doer.release_all();
    drop(doer);
    world.active.set(world.active.get() - 1);
}

async fn run<P: Pool + 'static>(pool: P, permits: usize, programs: Vec<Vec<Deed>>) {
    let world = Rc::new(World {
        pool,
        permits,
        out: Cell::new(0),
        active: Cell::new(programs.len()),
        sleepers: RefCell::default(),
        night: Cell::new(0),
    });
    // Each deed takes a turn at most, and each grant one that lapses, and one that is taken.
    let turns = 8 + 4 * programs.iter().map(Vec::len).sum::<usize>();
    let tasks: Vec<_> = programs
        .into_iter()
        .map(|deeds| spawn(task(world.clone(), deeds)))
        .collect();
    let mut turn = 0;
    loop {
        while world.active.get() != 0 {
            turn += 1;
            assert!(turn < turns, "a task hangs that polls its future");
            yield_now().await;
            world.check();
        }
        if !world.wake_all() {
            break;
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let statistics = world.pool.statistics();
    assert_eq!((statistics.waiting, statistics.holders), (0, 0));
    assert_eq!(world.pool.free(), permits);
    assert!(world.pool.try_acquire(permits).is_some());
}

proptest! {
    #[test]
    fn no_task_hangs_behind_futures_that_nobody_polls(
        permits in 1..4_usize,
        programs in prop::collection::vec(deeds(), 1..6),
    ) {
        petla::run(run(Semaphore::<Local>::new(permits), permits, programs));
    }

    #[test]
    fn no_task_hangs_behind_a_lock_that_nobody_takes(
        programs in prop::collection::vec(deeds(), 1..6),
    ) {
        petla::run(run(Lock::<_, Local>::new(()), 1, programs));
    }
}
