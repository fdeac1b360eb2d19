//! Every order in which a task can be polled, woken, cancelled, awaited, dropped and panic.
//!
//! One task is taken through a sequence of [`Step`]s while a [`Model`] of a few lines says what
//! must be true after each: how often the future was polled, that future and output are dropped
//! exactly once and when, what the handle gives, what is reported. Tried are all sequences of
//! six steps, and all orders of all seven.
//!
//! A model may be wrong in the same way as what it models, so a table of short stories with
//! their ends written out comes first.
//!
//! # Not here
//! Threads (a task has one); panics in destructors (`tasks/panics.rs`).

mod common;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use petla::{EventLoop, JoinError, Task, TaskRef, spawn, spawn_eager};

use Step::{Await, Cancel, DropHandle, NextEnds, NextPanics, Turn, Wake};
use common::{Count, bump, poll_once, raise};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// The loop makes one batch.
    Turn,
    Wake,
    Cancel,
    /// Polls the handle once.
    Await,
    DropHandle,
    /// From now on a poll panics.
    NextPanics,
    /// From now on a poll gives a value.
    NextEnds,
}

const STEPS: [Step; 7] = [Turn, Wake, Cancel, Await, DropHandle, NextPanics, NextEnds];

/// What can be seen of a task from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    polls: usize,
    futures_dropped: usize,
    outputs_made: usize,
    outputs_dropped: usize,
    reports: usize,
    ended: bool,
    /// What the handle gave, once it gave something.
    given: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Value,
    Cancelled,
    Panicked,
}

// ---- What must be true

#[derive(Clone, Copy, Debug, PartialEq)]
enum Behaviour {
    Waits,
    Panics,
    Ends,
}

struct Model {
    seen: Seen,
    end: Option<End>,
    queued: bool,
    cancel: bool,
    has_waker: bool,
    has_handle: bool,
    awaited: bool,
    next: Behaviour,
}

impl Model {
    fn new(eager: bool) -> Self {
        let mut model = Model {
            seen: Seen::default(),
            end: None,
            queued: true,
            cancel: false,
            has_waker: false,
            has_handle: true,
            awaited: false,
            next: Behaviour::Waits,
        };
        if eager {
            model.take(Turn);
        }
        model
    }

    fn take(&mut self, step: Step) {
        match step {
            Turn if self.queued => self.turn(),
            Wake if self.has_waker => self.queued = self.end.is_none(),
            Cancel => self.cancel(),
            Await if self.has_handle => self.await_once(),
            DropHandle if self.has_handle => self.drop_handle(),
            NextPanics => self.next = Behaviour::Panics,
            NextEnds => self.next = Behaviour::Ends,
            Turn | Wake | Await | DropHandle => {}
        }
    }

    fn turn(&mut self) {
        self.queued = false;
        if self.cancel {
            return self.end(End::Cancelled);
        }
        self.seen.polls += 1;
        self.has_waker = true;
        match self.next {
            Behaviour::Waits => {}
            Behaviour::Panics => self.end(End::Panicked),
            Behaviour::Ends => self.end(End::Value),
        }
    }

    fn end(&mut self, end: End) {
        self.end = Some(end);
        self.seen.ended = true;
        self.seen.futures_dropped += 1;
        self.seen.outputs_made += usize::from(end == End::Value);
        if !self.has_handle {
            self.nobody_looks(end);
        }
    }

    fn nobody_looks(&mut self, end: End) {
        match end {
            End::Value => self.seen.outputs_dropped += 1,
            End::Panicked => self.seen.reports += 1,
            End::Cancelled => {}
        }
    }

    fn cancel(&mut self) {
        if self.end.is_none() {
            self.cancel = true;
            self.queued = true;
        }
    }

    fn await_once(&mut self) {
        match self.end {
            None => self.awaited = true,
            Some(end) if self.seen.given.is_none() => {
                self.seen.given = Some(end);
                self.seen.outputs_dropped += usize::from(end == End::Value);
            }
            Some(_) => {}
        }
    }

