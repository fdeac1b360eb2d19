//! Semaphores, bounded semaphores and locks: a number of permits, and one line.
//!
//! A lock is a semaphore of one permit here. In the model a permit is free, held or granted, and
//! the first in line gets what it needs as soon as so much is free; nobody passes it.
//!
//! # Not here
//! Grants that lapse: `lapse`.

use std::future::Future;
use std::task::Poll;

use petla::primitives::{
    BoundedSemaphore, Local, Lock, LockGuard, Mode, Permit, Semaphore, Shared, Statistics,
};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Stands, Step, program, side_by_side};
use super::tasks::{self, in_tasks};

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future that needs so many, and polls it at once or not.
    Acquire(usize, bool),
    /// So many such futures that need one each.
    Crowd(usize),
    TryAcquire(usize),
    Add(usize),
    /// Of what is held, the one at this index, modulo its number.
    Release(usize),
    Forget(usize),
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    program(prop_oneof![
        40 => ((0..4_usize), prop::bool::weighted(0.9)).prop_map(|(need, now)| Acquire(need, now)),
        1 => (20..50_usize).prop_map(Crowd),
        20 => (0..4_usize).prop_map(TryAcquire),
        5 => (0..4_usize).prop_map(Add),
        1 => (30..60_usize).prop_map(Add),
        25 => (0..64_usize).prop_map(Release),
        5 => (0..64_usize).prop_map(Forget),
    ])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Pending,
    Done,
    Refused,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    free: usize,
    waiting: usize,
    out: usize,
    held: Vec<usize>,
}

/// Which of the three, as the model must know.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Lock,
    Semaphore,
    Bounded(usize),
}

impl Kind {
    /// What can be asked for instead.
    fn need(self, need: usize) -> usize {
        match self {
            Kind::Lock => 1,
            Kind::Semaphore => need,
            Kind::Bounded(bound) => need.min(bound),
        }
    }
}

// ---- The real thing

pub(super) trait Pool {
    type Held<'a>
    where
        Self: 'a;

    fn acquire(&self, need: usize) -> impl Future<Output = Self::Held<'_>>;
    fn try_acquire(&self, need: usize) -> Option<Self::Held<'_>>;
    fn add(&self, permits: usize) -> bool;
    fn forget(held: Self::Held<'_>);
    fn count(held: &Self::Held<'_>) -> usize;
    fn free(&self) -> usize;
    fn statistics(&self) -> Statistics;
}

impl<M: Mode> Pool for Semaphore<M> {
    type Held<'a>
        = Permit<'a, M>
    where
        M: 'a;

    fn acquire(&self, need: usize) -> impl Future<Output = Permit<'_, M>> {
        self.acquire_many(need)
    }
    fn try_acquire(&self, need: usize) -> Option<Permit<'_, M>> {
        self.try_acquire_many(need)
    }
    fn add(&self, permits: usize) -> bool {
        self.add_permits(permits);
        true
    }
    fn forget(held: Permit<'_, M>) {
        held.forget();
    }
    fn count(held: &Permit<'_, M>) -> usize {
        held.count()
    }
    fn free(&self) -> usize {
        self.available()
    }
    fn statistics(&self) -> Statistics {
        self.statistics()
    }
}

impl<M: Mode> Pool for BoundedSemaphore<M> {
    type Held<'a>
        = Permit<'a, M>
    where
        M: 'a;

    fn acquire(&self, need: usize) -> impl Future<Output = Permit<'_, M>> {
        self.acquire_many(need)
    }
    fn try_acquire(&self, need: usize) -> Option<Permit<'_, M>> {
        self.try_acquire_many(need)
    }
    fn add(&self, permits: usize) -> bool {
        self.add_permits(permits).is_ok()
    }
    fn forget(held: Permit<'_, M>) {
        held.forget();
    }
    fn count(held: &Permit<'_, M>) -> usize {
        held.count()
    }
    fn free(&self) -> usize {
        self.available()
    }
    fn statistics(&self) -> Statistics {
        self.statistics()
    }
}

impl<M: Mode> Pool for Lock<(), M> {
    type Held<'a>
        = LockGuard<'a, (), M>
    where
        M: 'a;

