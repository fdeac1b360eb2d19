//! What all properties share: futures polled by hand, and machines that take the same steps.
//!
//! A property writes its primitive twice as a [`Machine`], once over the real thing and once as
//! a model, and [`side_by_side`] runs a program on both modes and the model. [`Futures`] is what
//! a real machine keeps its futures in, [`Places`] is the same for a model: who stands where.
//!
//! What holds for every future is checked here: nobody is woken twice for one poll, and a waker
//! is kept exactly as long as its future waits for it. Every other poll comes with another waker.
//! Wake-ups are numbered, so that their order is compared as well.
//!
//! # Not here
//! What is waited for.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

// ---- Programs

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<O> {
    Do(O),
    /// Of the living futures, the one at this index, modulo their number.
    Poll(usize),
    Drop(usize),
}

/// Half of the steps are `operation`s.
pub(crate) fn program<O: Clone + Debug>(
    operation: impl Strategy<Value = O>,
) -> impl Strategy<Value = Vec<Step<O>>> {
    let step = prop_oneof![
        6 => operation.prop_map(Step::Do),
        4 => (0..64_usize).prop_map(Step::Poll),
        2 => (0..64_usize).prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 0..80)
}

/// Something that programs run on. What a step cannot be done on answers nothing.
pub(crate) trait Machine {
    type Operation: Copy + Debug;
    type Answer: PartialEq + Debug;
    /// What can be seen from outside.
    type Seen: PartialEq + Debug;

    fn act(&mut self, operation: Self::Operation) -> Option<Self::Answer>;
    fn poll(&mut self, index: usize) -> Self::Answer;
    fn abandon(&mut self, index: usize);
    /// Of each living future, the number of its wake-up since its last poll, or 0.
    fn woken(&self) -> Vec<usize>;
    fn look(&self) -> Self::Seen;

    fn step(&mut self, step: Step<Self::Operation>) -> Option<Self::Answer> {
        let count = self.woken().len();
        match step {
            Step::Do(operation) => self.act(operation),
            Step::Poll(index) => Some(self.poll(index.checked_rem(count)?)),
            Step::Drop(index) => {
                self.abandon(index.checked_rem(count)?);
                None
            }
        }
    }
}

/// Runs a program on all three. Then drops all futures, and does `last` as long as the model has
/// an answer to it.
pub(crate) fn side_by_side<D: Machine>(
    program: &[Step<D::Operation>],
    last: D::Operation,
    model: &mut D,
    local: &mut impl Machine<Operation = D::Operation, Answer = D::Answer, Seen = D::Seen>,
    sync: &mut impl Machine<Operation = D::Operation, Answer = D::Answer, Seen = D::Seen>,
) {
    let mut step = |index: usize, step| {
        let answer = model.step(step);
        let expected = (&answer, model.woken(), model.look());
        let seen = (&local.step(step), local.woken(), local.look());
        assert_eq!(seen, expected, "local, after step {index}: {step:?}");
        let seen = (&sync.step(step), sync.woken(), sync.look());
        assert_eq!(seen, expected, "sync, after step {index}: {step:?}");
        (answer.is_some(), expected.1.len())
    };
    for (index, &each) in program.iter().enumerate() {
        step(index, each);
    }
    let end = program.len();
    while step(end, Step::Drop(0)).1 != 0 {}
    while step(end, Step::Do(last)).0 {}
}

// ---- Real futures

struct Ring {
    /// The number of the wake-up; 0 if there was none.
    number: AtomicUsize,
    /// Wake-ups of the whole machine.
    count: Arc<AtomicUsize>,
}

const TWICE: usize = usize::MAX;

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.number.swap(number, Ordering::Relaxed) != 0 {
            self.number.store(TWICE, Ordering::Relaxed);
        }
    }
}

