//! Barriers: generations, indices, and how they break.
//!
//! In the model an arrival is a place in the line, and the last one of a generation serves all
//! before it with their indices. Abort and reset serve them with an error.
//!
//! # Not here
//! Work between two rounds: the barrier knows nothing of it.

use std::task::Poll;

use petla::primitives::{Barrier, Broken, Local, Mode, Shared};
use proptest::prelude::*;

use super::harness::{Futures, Machine, Places, Stands, Step, program, side_by_side};

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future, and polls it at once or not.
    Wait(bool),
    Abort,
    Reset,
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    program(prop_oneof![
        40 => prop::bool::weighted(0.9).prop_map(Wait),
        1 => Just(Abort),
        3 => Just(Reset),
    ])
}

type Answer = Poll<Result<usize, Broken>>;

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    arrived: usize,
    waiting: usize,
    is_broken: bool,
}

struct Real<'a, M: Mode> {
    barrier: &'a Barrier<M>,
    futures: Futures<'a, Result<usize, Broken>>,
}

impl<M: Mode> Machine for Real<'_, M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Wait(at_once) => return Some(self.futures.start(at_once, self.barrier.wait())),
            Abort => self.barrier.abort(),
            Reset => self.barrier.reset(),
        }
        None
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
        Seen {
            arrived: self.barrier.n_waiting(),
            waiting: self.barrier.statistics().waiting,
            is_broken: self.barrier.is_broken(),
        }
    }
}

struct Model {
    parties: usize,
    is_broken: bool,
    /// With the index that each gets once it is served, or none if the barrier broke.
    places: Places<Option<usize>>,
}

impl Model {
    /// Serves the whole line.
    fn finish(&mut self, place: impl Fn(usize) -> Option<usize>) {
        for number in 0.. {
            let Some((index, _)) = self.places.first(|_| true) else {
                break;
            };
            self.places.queue(index, place(number));
            self.places.serve(index);
        }
    }

    fn arrive(&mut self, index: usize) -> Answer {
        if self.is_broken {
            self.places.remove(index);
            return Poll::Ready(Err(Broken));
        }
        if self.places.waiting(|_| true) + 1 < self.parties {
            self.places.queue(index, None);
            return Poll::Pending;
        }
        self.places.remove(index);
        self.finish(Some);
        Poll::Ready(Ok(self.parties - 1))
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Wait(at_once) => {
                let index = self.places.add(None);
                return Some(match at_once {
                    true => self.arrive(index),
                    false => Poll::Pending,
                });
            }
            Abort | Reset => {
                self.is_broken = matches!(operation, Abort);
                self.finish(|_| None);
            }
        }
        None
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (place, stands) = self.places.polled(index);
        match stands {
            Stands::Outside => self.arrive(index),
            Stands::InLine(_) => Poll::Pending,
            Stands::Served(_) => {
                self.places.remove(index);
                Poll::Ready(place.ok_or(Broken))
            }
        }
    }

    fn abandon(&mut self, index: usize) {
        self.places.remove(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            arrived: self.places.waiting(|_| true),
            waiting: self.places.waiting(|_| true),
            is_broken: self.is_broken,
        }
    }
}

fn compare(parties: usize, program: &[Step<Operation>]) {
    let mut model = Model {
        parties,
        is_broken: false,
        places: Places::new(),
    };
    let (barrier, shared) = (
        Barrier::<Local>::new(parties),
        Barrier::<Shared>::new(parties),
    );
    let mut local = Real {
        barrier: &barrier,
        futures: Futures::new(),
    };
    let mut sync = Real {
        barrier: &shared,
        futures: Futures::new(),
    };
    side_by_side(program, Reset, &mut model, &mut local, &mut sync);
}

proptest! {
    #[test]
    fn a_barrier_lets_through_like_the_model(parties in 1..6_usize, program in operations()) {
        compare(parties, &program);
    }

    #[test]
    fn a_barrier_for_many_lets_through_like_the_model(
        parties in 34..40_usize,
        program in operations(),
        rounds in 1..3_usize,
    ) {
        let crowd = vec![Step::Do(Wait(true)); rounds * parties - 4];
        compare(parties, &[crowd, program].concat());
    }
}