    fn drop_handle(&mut self) {
        self.has_handle = false;
        match self.end {
            None if self.awaited => self.cancel(),
            Some(end) if self.seen.given.is_none() => self.nobody_looks(end),
            _ => {}
        }
    }
}

// ---- What is true

/// What future, output and handler write down.
struct Record {
    polls: Count,
    futures_dropped: Count,
    outputs_made: Count,
    outputs_dropped: Count,
    next: Cell<Behaviour>,
    waker: RefCell<Option<Waker>>,
}

struct Subject(Rc<Record>);

impl Future for Subject {
    type Output = Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        let record = &self.0;
        bump(&record.polls);
        record.waker.replace(Some(cx.waker().clone()));
        match record.next.get() {
            Behaviour::Waits => Poll::Pending,
            Behaviour::Panics => raise("on purpose"),
            Behaviour::Ends => {
                bump(&record.outputs_made);
                Poll::Ready(Output(Rc::clone(&record.outputs_dropped)))
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        bump(&self.0.futures_dropped);
    }
}

struct Output(Count);

impl Drop for Output {
    fn drop(&mut self) {
        bump(&self.0);
    }
}

/// The task under test, with everything that is observed of it.
struct Trial {
    record: Rc<Record>,
    task: TaskRef,
    handle: Option<Task<Output>>,
    given: Option<End>,
    reports: Count,
    reports_before: usize,
}

impl Trial {
    fn new(eager: bool, reports: &Count) -> Self {
        let record = Rc::new(Record {
            polls: Count::default(),
            futures_dropped: Count::default(),
            outputs_made: Count::default(),
            outputs_dropped: Count::default(),
            next: Cell::new(Behaviour::Waits),
            waker: RefCell::new(None),
        });
        let subject = Subject(Rc::clone(&record));
        let handle = if eager {
            spawn_eager(subject)
        } else {
            spawn(subject)
        };
        Trial {
            record,
            task: handle.task_ref(),
            handle: Some(handle),
            given: None,
            reports: Rc::clone(reports),
            reports_before: reports.get(),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Turn => petla::yield_now().await,
            Wake => {
                if let Some(waker) = &*self.record.waker.borrow() {
                    waker.wake_by_ref();
                }
            }
            Cancel => assert_eq!(self.task.cancel("on purpose"), !self.task.is_finished()),
            Await => self.await_once(),
            DropHandle => drop(self.handle.take()),
            NextPanics => self.record.next.set(Behaviour::Panics),
            NextEnds => self.record.next.set(Behaviour::Ends),
        }
    }

    /// Polls the handle, unless it has given its result.
    fn await_once(&mut self) {
        let Some(handle) = self.handle.as_mut().filter(|_| self.given.is_none()) else {
            return;
        };
        assert_eq!(handle.is_finished(), self.task.is_finished());
        if let Poll::Ready(result) = poll_once(handle) {
            self.given = Some(match result {
                Ok(_output) => End::Value,
                Err(JoinError::Cancelled(_)) => End::Cancelled,
                Err(JoinError::Panicked(_)) => End::Panicked,
            });
        }
    }

