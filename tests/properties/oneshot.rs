//! The two ends of a oneshot: what each learns of the other, and where the value goes.
//!
//! The ends are polled themselves, as they borrow nothing: the getter is the first of the
//! futures, while there is one, and the setter the next, which waits until it is abandoned.
//! Values count how many of them are alive.
//!
//! # Not here
//! What panics: a getter that is asked after it gave its result.

use std::rc::Rc;
use std::task::Poll;

use petla::primitives::{Getter, Local, Mode, Setter, Shared};
use petla::{local, sync};
use proptest::prelude::*;

use super::harness::{Bell, Machine, Step, program, side_by_side};

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes two ends, if there is none.
    New,
    Set,
    IsAbandoned,
    GetNowait,
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    program(prop_oneof![
        10 => Just(New),
        2 => Just(Set),
        2 => Just(IsAbandoned),
        2 => Just(GetNowait),
    ])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Pending,
    Value(usize),
    /// The setter was dropped.
    Abandoned,
    /// The getter was dropped.
    Unwanted,
    Wanted,
    Done,
    Back(usize),
}

/// A number, and how many there are.
type Value = (usize, Rc<()>);
type Ends<M> = (Setter<Value, M>, Getter<Value, M>);

struct Real<M: Mode> {
    new: fn() -> Ends<M>,
    setter: Option<(Setter<Value, M>, Bell)>,
    getter: Option<(Getter<Value, M>, Bell)>,
    alive: Rc<()>,
    number: usize,
}

impl<M: Mode> Real<M> {
    fn new(new: fn() -> Ends<M>) -> Self {
        Real {
            new,
            setter: None,
            getter: None,
            alive: Rc::new(()),
            number: 0,
        }
    }

    fn is_getter(&self, index: usize) -> bool {
        index == 0 && self.getter.is_some()
    }
}

impl<M: Mode> Machine for Real<M> {
    type Operation = Operation;
    type Answer = Answer;
    /// How many values are alive.
    type Seen = usize;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            New => {
                if self.setter.is_some() || self.getter.is_some() {
                    return None;
                }
                let (setter, getter) = (self.new)();
                self.setter = Some((setter, Bell::new()));
                self.getter = Some((getter, Bell::new()));
                Answer::Done
            }
            Set => {
                let (setter, _) = self.setter.take()?;
                self.number += 1;
                match setter.set((self.number, self.alive.clone())) {
                    Ok(()) => Answer::Done,
                    Err((number, _)) => Answer::Back(number),
                }
            }
            IsAbandoned => match self.setter.as_ref()?.0.is_abandoned() {
                true => Answer::Unwanted,
                false => Answer::Wanted,
            },
            GetNowait => match self.getter.as_mut()?.0.get_nowait() {
                Ok(None) => Answer::Pending,
                Ok(Some((number, _))) => {
                    self.getter = None;
                    Answer::Value(number)
                }
                Err(_) => {
                    self.getter = None;
                    Answer::Abandoned
                }
            },
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        if let Some((getter, bell)) = self.getter.as_mut().filter(|_| index == 0) {
            let Poll::Ready(result) = bell.poll(getter) else {
                return Answer::Pending;
            };
            self.getter = None;
            return result.map_or(Answer::Abandoned, |(number, _)| Answer::Value(number));
        }
        let (setter, bell) = self.setter.as_mut().expect("it is one of the ends");
        match bell.poll(&mut setter.abandoned()) {
            Poll::Ready(()) => Answer::Unwanted,
            Poll::Pending => Answer::Pending,
        }
    }

    fn abandon(&mut self, index: usize) {
        if self.is_getter(index) {
            self.getter = None;
        } else {
            self.setter = None;
        }
    }

    fn woken(&self) -> Vec<usize> {
        let getter = self.getter.as_ref().map(|(_, bell)| bell);
        let setter = self.setter.as_ref().map(|(_, bell)| bell);
        let ends = getter.into_iter().chain(setter);
        ends.map(|bell| usize::from(bell.woken() != 0)).collect()
    }

    fn look(&self) -> usize {
        Rc::strong_count(&self.alive) - 1
    }
}

// ---- The model

#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    /// It was polled, and was told to wait.
    waits: bool,
    is_woken: bool,
}

impl Waits {
    fn poll(&mut self, waits: bool) {
        self.waits = waits;
        self.is_woken = false;
    }

    fn tell(end: &mut Option<Waits>) {
        if let Some(end) = end {
            end.is_woken = end.waits;
            end.waits = false;
        }
    }
}

#[derive(Default)]
struct Model {
    setter: Option<Waits>,
    getter: Option<Waits>,
    value: Option<usize>,
    number: usize,
}

impl Model {
    /// What the getter gets, if it need not wait. It is gone then.
    fn take(&mut self) -> Answer {
        if self.value.is_none() && self.setter.is_some() {
            return Answer::Pending;
        }
        self.getter = None;
        self.value.take().map_or(Answer::Abandoned, Answer::Value)
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = usize;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        Some(match operation {
            New if self.setter.is_some() || self.getter.is_some() => return None,
            New => {
                (self.setter, self.getter) = (Some(Waits::default()), Some(Waits::default()));
                Answer::Done
            }
            Set => {
                self.setter.take()?;
                self.number += 1;
                if self.getter.is_none() {
                    return Some(Answer::Back(self.number));
                }
                self.value = Some(self.number);
                Waits::tell(&mut self.getter);
                Answer::Done
            }
            IsAbandoned => {
                self.setter?;
                match self.getter {
                    Some(_) => Answer::Wanted,
                    None => Answer::Unwanted,
                }
            }
            GetNowait => {
                self.getter?;
                self.take()
            }
        })
    }

    fn poll(&mut self, index: usize) -> Answer {
        if index == 0 && self.getter.is_some() {
            let answer = self.take();
            if let Some(getter) = &mut self.getter {
                getter.poll(true);
            }
            return answer;
        }
        let waits = self.getter.is_some();
        let setter = self.setter.as_mut().expect("it is one of the ends");
        setter.poll(waits);
        match waits {
            true => Answer::Pending,
            false => Answer::Unwanted,
        }
    }

    fn abandon(&mut self, index: usize) {
        if index == 0 && self.getter.is_some() {
            self.getter = None;
            self.value = None;
            Waits::tell(&mut self.setter);
        } else {
            self.setter = None;
            Waits::tell(&mut self.getter);
        }
    }

    fn woken(&self) -> Vec<usize> {
        let ends = self.getter.iter().chain(&self.setter);
        ends.map(|end| usize::from(end.is_woken)).collect()
    }

    fn look(&self) -> usize {
        usize::from(self.value.is_some())
    }
}

proptest! {
    #[test]
    fn a_value_goes_where_the_model_says(program in operations()) {
        let mut local = Real::<Local>::new(local::oneshot);
        let mut sync = Real::<Shared>::new(sync::oneshot);
        side_by_side(&program, IsAbandoned, &mut Model::default(), &mut local, &mut sync);
    }
}
