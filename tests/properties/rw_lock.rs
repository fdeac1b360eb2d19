//! Readers-writer locks: many who read, or one who writes, and one line for both.
//!
//! Each writer puts a new number into the value. What every guard shows is compared.
//!
//! # Not here
//! How readers and writers share permits: the model counts them apart.

use std::task::Poll;

use petla::primitives::{Local, LockGuard, Mode, ReadGuard, RwLock, Shared};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Step, program, side_by_side};
use super::tasks::{self, in_tasks};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}
use Way::*;

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future, and polls it at once or not.
    Lock(Way, bool),
    TryLock(Way),
    /// Of the guards, the one at this index, modulo their number.
    Release(usize),
    /// So many futures of readers.
    Crowd(usize),
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    let way = prop_oneof![2 => Just(Read), 1 => Just(Write)];
    program(prop_oneof![
        40 => (way.clone(), prop::bool::weighted(0.9)).prop_map(|(way, now)| Lock(way, now)),
        20 => way.prop_map(TryLock),
        30 => (0..64_usize).prop_map(Release),
        1 => (20..50_usize).prop_map(Crowd),
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
    waiting: usize,
    holders: usize,
    /// What each guard shows.
    values: Vec<usize>,
}

enum Guard<'a, M: Mode> {
    Read(ReadGuard<'a, usize, M>),
    Write(LockGuard<'a, usize, M>),
}

struct Real<'a, M: Mode> {
    lock: &'a RwLock<usize, M>,
    futures: Futures<'a, Guard<'a, M>>,
    held: Vec<Guard<'a, M>>,
}

impl<'a, M: Mode> Real<'a, M> {
    fn new(lock: &'a RwLock<usize, M>) -> Self {
        Real {
            lock,
            futures: Futures::new(),
            held: Vec::new(),
        }
    }

    fn start(&mut self, way: Way, at_once: bool) -> Answer {
        let lock = self.lock;
        let polled = match way {
            Read => {
                let read = lock.read();
                let future = async move { Guard::Read(read.await) };
                self.futures.start(at_once, future)
            }
            Write => {
                let write = lock.write();
                let future = async move { Guard::Write(write.await) };
                self.futures.start(at_once, future)
            }
        };
        self.hold(polled)
    }

    fn hold(&mut self, polled: Poll<Guard<'a, M>>) -> Answer {
        let Poll::Ready(mut guard) = polled else {
            return Answer::Pending;
        };
        if let Guard::Write(value) = &mut guard {
            **value += 1;
        }
        self.held.push(guard);
        Answer::Done
    }
}

impl<M: Mode> Machine for Real<'_, M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Lock(way, at_once) => self.start(way, at_once),
            Crowd(many) => (0..many).map(|_| self.start(Read, true)).last()?,
            TryLock(way) => {
                let guard = match way {
                    Read => self.lock.try_read().map(Guard::Read),
                    Write => self.lock.try_write().map(Guard::Write),
                };
                match guard {
                    Some(guard) => self.hold(Poll::Ready(guard)),
                    None => Answer::Refused,
                }
            }
            Release(index) => {
                let index = index.checked_rem(self.held.len())?;
                self.held.remove(index);
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
        let statistics = self.lock.statistics();
        let value = |guard: &Guard<'_, M>| match guard {
            Guard::Read(value) => **value,
            Guard::Write(value) => **value,
        };
        Seen {
            waiting: statistics.waiting,
            holders: statistics.holders,
            values: self.held.iter().map(value).collect(),
        }
    }
}

// ---- The model

struct Model {
    value: usize,
    held: Vec<Way>,
    places: Places<Way>,
}

impl Model {
    /// How many have it this way, or were granted it.
    fn having(&self, way: Way) -> usize {
        let held = self.held.iter().filter(|held| **held == way).count();
        held + self.places.served(|wants| wants == way)
    }

    fn is_open(&self, way: Way) -> bool {
        self.having(Write) == 0 && (way == Read || self.having(Read) == 0)
    }

    fn may_enter(&self, way: Way) -> bool {
        self.places.waiting(|_| true) == 0 && self.is_open(way)
    }

    fn hold(&mut self, way: Way) -> Answer {
        self.value += usize::from(way == Write);
        self.held.push(way);
        Answer::Done
    }

    fn start(&mut self, way: Way, at_once: bool) -> Answer {
        let index = self.places.add(way);
        if at_once {
            self.poll(index)
        } else {
            Answer::Pending
        }
    }

    fn serve(&mut self) {
        while let Some((index, way)) = self.places.first(|_| true)
            && self.is_open(way)
        {
            self.places.serve(index);
        }
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Lock(way, at_once) => self.start(way, at_once),
            Crowd(many) => (0..many).map(|_| self.start(Read, true)).last()?,
            TryLock(way) if self.may_enter(way) => self.hold(way),
            TryLock(_) => Answer::Refused,
            Release(index) => {
                let index = index.checked_rem(self.held.len())?;
                self.held.remove(index);
                self.serve();
                Answer::Done
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (way, _) = self.places.get(index);
        match self.places.pass(index, self.may_enter(way)) {
            Some(way) => self.hold(way),
            None => Answer::Pending,
        }
    }

    fn abandon(&mut self, index: usize) {
        self.places.remove(index);
        self.serve();
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            waiting: self.places.waiting(|_| true),
            holders: self.having(Read) + self.having(Write),
            values: vec![self.value; self.held.len()],
        }
    }
}

proptest! {
    #[test]
    fn a_readers_writer_lock_lets_in_like_the_model(program in operations()) {
        let mut model = Model { value: 0, held: Vec::new(), places: Places::new() };
        let (local, sync) = (RwLock::<_, Local>::new(0), RwLock::<_, Shared>::new(0));
        let (mut real, mut shared) = (Real::new(&local), Real::new(&sync));
        side_by_side(&program, Release(0), &mut model, &mut real, &mut shared);
        prop_assert!(local.try_write().is_some() && sync.try_write().is_some());
    }
}

impl tasks::Model for Model {
    type Wants = Way;

    fn places(&mut self) -> &mut Places<Way> {
        &mut self.places
    }

    fn lapse(&mut self, index: usize) {
        let (way, _) = self.places.get(index);
        self.places.put_out(index, way);
        self.serve();
    }
}

proptest! {
    #[test]
    fn rights_that_nobody_looks_at_lapse_like_the_model(program in in_tasks(operations())) {
        tasks::run(|turn| async move {
            let mut model = Model { value: 0, held: Vec::new(), places: Places::new() };
            let lock = RwLock::<_, Local>::new(0);
            let mut real = Real::new(&lock);
            tasks::side_by_side(turn, program, Release(0), &mut model, &mut real).await;
            assert!(lock.try_write().is_some());
        });
    }
}