/// The wakers of one future.
pub(crate) struct Bell {
    ring: Arc<Ring>,
    polls: usize,
    waits: Cell<bool>,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self::of(Arc::default())
    }

    fn of(count: Arc<AtomicUsize>) -> Self {
        Bell {
            ring: Self::ring(count),
            polls: 0,
            waits: Cell::new(false),
        }
    }

    fn ring(count: Arc<AtomicUsize>) -> Arc<Ring> {
        let number = AtomicUsize::new(0);
        Arc::new(Ring { number, count })
    }

    pub(crate) fn poll<F: Future + Unpin>(&mut self, future: &mut F) -> Poll<F::Output> {
        let mut other = Self::ring(self.ring.count.clone());
        if self.polls.is_multiple_of(2) {
            mem::swap(&mut self.ring, &mut other);
        }
        self.polls += 1;
        self.ring.number.store(0, Ordering::Relaxed);
        let waker = Waker::from(self.ring.clone());
        let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
        drop(waker);
        assert_eq!(Arc::strong_count(&other), 1, "an old waker is kept");
        self.waits.set(polled.is_pending());
        polled
    }

    /// Whether its last poll had to wait, and it did not stop since.
    pub(crate) fn waits(&self) -> bool {
        self.waits.get()
    }

    /// Says that it gave up what it waited for, if it did.
    pub(crate) fn stop(&self) {
        self.waits.set(false);
        self.ring.number.store(0, Ordering::Relaxed);
    }

    /// The number of the wake-up since the last poll, or 0.
    pub(crate) fn woken(&self) -> usize {
        let number = self.ring.number.load(Ordering::Relaxed);
        assert_ne!(number, TWICE, "it was woken twice");
        let kept = Arc::strong_count(&self.ring) - 1;
        let needed = usize::from(self.waits() && number == 0);
        assert_eq!(kept, needed, "wakers that are kept");
        number
    }
}

struct Living<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    bell: Bell,
}

/// The futures of a machine, in the order in which they were made.
pub(crate) struct Futures<'a, T> {
    living: Vec<Living<'a, T>>,
    /// Wake-ups so far.
    count: Arc<AtomicUsize>,
}

impl<'a, T> Futures<'a, T> {
    pub(crate) fn new() -> Self {
        Futures {
            living: Vec::new(),
            count: Arc::default(),
        }
    }

    /// Adds a future, and polls it if `at_once`.
    pub(crate) fn start(&mut self, at_once: bool, future: impl Future<Output = T> + 'a) -> Poll<T> {
        self.living.push(Living {
            future: Box::pin(future),
            bell: self.bell(),
        });
        if !at_once {
            return Poll::Pending;
        }
        self.poll(self.living.len() - 1)
    }

    /// A bell whose wake-ups are counted with those of the futures.
    pub(crate) fn bell(&self) -> Bell {
        Bell::of(self.count.clone())
    }

    /// Polls a future, which is gone if it is ready, or panics.
    pub(crate) fn poll(&mut self, index: usize) -> Poll<T> {
        let mut living = self.living.remove(index);
        let polled = living.bell.poll(&mut living.future);
        if polled.is_pending() {
            self.living.insert(index, living);
        }
        polled
    }

    pub(crate) fn abandon(&mut self, index: usize) {
        self.living.remove(index);
    }

    pub(crate) fn woken(&self) -> Vec<usize> {
        self.living.iter().map(|one| one.bell.woken()).collect()
    }
}

// ---- The futures of a model

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It was not polled yet.
    Outside,
    /// Behind all with a smaller number.
    InLine(usize),
    /// It has what it waits for, and was woken; this is the number of its wake-up.
    Served(usize),
}

struct Place<W> {
    wants: W,
    stands: Stands,
    /// The number of its wake-up since its last poll, or 0.
    woken: usize,
    /// The task that polled it last, if it is one of a loop's.
    task: usize,
}

/// Who wants what and stands where, in the order in which they came.
pub(crate) struct Places<W> {
    all: Vec<Place<W>>,
    queued: usize,
    served: usize,
    /// The task that makes the present step.
    task: usize,
}

impl<W: Copy> Places<W> {
    pub(crate) fn new() -> Self {
        Places {
            all: Vec::new(),
            queued: 0,
            served: 0,
            task: 0,
        }
    }

    /// Adds one who stands outside; its index.
    pub(crate) fn add(&mut self, wants: W) -> usize {
        self.all.push(Place {
            wants,
            stands: Stands::Outside,
            woken: 0,
            task: self.task,
        });
        self.all.len() - 1
    }

    /// What one wants who is polled now, and where it stands.
    pub(crate) fn polled(&mut self, index: usize) -> (W, Stands) {
        self.all[index].task = self.task;
        self.get(index)
    }

    pub(crate) fn get(&self, index: usize) -> (W, Stands) {
        let Place { wants, stands, .. } = self.all[index];
        (wants, stands)
    }

