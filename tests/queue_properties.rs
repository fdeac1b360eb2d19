//! Random programs on queues: `local`, `sync` and a plain model must give the same answers.
//!
//! A program starts, polls and drops futures by hand, in between calls that do not wait. After
//! each step everything that can be seen is compared: the answer, the counts, and which of the
//! living futures have been woken. The model knows no wakers and no lines of pointers; after each
//! step it simply serves whoever can be served.
//!
//! Each order has 256 programs; `PROPTEST_CASES=20000` in the environment tries more.
//!
//! # Not here
//! Threads (the loom models), grants that lapse (unit tests: they need a loop's polls).

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use petla::primitives::{
    ByPriority, Fifo, GetError, Lifo, Local, Mode, Order, PutError, Queue, Shared, Slot,
};
use proptest::prelude::*;

#[path = "queue_properties/model.rs"]
mod model;

use model::{Pick, model, oldest, smallest, youngest};

/// A priority, and a number that no other item of the program has.
type Item = (u8, u32);

#[derive(Clone, Copy, Debug)]
enum Step {
    Put(u8),
    Get,
    Reserve,
    Join,
    PutNowait(u8),
    GetNowait,
    /// Of the living futures, the one at this index, modulo their number.
    Poll(usize),
    Drop(usize),
    FillSlot(usize, u8),
    DropSlot(usize),
    TaskDone,
    Shutdown(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Step::Put),
        4 => Just(Step::Get),
        2 => Just(Step::Reserve),
        1 => Just(Step::Join),
        3 => (0..3_u8).prop_map(Step::PutNowait),
        3 => Just(Step::GetNowait),
        8 => (0..64_usize).prop_map(Step::Poll),
        5 => (0..64_usize).prop_map(Step::Drop),
        2 => ((0..64_usize), (0..3_u8)).prop_map(|(slot, priority)| Step::FillSlot(slot, priority)),
        1 => (0..64_usize).prop_map(Step::DropSlot),
        2 => Just(Step::TaskDone),
        1 => prop::bool::weighted(0.3).prop_map(Step::Shutdown),
    ]
}

/// What a step or a poll gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Pending,
    Done,
    Item(Item),
    Full(Item),
    Empty,
    ShutDown,
    /// The queue is shut down, and this was not put.
    Back(Item),
    TooMany,
}

/// What can be seen of a queue after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    answer: Option<Answer>,
    len: usize,
    full: bool,
    waiting: usize,
    holders: usize,
    peak: usize,
    /// Of each living future, whether it was woken since its last poll.
    woken: Vec<bool>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Living<'q> {
    future: Pin<Box<dyn Future<Output = Answer> + 'q>>,
    woken: Arc<Flag>,
}

impl Living<'_> {
    fn poll(&mut self) -> Answer {
        self.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(self.woken.clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => answer,
            Poll::Pending => Answer::Pending,
        }
    }
}

type Slots<'q, O, M> = RefCell<Vec<Slot<'q, Item, O, M>>>;

fn put_answer(result: Result<(), PutError<Item>>) -> Answer {
    match result {
        Ok(()) => Answer::Done,
        Err(PutError::Full(item)) => Answer::Full(item),
        Err(PutError::ShutDown(item)) => Answer::Back(item),
    }
}

/// The future that a step starts, if it starts one.
fn start<'s, 'q: 's, O: Order<Item>, M: Mode>(
    queue: &'q Queue<Item, O, M>,
    slots: &'s Slots<'q, O, M>,
    step: Step,
    number: u32,
) -> Option<Pin<Box<dyn Future<Output = Answer> + 's>>> {
    Some(match step {
        Step::Put(priority) => {
            let put = queue.put((priority, number));
            Box::pin(async move { put_answer(put.await) })
        }
        Step::Get => {
            Box::pin(async move { queue.get().await.map_or(Answer::ShutDown, Answer::Item) })
        }
        Step::Reserve => Box::pin(async move {
            match queue.reserve().await {
                Ok(slot) => {
                    slots.borrow_mut().push(slot);
                    Answer::Done
                }
                Err(_) => Answer::ShutDown,
            }
        }),
        Step::Join => Box::pin(async move {
            queue.join().await;
            Answer::Done
        }),
        _ => return None,
    })
}