    fn acquire(&self, _: usize) -> impl Future<Output = LockGuard<'_, (), M>> {
        self.lock()
    }
    fn try_acquire(&self, _: usize) -> Option<LockGuard<'_, (), M>> {
        self.try_lock()
    }
    fn add(&self, _: usize) -> bool {
        unreachable!("a lock has one permit")
    }
    fn forget(_: LockGuard<'_, (), M>) {
        unreachable!("a lock has one permit")
    }
    fn count(_: &LockGuard<'_, (), M>) -> usize {
        1
    }
    fn free(&self) -> usize {
        usize::from(!self.is_locked())
    }
    fn statistics(&self) -> Statistics {
        self.statistics()
    }
}

struct Real<'a, P: Pool> {
    kind: Kind,
    pool: &'a P,
    futures: Futures<'a, P::Held<'a>>,
    held: Vec<P::Held<'a>>,
}

impl<'a, P: Pool> Real<'a, P> {
    fn new(kind: Kind, pool: &'a P) -> Self {
        Real {
            kind,
            pool,
            futures: Futures::new(),
            held: Vec::new(),
        }
    }

    fn start(&mut self, need: usize, at_once: bool) -> Answer {
        let future = self.pool.acquire(self.kind.need(need));
        let polled = self.futures.start(at_once, future);
        self.hold(polled)
    }

    fn hold(&mut self, polled: Poll<P::Held<'a>>) -> Answer {
        let Poll::Ready(held) = polled else {
            return Answer::Pending;
        };
        self.held.push(held);
        Answer::Done
    }

    fn take_held(&mut self, index: usize) -> Option<P::Held<'a>> {
        let index = index.checked_rem(self.held.len())?;
        Some(self.held.remove(index))
    }
}

impl<P: Pool> Machine for Real<'_, P> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Acquire(need, at_once) => self.start(need, at_once),
            Crowd(many) => (0..many).map(|_| self.start(1, true)).last()?,
            TryAcquire(need) => match self.pool.try_acquire(self.kind.need(need)) {
                Some(held) => self.hold(Poll::Ready(held)),
                None => Answer::Refused,
            },
            Add(_) | Forget(_) if matches!(self.kind, Kind::Lock) => return None,
            Add(permits) => match self.pool.add(permits) {
                true => Answer::Done,
                false => Answer::Refused,
            },
            Release(index) => {
                drop(self.take_held(index)?);
                Answer::Done
            }
            Forget(index) => {
                P::forget(self.take_held(index)?);
                Answer::Done
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        let polled = self.futures.poll(index);
        self.hold(polled)
    }

    fn abandon(&mut self, index: usize) {
        self.futures.abandon(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.futures.woken()
    }

    fn look(&self) -> Seen {
        let statistics = self.pool.statistics();
        Seen {
            free: self.pool.free(),
            waiting: statistics.waiting,
            out: statistics.holders,
            held: self.held.iter().map(P::count).collect(),
        }
    }
}

// ---- The model

struct Model {
    kind: Kind,
    total: usize,
    free: usize,
    held: Vec<usize>,
    places: Places<usize>,
}

impl Model {
    fn new(kind: Kind, permits: usize) -> Self {
        Model {
            kind,
            total: permits,
            free: permits,
            held: Vec::new(),
            places: Places::new(),
        }
    }

    fn try_take(&mut self, need: usize) -> bool {
        let may = self.places.waiting(|_| true) == 0 && need <= self.free;
        if may {
            self.free -= need;
            self.held.push(need);
        }
        may
    }

    fn start(&mut self, need: usize, at_once: bool) -> Answer {
        let index = self.places.add(self.kind.need(need));
        if at_once {
            self.poll(index)
        } else {
            Answer::Pending
        }
    }

    fn give(&mut self, permits: usize) -> Answer {
        self.free += permits;
        while let Some((index, need)) = self.places.first(|_| true)
            && need <= self.free
        {
            self.free -= need;
            self.places.serve(index);
        }
        Answer::Done
    }

