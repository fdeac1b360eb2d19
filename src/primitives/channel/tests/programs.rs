//! Random programs of ends that come, go, put and take: the same in both modes, nothing lost.
//!
//! # Not here
//! Lapses, which `local` alone has: no task is polled here.

use std::rc::{Rc, Weak};
use std::task::Poll;

use proptest::prelude::*;

use super::{poll, poll_next};
use crate::primitives::channel::channel;
use crate::primitives::{GetError, Local, Mode, Shared};

#[derive(Clone, Copy, Debug)]
enum Step {
    Put,
    Get(usize),
    PollNext(usize),
    /// One poll of `next`, which is dropped then.
    Next(usize),
    CloneSender,
    CloneReceiver,
    DropSender(usize),
    DropReceiver(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..8_usize;
    prop_oneof![
        4 => Just(Step::Put),
        2 => any.clone().prop_map(Step::Get),
        4 => any.clone().prop_map(Step::PollNext),
        2 => any.clone().prop_map(Step::Next),
        1 => Just(Step::CloneSender),
        2 => Just(Step::CloneReceiver),
        1 => any.clone().prop_map(Step::DropSender),
        1 => any.prop_map(Step::DropReceiver),
    ]
}

/// What a program saw: each item that was taken, put in vain, or the end of a stream.
#[derive(Debug, PartialEq)]
enum Event {
    Taken(u32),
    Back(u32),
    End,
}

/// Runs a program; what was seen, and how many items were left when one side had left.
fn run<M: Mode>(program: &[Step], capacity: usize) -> (Vec<Event>, usize) {
    let (sender, receiver) = channel::<Rc<u32>, M>(capacity);
    let (mut senders, mut receivers) = (vec![sender], vec![receiver]);
    let (mut seen, mut items) = (Vec::new(), Vec::new());
    let took = |item: Option<Rc<u32>>| item.map_or(Event::End, |item| Event::Taken(*item));
    for &step in program {
        let (to, from) = (senders.len(), receivers.len());
        match step {
            Step::Put if to > 0 => {
                let item = Rc::new(items.len() as u32);
                items.push(Rc::downgrade(&item));
                if let Err(error) = senders[0].put_nowait(item) {
                    seen.push(Event::Back(*error.into_inner()));
                }
            }
            Step::Get(n) if from > 0 => seen.extend(match receivers[n % from].get_nowait() {
                Ok(item) => Some(Event::Taken(*item)),
                Err(GetError::ShutDown) => Some(Event::End),
                Err(GetError::Empty) => None,
            }),
            Step::PollNext(n) if from > 0 => {
                if let Poll::Ready(item) = poll_next(&mut receivers[n % from]) {
                    seen.push(took(item));
                }
            }
            Step::Next(n) if from > 0 => {
                if let Poll::Ready(item) = poll(&mut Box::pin(receivers[n % from].next())) {
                    seen.push(took(item));
                }
            }
            Step::CloneSender if to > 0 => senders.push(senders[0].clone()),
            Step::CloneReceiver if from > 0 => receivers.push(receivers[0].clone()),
            Step::DropSender(n) if to > 0 => drop(senders.remove(n % to)),
            Step::DropReceiver(n) if from > 0 => drop(receivers.remove(n % from)),
            _ => {}
        }
    }
    let alive = |items: &[Weak<u32>]| {
        let alive = items.iter().filter(|item| item.strong_count() > 0);
        alive.count()
    };
    let left = alive(&items);
    drop(receivers);
    assert_eq!(alive(&items), 0, "no item outlives the receivers");
    (seen, left)
}

proptest! {
    /// Each item is taken once, comes back, or is dropped with the last receiver; first in,
    /// first out among those that no stream has a right to; and both modes agree.
    #[test]
    fn no_item_is_lost_or_doubled(
        program in prop::collection::vec(step(), 0..80),
        capacity in 1..4_usize,
    ) {
        let (seen, left) = run::<Local>(&program, capacity);
        prop_assert_eq!(&(seen, left), &run::<Shared>(&program, capacity));
    }

    /// With the receivers still there, what was put is taken, came back, or is still inside.
    #[test]
    fn what_is_put_is_conserved(
        program in prop::collection::vec(step(), 0..80),
        capacity in 1..4_usize,
    ) {
        let program: Vec<_> = program
            .into_iter()
            .filter(|step| !matches!(step, Step::DropReceiver(_) | Step::DropSender(_)))
            .collect();
        let puts = program.iter().filter(|step| matches!(step, Step::Put)).count();
        let (seen, left) = run::<Local>(&program, capacity);
        let mut numbers: Vec<_> = seen
            .iter()
            .filter_map(|event| match event {
                Event::Taken(number) | Event::Back(number) => Some(*number),
                Event::End => None,
            })
            .collect();
        prop_assert_eq!(numbers.len() + left, puts);
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(numbers.len() + left, puts);
    }
}