fn real<O: Order<Item>, M: Mode>(capacity: usize, program: &[Step]) -> Vec<Seen> {
    let queue = Queue::<Item, O, M>::bounded(capacity);
    let slots: Slots<'_, O, M> = RefCell::default();
    let mut living: Vec<Living<'_>> = Vec::new();
    let mut all = Vec::new();
    for (number, &step) in (0..).zip(program) {
        let answer = if let Some(future) = start(&queue, &slots, step, number) {
            let woken = Arc::new(Flag(AtomicBool::new(false)));
            let mut future = Living { future, woken };
            let answer = future.poll();
            if answer == Answer::Pending {
                living.push(future);
            }
            Some(answer)
        } else {
            real_step(&queue, &slots, &mut living, step, number)
        };
        let statistics = queue.statistics();
        all.push(Seen {
            answer,
            len: queue.len(),
            full: queue.is_full(),
            waiting: statistics.waiting,
            holders: statistics.holders,
            peak: statistics.peak,
            woken: living
                .iter()
                .map(|one| one.woken.0.load(Ordering::Relaxed))
                .collect(),
        });
    }
    all
}

fn real_step<O: Order<Item>, M: Mode>(
    queue: &Queue<Item, O, M>,
    slots: &Slots<'_, O, M>,
    living: &mut Vec<Living<'_>>,
    step: Step,
    number: u32,
) -> Option<Answer> {
    Some(match step {
        Step::PutNowait(priority) => put_answer(queue.put_nowait((priority, number))),
        Step::GetNowait => match queue.get_nowait() {
            Ok(item) => Answer::Item(item),
            Err(GetError::Empty) => Answer::Empty,
            Err(GetError::ShutDown) => Answer::ShutDown,
        },
        Step::Poll(index) => {
            let index = index.checked_rem(living.len())?;
            let answer = living[index].poll();
            if answer != Answer::Pending {
                living.remove(index);
            }
            answer
        }
        Step::Drop(index) => {
            let index = index.checked_rem(living.len())?;
            living.remove(index);
            Answer::Done
        }
        Step::FillSlot(index, priority) => {
            let index = index.checked_rem(slots.borrow().len())?;
            let slot = slots.borrow_mut().remove(index);
            slot.put((priority, number));
            Answer::Done
        }
        Step::DropSlot(index) => {
            let index = index.checked_rem(slots.borrow().len())?;
            let slot = slots.borrow_mut().remove(index);
            drop(slot);
            Answer::Done
        }
        Step::TaskDone => queue.task_done().map_or(Answer::TooMany, |()| Answer::Done),
        Step::Shutdown(immediate) => {
            queue.shutdown(immediate);
            Answer::Done
        }
        Step::Put(_) | Step::Get | Step::Reserve | Step::Join => unreachable!("started above"),
    })
}

fn compare<O: Order<Item>>(pick: Pick, capacity: usize, program: &[Step]) {
    let expected = model(pick, capacity, program);
    for (mode, seen) in [
        ("local", real::<O, Local>(capacity, program)),
        ("sync", real::<O, Shared>(capacity, program)),
    ] {
        for (index, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
            assert_eq!(
                seen, expected,
                "{mode}, after step {index}: {:?}",
                program[index]
            );
        }
    }
}

proptest! {
    #[test]
    fn a_queue_answers_like_the_model(
        capacity in 1..5_usize,
        program in prop::collection::vec(step(), 0..80),
    ) {
        compare::<Fifo>(oldest, capacity, &program);
    }

    #[test]
    fn a_stack_answers_like_the_model(
        capacity in 1..5_usize,
        program in prop::collection::vec(step(), 0..80),
    ) {
        compare::<Lifo>(youngest, capacity, &program);
    }

    #[test]
    fn a_priority_queue_answers_like_the_model(
        capacity in 1..5_usize,
        program in prop::collection::vec(step(), 0..80),
    ) {
        compare::<ByPriority>(smallest, capacity, &program);
    }
}