    fn take_held(&mut self, index: usize) -> Option<usize> {
        let index = index.checked_rem(self.held.len())?;
        Some(self.held.remove(index))
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Acquire(need, at_once) => self.start(need, at_once),
            Crowd(many) => (0..many).map(|_| self.start(1, true)).last()?,
            TryAcquire(need) => match self.try_take(self.kind.need(need)) {
                true => Answer::Done,
                false => Answer::Refused,
            },
            Add(_) | Forget(_) if matches!(self.kind, Kind::Lock) => return None,
            Add(permits) => match self.kind {
                Kind::Bounded(bound) if self.total + permits > bound => Answer::Refused,
                _ => {
                    self.total += permits;
                    self.give(permits)
                }
            },
            Release(index) => {
                let permits = self.take_held(index)?;
                self.give(permits)
            }
            Forget(index) => {
                self.total -= self.take_held(index)?;
                Answer::Done
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (need, stands) = self.places.polled(index);
        let may = match stands {
            Stands::Outside => self.try_take(need),
            Stands::InLine(_) => false,
            Stands::Served(_) => {
                self.held.push(need);
                true
            }
        };
        if may {
            self.places.remove(index);
            return Answer::Done;
        }
        if stands == Stands::Outside {
            self.places.queue(index, need);
        }
        Answer::Pending
    }

    fn abandon(&mut self, index: usize) {
        let (need, stands) = self.places.remove(index);
        // Who is dropped in line may have been in the way of the others.
        self.give(if matches!(stands, Stands::Served(_)) {
            need
        } else {
            0
        });
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            free: self.free,
            waiting: self.places.waiting(|_| true),
            out: self.total - self.free,
            held: self.held.clone(),
        }
    }
}

fn compare(
    program: &[Step<Operation>],
    (kind, permits): (Kind, usize),
    local: &impl Pool,
    sync: &impl Pool,
) {
    let mut model = Model::new(kind, permits);
    let (mut local, mut sync) = (Real::new(kind, local), Real::new(kind, sync));
    side_by_side(program, Release(0), &mut model, &mut local, &mut sync);
    assert_eq!(model.free, model.total);
}

proptest! {
    #[test]
    fn a_semaphore_gives_its_permits_like_the_model(
        permits in 0..6_usize,
        program in operations(),
    ) {
        let local = Semaphore::<Local>::new(permits);
        let sync = Semaphore::<Shared>::new(permits);
        compare(&program, (Kind::Semaphore, permits), &local, &sync);
    }

    #[test]
    fn a_bounded_semaphore_gives_its_permits_like_the_model(
        bound in 0..6_usize,
        program in operations(),
    ) {
        let local = BoundedSemaphore::<Local>::new(bound);
        let sync = BoundedSemaphore::<Shared>::new(bound);
        compare(&program, (Kind::Bounded(bound), bound), &local, &sync);
    }

    #[test]
    fn a_lock_is_given_like_the_model(program in operations()) {
        let (local, sync) = (Lock::<_, Local>::new(()), Lock::<_, Shared>::new(()));
        compare(&program, (Kind::Lock, 1), &local, &sync);
    }
}

impl tasks::Model for Model {
    type Wants = usize;

    fn places(&mut self) -> &mut Places<usize> {
        &mut self.places
    }

    fn lapse(&mut self, index: usize) {
        let (need, _) = self.places.get(index);
        self.places.put_out(index, need);
        self.give(need);
    }
}

/// Runs a program in tasks, on a pool that lives as long as it.
fn compare_in_tasks<P: Pool + 'static>(
    program: Vec<(usize, Step<Operation>)>,
    (kind, permits): (Kind, usize),
    pool: P,
) {
    tasks::run(move |turn| async move {
        let mut model = Model::new(kind, permits);
        let mut real = Real::new(kind, &pool);
        tasks::side_by_side(turn, program, Release(0), &mut model, &mut real).await;
        assert_eq!(model.free, model.total);
    });
}

proptest! {
    #[test]
    fn permits_that_nobody_looks_at_lapse_like_the_model(
        permits in 0..6_usize,
        program in in_tasks(operations()),
    ) {
        let semaphore = Semaphore::<Local>::new(permits);
        compare_in_tasks(program, (Kind::Semaphore, permits), semaphore);
    }

    #[test]
    fn a_lock_that_nobody_looks_at_lapses_like_the_model(program in in_tasks(operations())) {
        compare_in_tasks(program, (Kind::Lock, 1), Lock::<_, Local>::new(()));
    }
}
