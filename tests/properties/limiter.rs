//! Capacity limiters: a total that moves while tokens are out, and a list of who has one.
//!
//! In the model a token is free if fewer are held or granted than there are.
//!
//! # Not here
//! Permits without names: `permits`.

use std::task::Poll;

use petla::primitives::{CapacityLimiter, Local, Mode, Shared, Token};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Step, program, side_by_side};
use super::tasks::{self, in_tasks};

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future for a borrower of this name, and polls it at once or not.
    Acquire(u8, bool),
    /// So many that are polled.
    Crowd(usize),
    TryAcquire,
    /// Of the tokens, the one at this index, modulo their number.
    Release(usize),
    SetTotal(usize),
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    program(prop_oneof![
        40 => (any::<u8>(), prop::bool::weighted(0.9)).prop_map(|(name, now)| Acquire(name, now)),
        1 => (30..50_usize).prop_map(Crowd),
        15 => Just(TryAcquire),
        25 => (0..64_usize).prop_map(Release),
        10 => (0..6_usize).prop_map(SetTotal),
        1 => (30..60_usize).prop_map(SetTotal),
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
    total: usize,
    borrowed: usize,
    available: usize,
    waiting: usize,
    holders: usize,
    borrowers: Vec<Option<String>>,
}

struct Real<'a, M: Mode> {
    limiter: &'a CapacityLimiter<M>,
    futures: Futures<'a, Token<'a, M>>,
    tokens: Vec<Token<'a, M>>,
}

impl<'a, M: Mode> Real<'a, M> {
    fn new(limiter: &'a CapacityLimiter<M>) -> Self {
        Real {
            limiter,
            futures: Futures::new(),
            tokens: Vec::new(),
        }
    }

    fn start(&mut self, name: u8, at_once: bool) -> Answer {
        let future = self.limiter.acquire_as(name.to_string());
        let polled = self.futures.start(at_once, future);
        self.hold(polled)
    }

    fn hold(&mut self, polled: Poll<Token<'a, M>>) -> Answer {
        let Poll::Ready(token) = polled else {
            return Answer::Pending;
        };
        self.tokens.push(token);
        Answer::Done
    }
}

impl<M: Mode> Machine for Real<'_, M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            Acquire(name, at_once) => self.start(name, at_once),
            Crowd(many) => (0..many).map(|_| self.start(0, true)).last()?,
            TryAcquire => match self.limiter.try_acquire() {
                Some(token) => self.hold(Poll::Ready(token)),
                None => Answer::Refused,
            },
            Release(index) => {
                let index = index.checked_rem(self.tokens.len())?;
                drop(self.tokens.remove(index));
                Answer::Done
            }
            SetTotal(total) => {
                self.limiter.set_total(total);
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
        let statistics = self.limiter.statistics();
        let borrowers = self.limiter.borrowers();
        Seen {
            total: self.limiter.total(),
            borrowed: self.limiter.borrowed(),
            available: self.limiter.available(),
            waiting: statistics.waiting,
            holders: statistics.holders,
            borrowers: borrowers
                .iter()
                .map(|borrower| borrower.name().map(str::to_owned))
                .collect(),
        }
    }
}

struct Model {
    total: usize,
    tokens: Vec<Option<u8>>,
    places: Places<u8>,
}

impl Model {
    fn borrowed(&self) -> usize {
        self.tokens.len() + self.places.served(|_| true)
    }

    fn is_free(&self) -> bool {
        self.places.waiting(|_| true) == 0 && self.borrowed() < self.total
    }

    fn hold(&mut self, name: Option<u8>) -> Answer {
        self.tokens.push(name);
        Answer::Done
    }

    fn start(&mut self, name: u8, at_once: bool) -> Answer {
        let index = self.places.add(name);
        if at_once {
            self.poll(index)
        } else {
            Answer::Pending
        }
    }

    fn serve(&mut self) {
        while self.borrowed() < self.total
            && let Some((index, _)) = self.places.first(|_| true)
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
            Acquire(name, at_once) => self.start(name, at_once),
            Crowd(many) => (0..many).map(|_| self.start(0, true)).last()?,
            TryAcquire if self.is_free() => self.hold(None),
            TryAcquire => Answer::Refused,
            Release(index) => {
                let index = index.checked_rem(self.tokens.len())?;
                self.tokens.remove(index);
                self.serve();
                Answer::Done
            }
            SetTotal(total) => {
                self.total = total;
                self.serve();
                Answer::Done
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        match self.places.pass(index, self.is_free()) {
            Some(name) => self.hold(Some(name)),
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
            total: self.total,
            borrowed: self.borrowed(),
            available: self.total.saturating_sub(self.borrowed()),
            waiting: self.places.waiting(|_| true),
            holders: self.borrowed(),
            borrowers: self
                .tokens
                .iter()
                .map(|name| name.map(|name| name.to_string()))
                .collect(),
        }
    }
}

proptest! {
    #[test]
    fn a_limiter_lends_its_tokens_like_the_model(total in 0..5_usize, program in operations()) {
        let mut model = Model { total, tokens: Vec::new(), places: Places::new() };
        let local = CapacityLimiter::<Local>::new(total);
        let sync = CapacityLimiter::<Shared>::new(total);
        let (mut real, mut shared) = (Real::new(&local), Real::new(&sync));
        side_by_side(&program, Release(0), &mut model, &mut real, &mut shared);
        prop_assert_eq!(model.borrowed(), 0);
    }
}

impl tasks::Model for Model {
    type Wants = u8;

    fn places(&mut self) -> &mut Places<u8> {
        &mut self.places
    }

    fn lapse(&mut self, index: usize) {
        let (name, _) = self.places.get(index);
        self.places.put_out(index, name);
        self.serve();
    }
}

proptest! {
    #[test]
    fn tokens_that_nobody_looks_at_lapse_like_the_model(
        total in 0..5_usize,
        program in in_tasks(operations()),
    ) {
        tasks::run(move |turn| async move {
            let mut model = Model { total, tokens: Vec::new(), places: Places::new() };
            let limiter = CapacityLimiter::<Local>::new(total);
            let mut real = Real::new(&limiter);
            tasks::side_by_side(turn, program, Release(0), &mut model, &mut real).await;
            assert_eq!(limiter.borrowed(), 0);
        });
    }
}
