//! Channels: they close with the last end of a side, and a stream keeps its place in the line.
//!
//! Futures share the end that they were made of, so an end may be gone but for its futures.
//! Items count how many of them are alive.
//!
//! # Not here
//! The rules of a queue in full, as slots and joins: `queue_properties`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use petla::primitives::{GetError, Local, Mode, PutError, Receiver, Sender, Shared, ShutDown};
use petla::{local, sync};
use proptest::prelude::*;

use super::harness::{Bell, Futures, Machine, Step, program, side_by_side};
use super::tasks::{self, in_tasks};

#[path = "channel_model.rs"]
mod model;

use model::Model;

/// Each with the index of an end, modulo the number of ends of that side.
#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Makes a future, and polls it at once or not.
    Put(usize, bool),
    Get(usize, bool),
    PutNowait(usize),
    GetNowait(usize),
    /// Polls the receiver as a stream, if it has no future.
    PollNext(usize),
    /// Polls a `next` once and drops it, if the receiver has no future.
    TryNext(usize),
    CloneSender(usize),
    CloneReceiver(usize),
    /// Of the senders and then the receivers.
    DropEnd(usize),
}
use Operation::*;

fn operations() -> impl Strategy<Value = Vec<Step<Operation>>> {
    let end = || 0..8_usize;
    let now = || prop::bool::weighted(0.9);
    program(prop_oneof![
        8 => (end(), now()).prop_map(|(end, now)| Put(end, now)),
        6 => (end(), now()).prop_map(|(end, now)| Get(end, now)),
        6 => end().prop_map(PutNowait),
        4 => end().prop_map(GetNowait),
        8 => end().prop_map(PollNext),
        4 => end().prop_map(TryNext),
        2 => end().prop_map(CloneSender),
        4 => end().prop_map(CloneReceiver),
        4 => end().prop_map(DropEnd),
    ])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Pending,
    Done,
    Item(usize),
    Empty,
    ShutDown,
    Full(usize),
    /// The channel is closed, and this was not put.
    Back(usize),
}

/// What an end shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    len: usize,
    is_closed: bool,
    waiting: usize,
    holders: usize,
    peak: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    shown: Option<Shown>,
    /// Of each receiver, the number of its wake-up as a stream, or 0.
    streams: Vec<usize>,
    /// Items that are alive.
    alive: usize,
}

// ---- The real thing

/// A number, and how many there are.
type Item = (usize, Rc<()>);

struct Seat<M: Mode> {
    receiver: Receiver<Item, M>,
    /// For what it waits for as a stream.
    bell: Bell,
}

struct Real<M: Mode> {
    senders: Vec<Rc<Sender<Item, M>>>,
    seats: Vec<Rc<Seat<M>>>,
    futures: Futures<'static, Answer>,
    alive: Rc<()>,
    number: usize,
}

fn put_answer(result: Result<(), PutError<Item>>) -> Answer {
    match result {
        Ok(()) => Answer::Done,
        Err(PutError::Full((number, _))) => Answer::Full(number),
        Err(PutError::ShutDown((number, _))) => Answer::Back(number),
    }
}

fn get_answer(result: Result<Item, ShutDown>) -> Answer {
    result.map_or(Answer::ShutDown, |(number, _)| Answer::Item(number))
}

fn or_pending(polled: Poll<Answer>) -> Answer {
    match polled {
        Poll::Ready(answer) => answer,
        Poll::Pending => Answer::Pending,
    }
}

impl<M: Mode> Real<M> {
    fn new((sender, receiver): (Sender<Item, M>, Receiver<Item, M>)) -> Self {
        let mut real = Real {
            senders: vec![Rc::new(sender)],
            seats: Vec::new(),
            futures: Futures::new(),
            alive: Rc::new(()),
            number: 0,
        };
        real.seat(receiver);
        real
    }

    fn seat(&mut self, receiver: Receiver<Item, M>) {
        let bell = self.futures.bell();
        self.seats.push(Rc::new(Seat { receiver, bell }));
    }

    fn item(&mut self) -> Item {
        self.number += 1;
        (self.number, self.alive.clone())
    }

    fn sender(&self, index: usize) -> Option<Rc<Sender<Item, M>>> {
        let index = index.checked_rem(self.senders.len())?;
        Some(self.senders[index].clone())
    }

    fn get(&mut self, index: usize, at_once: bool) -> Option<Answer> {
        let seat = self.seats[index.checked_rem(self.seats.len())?].clone();
        let future = async move {
            let get = seat.receiver.get();
            seat.bell.stop();
            get_answer(get.await)
        };
        Some(or_pending(self.futures.start(at_once, future)))
    }

