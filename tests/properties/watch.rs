//! Watches: the latest value, and watchers that each know what they have seen.
//!
//! Values count how many of them are alive, so that one that is kept too long, or dropped twice,
//! shows. A wait that is dropped, wherever it stands, leaves the value new to its watcher.
//!
//! # Not here
//! Values whose own code uses the watch: unit tests.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use petla::primitives::{Local, Mode, Shared, Watch, Watcher};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Step, program, side_by_side};

/// More than go into one batch of wakers.
const WATCHERS: usize = 40;

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a wait of this watcher, if it has none, and polls it at once or not.
    Changed(usize, bool),
    /// Waits of all watchers, which are polled.
    All,
    Set,
    Get,
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    program(prop_oneof![
        30 => ((0..6_usize), prop::bool::weighted(0.8)).prop_map(|(who, now)| Changed(who, now)),
        1 => Just(All),
        10 => Just(Set),
        5 => Just(Get),
    ])
}

/// A number, and how many there are.
#[derive(Clone, Debug)]
struct Value(usize, Rc<()>);

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    value: usize,
    alive: usize,
    waiting: usize,
}

type Answer = Poll<usize>;
type Watchers<'w, M> = Vec<RefCell<Watcher<'w, Value, M>>>;

struct Real<'a, 'w, M: Mode> {
    watch: &'w Watch<Value, M>,
    watchers: &'a Watchers<'w, M>,
    futures: Futures<'a, usize>,
    alive: Rc<()>,
    number: usize,
}

impl<'a, 'w, M: Mode> Real<'a, 'w, M> {
    fn new(watch: &'w Watch<Value, M>, watchers: &'a Watchers<'w, M>) -> Self {
        Real {
            watch,
            watchers,
            futures: Futures::new(),
            alive: watch.get().1,
            number: 0,
        }
    }

    fn start(&mut self, who: usize, at_once: bool) -> Option<Answer> {
        let mut watcher = self.watchers[who].try_borrow_mut().ok()?;
        let future = async move { watcher.changed().await.0 };
        Some(self.futures.start(at_once, future))
    }
}

impl<M: Mode> Machine for Real<'_, '_, M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Changed(who, at_once) => self.start(who, at_once),
            All => {
                for who in 0..WATCHERS {
                    self.start(who, true);
                }
                None
            }
            Set => {
                self.number += 1;
                self.watch.set(Value(self.number, self.alive.clone()));
                None
            }
            Get => Some(Poll::Ready(self.watch.get().0)),
        }
    }

    fn poll(&mut self, index: usize) -> Answer {
        self.futures.poll(index)
    }

    fn abandon(&mut self, index: usize) {
        self.futures.abandon(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.futures.woken()
    }

    fn look(&self) -> Seen {
        let Value(value, _) = self.watch.get();
        Seen {
            value,
            alive: Rc::strong_count(&self.alive) - 1,
            waiting: self.watch.statistics().waiting,
        }
    }
}

struct Model {
    number: usize,
    /// What each watcher saw last.
    seen: [usize; WATCHERS],
    /// Whose wait it is.
    places: Places<usize>,
}

impl Model {
    fn start(&mut self, who: usize, at_once: bool) -> Option<Answer> {
        if self.places.any(|one| one == who) {
            return None;
        }
        let index = self.places.add(who);
        Some(match at_once {
            true => self.poll(index),
            false => Poll::Pending,
        })
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Changed(who, at_once) => self.start(who, at_once),
            All => {
                for who in 0..WATCHERS {
                    self.start(who, true);
                }
                None
            }
            Set => {
                self.number += 1;
                while let Some((index, _)) = self.places.first(|_| true) {
                    self.places.serve(index);
                }
                None
            }
            Get => Some(Poll::Ready(self.number)),
        }
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (who, _) = self.places.get(index);
        let is_new = self.seen[who] != self.number;
        if self.places.pass(index, is_new).is_none() {
            return Poll::Pending;
        }
        self.seen[who] = self.number;
        Poll::Ready(self.number)
    }

    fn abandon(&mut self, index: usize) {
        self.places.remove(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            value: self.number,
            alive: 1,
            waiting: self.places.waiting(|_| true),
        }
    }
}

proptest! {
    #[test]
    fn a_watch_shows_the_values_of_the_model(program in operations()) {
        let mut model = Model { number: 0, seen: [0; WATCHERS], places: Places::new() };
        let value = || Value(0, Rc::new(()));
        let (watch, shared) = (Watch::<_, Local>::new(value()), Watch::<_, Shared>::new(value()));
        let new = |_| RefCell::new(watch.watcher());
        let watchers: Vec<_> = (0..WATCHERS).map(new).collect();
        let new = |_| RefCell::new(shared.watcher());
        let others: Vec<_> = (0..WATCHERS).map(new).collect();
        let mut local = Real::new(&watch, &watchers);
        let mut sync = Real::new(&shared, &others);
        side_by_side(&program, All, &mut model, &mut local, &mut sync);
    }
}