    fn seen(&self) -> Seen {
        Seen {
            polls: self.record.polls.get(),
            futures_dropped: self.record.futures_dropped.get(),
            outputs_made: self.record.outputs_made.get(),
            outputs_dropped: self.record.outputs_dropped.get(),
            reports: self.reports.get() - self.reports_before,
            ended: self.task.is_finished(),
            given: self.given,
        }
    }
}

fn count_reports() -> Count {
    let reports = Count::default();
    let counted = Rc::clone(&reports);
    EventLoop::current().set_exception_handler(move |_| bump(&counted));
    reports
}

// ---- The tests

/// Takes a task through `steps` and then to its end; true to the model after each step?
async fn compare(eager: bool, steps: &[Step], reports: &Count) {
    let (mut trial, mut model) = (Trial::new(eager, reports), Model::new(eager));
    for (taken, &step) in (1..).zip(steps.iter().chain(&[Cancel, Turn, DropHandle])) {
        trial.take(step).await;
        model.take(step);
        let told = || format!("eager: {eager}, {steps:?}, after {taken} steps");
        assert_eq!(trial.seen(), model.seen, "{}", told());
    }
    let seen = trial.seen();
    assert_eq!((seen.futures_dropped, seen.ended), (1, true), "{steps:?}");
    assert_eq!(seen.outputs_made, seen.outputs_dropped, "{steps:?}");
}

#[test]
fn short_stories_end_as_written_here() {
    use End::{Cancelled, Panicked, Value};
    type Story = (&'static [Step], usize, Option<End>, usize);
    let stories: [Story; 16] = [
        // steps, polls, what the handle gave, reports
        (&[Turn], 1, None, 0),
        (&[Turn, Turn], 1, None, 0),
        (&[Turn, Wake, Wake, Turn], 2, None, 0),
        (&[NextEnds, Turn, Await], 1, Some(Value), 0),
        (&[NextEnds, Turn, Cancel, Await], 1, Some(Value), 0),
        (&[NextPanics, Turn, Await], 1, Some(Panicked), 0),
        (&[NextPanics, Turn, Await, DropHandle], 1, Some(Panicked), 0),
        (&[NextPanics, Turn, DropHandle], 1, None, 1),
        (&[DropHandle, NextPanics, Turn], 1, None, 1),
        (&[DropHandle, NextEnds, Turn], 1, None, 0),
        (&[Cancel, Turn, Await], 0, Some(Cancelled), 0),
        (&[Cancel, NextEnds, Turn, Await], 0, Some(Cancelled), 0),
        (
            &[Turn, Wake, Cancel, NextEnds, Turn, Await],
            1,
            Some(Cancelled),
            0,
        ),
        (&[Turn, Await, DropHandle, NextEnds, Turn], 1, None, 0),
        (&[Await, DropHandle, Turn], 0, None, 0),
        (&[Turn, DropHandle, NextEnds, Wake, Turn], 2, None, 0),
    ];
    petla::run(async {
        let reports = count_reports();
        for (steps, polls, given, reported) in stories {
            let mut trial = Trial::new(false, &reports);
            for &step in steps {
                trial.take(step).await;
            }
            let seen = trial.seen();
            assert_eq!(
                (seen.polls, seen.given, seen.reports),
                (polls, given, reported),
                "{steps:?}"
            );
        }
    });
}

#[test]
fn all_sequences_of_six_steps_are_as_the_model_says() {
    petla::run(async {
        let reports = count_reports();
        for number in 0..STEPS.len().pow(6) {
            let digit = |place: u32| STEPS[number / STEPS.len().pow(place) % STEPS.len()];
            let steps: Vec<Step> = (0..6).map(digit).collect();
            compare(false, &steps, &reports).await;
            compare(true, &steps, &reports).await;
        }
    });
}

#[test]
fn all_orders_of_all_steps_are_as_the_model_says() {
    /// Adds all orders of `left` after `begun` to `orders`.
    fn permute(begun: &[Step], left: &[Step], orders: &mut Vec<Vec<Step>>) {
        if left.is_empty() {
            orders.push(begun.to_vec());
        }
        for &step in left {
            let rest: Vec<Step> = left
                .iter()
                .copied()
                .filter(|&other| other != step)
                .collect();
            permute(&[begun, &[step]].concat(), &rest, orders);
        }
    }
    let mut orders = Vec::new();
    permute(&[], &STEPS, &mut orders);
    assert_eq!(orders.len(), 5040);
    petla::run(async {
        let reports = count_reports();
        for steps in &orders {
            compare(false, steps, &reports).await;
            compare(true, steps, &reports).await;
        }
    });
}