    /// Polls a stream, by `poll_next` or by `next`.
    fn next(&mut self, index: usize, by_next: bool) -> Option<Answer> {
        let index = index.checked_rem(self.seats.len())?;
        let Seat { receiver, bell } = Rc::get_mut(&mut self.seats[index])?;
        let polled = match (by_next, bell.waits()) {
            (false, _) => bell.poll(&mut poll_fn(|cx| Pin::new(&mut *receiver).poll_next(cx))),
            (true, true) => bell.poll(&mut pin!(receiver.next())),
            (true, false) => {
                let mut cx = Context::from_waker(Waker::noop());
                pin!(receiver.next()).poll(&mut cx)
            }
        };
        Some(or_pending(
            polled.map(|item| get_answer(item.ok_or(ShutDown))),
        ))
    }

    fn drop_end(&mut self, index: usize) -> Option<Answer> {
        let index = index.checked_rem(self.senders.len() + self.seats.len())?;
        match index.checked_sub(self.senders.len()) {
            None => drop(self.senders.remove(index)),
            Some(index) => drop(self.seats.remove(index)),
        }
        Some(Answer::Done)
    }

    fn shown(&self) -> Option<Shown> {
        let (len, is_closed, statistics) = match (self.senders.first(), self.seats.first()) {
            (Some(sender), _) => (sender.len(), sender.is_closed(), sender.statistics()),
            (_, Some(seat)) => {
                let receiver = &seat.receiver;
                (receiver.len(), receiver.is_closed(), receiver.statistics())
            }
            (None, None) => return None,
        };
        Some(Shown {
            len,
            is_closed,
            waiting: statistics.waiting,
            holders: statistics.holders,
            peak: statistics.peak,
        })
    }
}

impl<M: Mode> Machine for Real<M> {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Put(index, at_once) => {
                let (sender, item) = (self.sender(index)?, self.item());
                let future = async move { put_answer(sender.put(item).await) };
                Some(or_pending(self.futures.start(at_once, future)))
            }
            Get(index, at_once) => self.get(index, at_once),
            PutNowait(index) => {
                let (sender, item) = (self.sender(index)?, self.item());
                Some(put_answer(sender.put_nowait(item)))
            }
            GetNowait(index) => {
                let seat = &self.seats[index.checked_rem(self.seats.len())?];
                seat.bell.stop();
                Some(match seat.receiver.get_nowait() {
                    Ok((number, _)) => Answer::Item(number),
                    Err(GetError::Empty) => Answer::Empty,
                    Err(GetError::ShutDown) => Answer::ShutDown,
                })
            }
            PollNext(index) => self.next(index, false),
            TryNext(index) => self.next(index, true),
            CloneSender(index) => {
                let sender = Sender::clone(&*self.sender(index)?);
                self.senders.push(Rc::new(sender));
                Some(Answer::Done)
            }
            CloneReceiver(index) => {
                let index = index.checked_rem(self.seats.len())?;
                let receiver = self.seats[index].receiver.clone();
                self.seat(receiver);
                Some(Answer::Done)
            }
            DropEnd(index) => self.drop_end(index),
        }
    }

    fn poll(&mut self, index: usize) -> Answer {
        or_pending(self.futures.poll(index))
    }

    fn abandon(&mut self, index: usize) {
        self.futures.abandon(index);
    }

    fn woken(&self) -> Vec<usize> {
        self.futures.woken()
    }

    fn look(&self) -> Seen {
        Seen {
            shown: self.shown(),
            streams: self.seats.iter().map(|seat| seat.bell.woken()).collect(),
            alive: Rc::strong_count(&self.alive) - 1,
        }
    }
}

proptest! {
    #[test]
    fn a_channel_hands_over_like_the_model(capacity in 1..4_usize, program in operations()) {
        let mut model = Model::new(capacity);
        let mut local = Real::<Local>::new(local::channel(capacity));
        let mut sync = Real::<Shared>::new(sync::channel(capacity));
        side_by_side(&program, DropEnd(0), &mut model, &mut local, &mut sync);
        prop_assert_eq!(model.look().alive, 0);
    }
}

/// All but `TryNext`: only the channel knows whether a stream's place lapsed.
fn without_try_next() -> impl Strategy<Value = Vec<Step<Operation>>> {
    operations().prop_map(|mut program| {
        program.retain(|step| !matches!(step, Step::Do(TryNext(_))));
        program
    })
}

proptest! {
    #[test]
    fn items_and_places_that_nobody_looks_at_lapse_like_the_model(
        capacity in 1..4_usize,
        program in in_tasks(without_try_next()),
    ) {
        tasks::run(move |turn| async move {
            let mut model = Model::new(capacity);
            let mut real = Real::<Local>::new(local::channel(capacity));
            tasks::side_by_side(turn, program, DropEnd(0), &mut model, &mut real).await;
            assert_eq!(model.look().alive, 0);
        });
    }
}