    pub(crate) fn remove(&mut self, index: usize) -> (W, Stands) {
        let Place { wants, stands, .. } = self.all.remove(index);
        (wants, stands)
    }

    /// Polls one that goes ahead if it was served, or stood outside and `may`: it is gone then, and
    /// this is what it wanted. Else it stands in line.
    pub(crate) fn pass(&mut self, index: usize, may: bool) -> Option<W> {
        let (wants, stands) = self.polled(index);
        match stands {
            Stands::Outside if !may => self.queue(index, wants),
            Stands::InLine(_) => {}
            Stands::Outside | Stands::Served(_) => {
                self.remove(index);
                return Some(wants);
            }
        }
        None
    }

    /// Puts one at the end of its line, wanting something else maybe.
    pub(crate) fn queue(&mut self, index: usize, wants: W) {
        self.queued += 1;
        let place = &mut self.all[index];
        place.wants = wants;
        place.stands = Stands::InLine(self.queued);
        place.woken = 0;
    }

    pub(crate) fn serve(&mut self, index: usize) {
        self.served += 1;
        let place = &mut self.all[index];
        place.stands = Stands::Served(self.served);
        place.woken = self.served;
    }

    /// Puts one outside again, who wants this from now on. It was woken all the same.
    pub(crate) fn put_out(&mut self, index: usize, wants: W) {
        let place = &mut self.all[index];
        (place.wants, place.stands) = (wants, Stands::Outside);
    }

    /// Of those in line who want such a thing, the first.
    pub(crate) fn first(&self, such: impl Fn(W) -> bool) -> Option<(usize, W)> {
        let places = self.all.iter().enumerate();
        let in_line = places.filter_map(|(index, place)| match place.stands {
            Stands::InLine(number) if such(place.wants) => Some((number, index, place.wants)),
            _ => None,
        });
        let first = in_line.min_by_key(|(number, ..)| *number);
        first.map(|(_, index, wants)| (index, wants))
    }

    /// The first, wherever it stands, who wants such a thing.
    pub(crate) fn find(&self, such: impl Fn(W) -> bool) -> Option<usize> {
        self.all.iter().position(|place| such(place.wants))
    }

    pub(crate) fn any(&self, such: impl Fn(W) -> bool) -> bool {
        self.find(such).is_some()
    }

    /// How many, wherever they stand, want such a thing.
    pub(crate) fn count(&self, such: impl Fn(W) -> bool) -> usize {
        self.all.iter().filter(|place| such(place.wants)).count()
    }

    /// How many are in line who want such a thing.
    pub(crate) fn waiting(&self, such: impl Fn(W) -> bool) -> usize {
        let in_line = |place: &&Place<W>| matches!(place.stands, Stands::InLine(_));
        let in_line = self.all.iter().filter(in_line);
        in_line.filter(|place| such(place.wants)).count()
    }

    /// How many were served who wanted such a thing.
    pub(crate) fn served(&self, such: impl Fn(W) -> bool) -> usize {
        let served = |place: &&Place<W>| matches!(place.stands, Stands::Served(_));
        let served = self.all.iter().filter(served);
        served.filter(|place| such(place.wants)).count()
    }

    /// Of each, the number of its wake-up since its last poll, or 0.
    pub(crate) fn woken(&self) -> Vec<usize> {
        self.woken_of(|_| true)
    }

    /// The same of those who want such a thing.
    pub(crate) fn woken_of(&self, such: impl Fn(W) -> bool) -> Vec<usize> {
        let those = self.all.iter().filter(|place| such(place.wants));
        those.map(|place| place.woken).collect()
    }

    // ---- Tasks

    /// The next step is made in this task; its grants until now, the oldest first.
    pub(crate) fn enter(&mut self, task: usize) -> Vec<usize> {
        self.task = task;
        let its = self.all.iter().filter(|place| place.task == task);
        let mut grants: Vec<_> = its
            .filter_map(|place| match place.stands {
                Stands::Served(number) => Some(number),
                _ => None,
            })
            .collect();
        grants.sort_unstable();
        grants
    }

    /// Who has this grant.
    pub(crate) fn served_as(&self, grant: usize) -> Option<usize> {
        let has = |place: &Place<W>| place.stands == Stands::Served(grant);
        self.all.iter().position(has)
    }
}
