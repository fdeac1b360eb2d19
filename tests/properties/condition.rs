//! Conditions: two of them, with one lock mostly, and another one sometimes.
//!
//! The model is a machine of queues. Who waits stands in the line of a condition; a notification
//! moves the first to the end of the line of its lock; a lock that is free goes to the first in
//! its line, who is woken. Whoever was notified and is dropped before it has the lock notifies
//! the next of its condition.
//!
//! # Not here
//! Limits of time, grants that lapse: they need a loop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use petla::primitives::{Condition, Local, Lock, LockGuard, Mode, Shared};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Stands, Step, program, side_by_side};
use super::tasks::{self, in_tasks};

/// A condition and a lock, by their indices.
type Pair = (usize, usize);

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future, and polls it at once or not. So do the next two.
    Acquire(usize, bool),
    Wait(Pair, bool),
    /// Waits until the value is at least this.
    WaitFor(Pair, u8, bool),
    TryLock(usize),
    /// Of the locks that are held, the one at this index, modulo their number.
    Release(usize),
    Notify(Pair, usize),
    NotifyAll(Pair),
    Set(usize, u8),
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    let lock = || prop_oneof![7 => Just(0_usize), 1 => Just(1)];
    let pair = || (0..2_usize, lock());
    let now = || prop::bool::weighted(0.9);
    program(prop_oneof![
        5 => (lock(), now()).prop_map(|(lock, now)| Acquire(lock, now)),
        8 => (pair(), now()).prop_map(|(pair, now)| Wait(pair, now)),
        6 => (pair(), 0..4_u8, now()).prop_map(|(pair, least, now)| WaitFor(pair, least, now)),
        9 => lock().prop_map(TryLock),
        4 => (0..2_usize).prop_map(Release),
        6 => (pair(), 0..4_usize).prop_map(|(pair, n)| Notify(pair, n)),
        1 => pair().prop_map(NotifyAll),
        3 => (lock(), 0..4_u8).prop_map(|(lock, value)| Set(lock, value)),
    ])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Pending,
    Done,
    Refused,
    /// The condition is used with the other lock.
    Panics,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Of each lock, whether somebody has it and how many are in line.
    locks: [(bool, usize); 2],
    conditions: [usize; 2],
    /// What the guards show.
    values: [Option<u8>; 2],
}

// ---- The real thing

type Locks<M> = [Lock<u8, M>; 2];
type Conditions<M> = [Condition<M>; 2];

struct Real<'a, M: Mode> {
    locks: &'a Locks<M>,
    conditions: &'a Conditions<M>,
    futures: Futures<'a, (usize, LockGuard<'a, u8, M>)>,
    guards: [Option<LockGuard<'a, u8, M>>; 2],
}

impl<'a, M: Mode> Real<'a, M> {
    fn new(locks: &'a Locks<M>, conditions: &'a Conditions<M>) -> Self {
        Real {
            locks,
            conditions,
            futures: Futures::new(),
            guards: [None, None],
        }
    }

    fn start(&mut self, operation: Operation) -> Option<Poll<(usize, LockGuard<'a, u8, M>)>> {
        Some(match operation {
            Acquire(lock, at_once) => {
                let future = self.locks[lock].lock();
                let future = async move { (lock, future.await) };
                self.futures.start(at_once, future)
            }
            Wait((condition, lock), at_once) => {
                let future = self.conditions[condition].wait(self.guards[lock].take()?);
                let future = async move { (lock, future.await) };
                self.futures.start(at_once, future)
            }
            WaitFor((condition, lock), least, at_once) => {
                let guard = self.guards[lock].take()?;
                let is_there = move |value: &mut u8| *value >= least;
                let future = self.conditions[condition].wait_for(guard, is_there);
                let future = async move { (lock, future.await) };
                self.futures.start(at_once, future)
            }
            _ => unreachable!("it starts nothing"),
        })
    }

    fn hold(&mut self, lock: usize, guard: LockGuard<'a, u8, M>) -> Answer {
        let before = self.guards[lock].replace(guard);
        assert!(before.is_none(), "two have the lock");
        Answer::Done
    }
}

/// What `f` answers, or that it panics.
fn caught(f: impl FnOnce() -> Answer) -> Answer {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(Answer::Panics)
}

