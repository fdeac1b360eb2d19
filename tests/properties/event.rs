//! Events: who waits is told of every set that came after the wait was made, even if a clear
//! followed.
//!
//! The model counts the sets. That the waiting are woken in the order in which they began to is
//! seen in the numbers of their wake-ups.
//!
//! # Not here
//! `sync::CancelToken`, which is one that is never cleared.

use petla::primitives::{Event, Local, Mode, Shared};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Step, program, side_by_side};
use super::tasks::{self, in_tasks};

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future, and polls it at once or not.
    Wait(bool),
    /// So many that are polled.
    Crowd(usize),
    Set,
    Clear,
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    program(prop_oneof![
        30 => prop::bool::weighted(0.7).prop_map(Wait),
        1 => (30..70_usize).prop_map(Crowd),
        10 => Just(Set),
        15 => Just(Clear),
    ])
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    is_set: bool,
    waiting: usize,
}

/// Whether a wait was over.
type Answer = bool;

struct Real<'a, M: Mode> {
    event: &'a Event<M>,
    futures: Futures<'a, ()>,
}

impl<M: Mode> Real<'_, M> {
    fn start(&mut self, at_once: bool) -> Answer {
        self.futures.start(at_once, self.event.wait()).is_ready()
    }
}

impl<M: Mode> Machine for Real<'_, M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Wait(at_once) => return Some(self.start(at_once)),
            Crowd(many) => return (0..many).map(|_| self.start(true)).last(),
            Set => self.event.set(),
            Clear => self.event.clear(),
        }
        None
    }

    fn poll(&mut self, index: usize) -> Answer {
        self.futures.poll(index).is_ready()
    }

    fn abandon(&mut self, index: usize) {
        self.futures.abandon(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.futures.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            is_set: self.event.is_set(),
            waiting: self.event.statistics().waiting,
        }
    }
}

struct Model {
    is_set: bool,
    /// How often it was set.
    generation: usize,
    /// With the generation in which each was made.
    places: Places<usize>,
}

impl Model {
    fn start(&mut self, at_once: bool) -> Answer {
        // One that is made while it is set is over, whatever follows.
        let made = if self.is_set {
            usize::MAX
        } else {
            self.generation
        };
        let index = self.places.add(made);
        at_once && self.poll(index)
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Wait(at_once) => return Some(self.start(at_once)),
            Crowd(many) => return (0..many).map(|_| self.start(true)).last(),
            Set => {
                self.generation += 1;
                self.is_set = true;
                while let Some((index, _)) = self.places.first(|_| true) {
                    self.places.serve(index);
                }
            }
            Clear => self.is_set = false,
        }
        None
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (generation, _) = self.places.get(index);
        let happened = self.is_set || generation != self.generation;
        self.places.pass(index, happened).is_some()
    }

    fn abandon(&mut self, index: usize) {
        self.places.remove(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            is_set: self.is_set,
            waiting: self.places.waiting(|_| true),
        }
    }
}

proptest! {
    #[test]
    fn an_event_tells_those_whom_the_model_tells(program in operations()) {
        let mut model = Model { is_set: false, generation: 0, places: Places::new() };
        let (event, shared) = (Event::<Local>::new(), Event::<Shared>::new());
        let mut local = Real { event: &event, futures: Futures::new() };
        let mut sync = Real { event: &shared, futures: Futures::new() };
        side_by_side(&program, Clear, &mut model, &mut local, &mut sync);
    }
}

impl tasks::Model for Model {
    type Wants = usize;

    fn places(&mut self) -> &mut Places<usize> {
        &mut self.places
    }

    fn lapse(&mut self, _: usize) {
        // News do not.
    }
}

proptest! {
    #[test]
    fn news_that_nobody_looks_at_stay(program in in_tasks(operations())) {
        tasks::run(|turn| async move {
            let mut model = Model { is_set: false, generation: 0, places: Places::new() };
            let event = Event::<Local>::new();
            let mut real = Real { event: &event, futures: Futures::new() };
            tasks::side_by_side(turn, program, Clear, &mut model, &mut real).await;
        });
    }
}