impl<M: Mode> Machine for Real<'_, M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Acquire(..) | Wait(..) | WaitFor(..) => {
                match catch_unwind(AssertUnwindSafe(|| self.start(operation))) {
                    Ok(Some(Poll::Ready((lock, guard)))) => self.hold(lock, guard),
                    Ok(Some(Poll::Pending)) => Answer::Pending,
                    Ok(None) => return None,
                    Err(_) => Answer::Panics,
                }
            }
            TryLock(lock) => match self.locks[lock].try_lock() {
                Some(guard) => self.hold(lock, guard),
                None => Answer::Refused,
            },
            Release(index) => {
                let mut held = self.guards.iter_mut().filter(|guard| guard.is_some());
                let first = held.next()?;
                *held.nth(index.wrapping_sub(1)).unwrap_or(first) = None;
                Answer::Done
            }
            Notify((condition, lock), n) => {
                let guard = self.guards[lock].as_ref()?;
                caught(|| {
                    self.conditions[condition].notify(guard, n);
                    Answer::Done
                })
            }
            NotifyAll((condition, lock)) => {
                let guard = self.guards[lock].as_ref()?;
                caught(|| {
                    self.conditions[condition].notify_all(guard);
                    Answer::Done
                })
            }
            Set(lock, value) => {
                **self.guards[lock].as_mut()? = value;
                Answer::Done
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        match catch_unwind(AssertUnwindSafe(|| self.futures.poll(index))) {
            Ok(Poll::Ready((lock, guard))) => self.hold(lock, guard),
            Ok(Poll::Pending) => Answer::Pending,
            Err(_) => Answer::Panics,
        }
    }

    fn abandon(&mut self, index: usize) {
        self.futures.abandon(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.futures.woken()
    }

    fn look(&self) -> Seen {
        let lock = |lock: &Lock<u8, M>| {
            let statistics = lock.statistics();
            assert_eq!(statistics.holders, usize::from(lock.is_locked()));
            (lock.is_locked(), statistics.waiting)
        };
        Seen {
            locks: self.locks.each_ref().map(lock),
            conditions: self
                .conditions
                .each_ref()
                .map(|condition| condition.statistics().waiting),
            values: self
                .guards
                .each_ref()
                .map(|guard| guard.as_deref().copied()),
        }
    }
}

// ---- The model

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wants {
    lock: usize,
    /// A notification of this condition, and then the lock.
    condition: Option<usize>,
    /// Once the value is at least this.
    least: Option<u8>,
    /// It stands in the line of its condition: it was not notified.
    inside: bool,
    /// It was notified, and what it was granted lapsed: it has to ask for the lock again.
    lapsed: bool,
}

struct Model {
    values: [u8; 2],
    /// Whether somebody has the lock: a guard, a wait that was not polled, or a grant.
    busy: [bool; 2],
    held: [bool; 2],
    places: Places<Wants>,
}

impl Model {
    fn in_lock(lock: usize) -> impl Fn(Wants) -> bool {
        move |wants| wants.lock == lock && !wants.inside
    }

    fn in_condition(condition: usize) -> impl Fn(Wants) -> bool {
        move |wants| wants.condition == Some(condition) && wants.inside
    }

    /// The lock that a condition is waited for with.
    fn lock_of(&self, condition: usize) -> Option<usize> {
        let (_, wants) = self.places.first(Self::in_condition(condition))?;
        Some(wants.lock)
    }

    fn hold(&mut self, lock: usize) -> Answer {
        (self.busy[lock], self.held[lock]) = (true, true);
        Answer::Done
    }

    fn release(&mut self, lock: usize) {
        self.busy[lock] = false;
        self.held[lock] = false;
        self.serve(lock);
    }

    fn serve(&mut self, lock: usize) {
        if self.busy[lock] {
            return;
        }
        if let Some((index, _)) = self.places.first(Self::in_lock(lock)) {
            self.places.serve(index);
            self.busy[lock] = true;
        }
    }

    /// Moves the first `n` of a condition to the line of the lock that they wait with.
    fn notify(&mut self, condition: usize, n: usize) {
        for _ in 0..n {
            let Some((index, wants)) = self.places.first(Self::in_condition(condition)) else {
                break;
            };
            let inside = false;
            self.places.queue(index, Wants { inside, ..wants });
        }
    }

    fn try_notify(&mut self, (condition, lock): Pair, n: usize) -> Option<Answer> {
        if !self.held[lock] {
            return None;
        }
        let other = self.lock_of(condition).is_some_and(|used| used != lock);
        if other {
            return Some(Answer::Panics);
        }
        self.notify(condition, n);
        Some(Answer::Done)
    }

    fn start(&mut self, wants: Wants, at_once: bool) -> Answer {
        let index = self.places.add(wants);
        if at_once {
            self.poll(index)
        } else {
            Answer::Pending
        }
    }

    fn start_waiting(&mut self, (condition, lock): Pair, least: Option<u8>) -> Option<Wants> {
        if !self.held[lock] {
            return None;
        }
        self.held[lock] = false; // it is the future's
        Some(Wants {
            lock,
            condition: Some(condition),
            least,
            inside: false,
            lapsed: false,
        })
    }

    /// What one does who has the lock, and did not see what it waits for.
    fn give_up(&mut self, index: usize, condition: usize) -> Answer {
        let (wants, _) = self.places.get(index);
        if self
            .lock_of(condition)
            .is_some_and(|used| used != wants.lock)
        {
            self.places.remove(index);
            self.release(wants.lock);
            return Answer::Panics;
        }
        let (inside, lapsed) = (true, false);
        let wants = Wants {
            inside,
            lapsed,
            ..wants
        };
        self.places.queue(index, wants);
        self.release(wants.lock);
        Answer::Pending
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Acquire(lock, at_once) => {
                let wants = Wants {
                    lock,
                    condition: None,
                    least: None,
                    inside: false,
                    lapsed: false,
                };
                self.start(wants, at_once)
            }
            Wait(pair, at_once) => {
                let wants = self.start_waiting(pair, None)?;
                self.start(wants, at_once)
            }
            WaitFor(pair, least, at_once) => {
                let wants = self.start_waiting(pair, Some(least))?;
                self.start(wants, at_once)
            }
            TryLock(lock) if self.busy[lock] => Answer::Refused,
            TryLock(lock) => self.hold(lock),
            Release(index) => {
                let lock = match self.held {
                    [false, false] => return None,
                    [true, true] => index,
                    [first, _] => usize::from(!first),
                };
                self.release(lock);
                Answer::Done
            }
            Notify(pair, n) => self.try_notify(pair, n)?,
            NotifyAll(pair) => self.try_notify(pair, usize::MAX)?,
            Set(lock, _) if !self.held[lock] => return None,
            Set(lock, value) => {
                self.values[lock] = value;
                Answer::Done
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (wants, stands) = self.places.polled(index);
        let is_there = wants
            .least
            .is_none_or(|least| self.values[wants.lock] >= least);
        match (stands, wants.condition) {
            (Stands::InLine(_), _) => return Answer::Pending,
            (Stands::Outside, condition) if wants.lapsed || condition.is_none() => {
                if self.busy[wants.lock] {
                    self.places.queue(index, wants);
                    return Answer::Pending;
                }
                self.busy[wants.lock] = true;
                if let Some(condition) = condition.filter(|_| !is_there) {
                    return self.give_up(index, condition);
                }
            }
            (Stands::Outside, Some(condition)) if wants.least.is_none() || !is_there => {
                return self.give_up(index, condition);
            }
            (Stands::Served(_), Some(condition)) if !is_there => {
                return self.give_up(index, condition);
            }
            _ => {}
        }
        self.places.remove(index);
        self.hold(wants.lock)
    }

    fn abandon(&mut self, index: usize) {
        let (wants, stands) = self.places.remove(index);
        let has_guard = stands == Stands::Outside && wants.condition.is_some() && !wants.lapsed;
        if let Some(condition) = wants.condition
            && !has_guard
            && !wants.inside
            && self.lock_of(condition) == Some(wants.lock)
        {
            self.notify(condition, 1);
        }
        let had_lock = has_guard || matches!(stands, Stands::Served(_));
        if had_lock {
            self.busy[wants.lock] = false;
        }
        self.serve(wants.lock);
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken()
    }

    fn look(&self) -> Seen {
        let shown = |lock: usize| self.held[lock].then_some(self.values[lock]);
        Seen {
            locks: [0, 1].map(|lock| (self.busy[lock], self.places.waiting(Self::in_lock(lock)))),
            conditions: [0, 1].map(|one| self.places.waiting(Self::in_condition(one))),
            values: [0, 1].map(shown),
        }
    }
}

proptest! {
    #[test]
    fn conditions_notify_like_the_model(program in operations()) {
        let mut model = Model {
            values: [0; 2],
            busy: [false; 2],
            held: [false; 2],
            places: Places::new(),
        };
        let locks: Locks<Local> = Default::default();
        let conditions: Conditions<Local> = Default::default();
        let shared_locks: Locks<Shared> = Default::default();
        let shared_conditions: Conditions<Shared> = Default::default();
        let mut local = Real::new(&locks, &conditions);
        let mut sync = Real::new(&shared_locks, &shared_conditions);
        side_by_side(&program, Release(0), &mut model, &mut local, &mut sync);
        prop_assert_eq!(model.busy, [false; 2]);
    }
}

impl tasks::Model for Model {
    type Wants = Wants;

    fn places(&mut self) -> &mut Places<Wants> {
        &mut self.places
    }

    fn lapse(&mut self, index: usize) {
        let (wants, _) = self.places.get(index);
        let lapsed = wants.condition.is_some();
        self.places.put_out(index, Wants { lapsed, ..wants });
        self.release(wants.lock);
    }
}

proptest! {
    #[test]
    fn conditions_keep_notifications_whose_lock_lapses_like_the_model(
        program in in_tasks(operations()),
    ) {
        tasks::run(|turn| async move {
            let mut model = Model {
                values: [0; 2],
                busy: [false; 2],
                held: [false; 2],
                places: Places::new(),
            };
            let locks: Locks<Local> = Default::default();
            let conditions: Conditions<Local> = Default::default();
            let mut real = Real::new(&locks, &conditions);
            tasks::side_by_side(turn, program, Release(0), &mut model, &mut real).await;
        });
    }
}
