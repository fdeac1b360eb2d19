//! The same programs in the tasks of a loop, where a grant lapses that its task does not look at.
//!
//! Each step is made in the poll of one of some tasks, so that whoever gets in line there waits
//! for that task. The program with its primitive is one future, which the tasks pass around: it
//! says whose turn it is and is polled by that task next. The main task, which waits for nothing,
//! comes in between, to compare.
//!
//! What was granted to a task's futures before its poll, and is still there after it, lapses.
//! The model is told by [`Model::lapse`].
//!
//! # Not here
//! `sync`, where nothing lapses. Tasks with a will of their own: `lapse`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::harness::{Machine, Places, Step};

/// The main task, and the others.
const TASKS: usize = 4;
const MAIN: usize = 0;

/// A machine that knows who waits in which task.
pub(crate) trait Model: Machine {
    type Wants: Copy;

    fn places(&mut self) -> &mut Places<Self::Wants>;
    /// Takes a grant back, and serves others with it.
    fn lapse(&mut self, index: usize);
}

/// A task for each step.
pub(crate) fn in_tasks<O: Debug>(
    program: impl Strategy<Value = Vec<Step<O>>>,
) -> impl Strategy<Value = Vec<(usize, Step<O>)>> {
    let tasks = prop::collection::vec(1..TASKS, 80);
    (tasks, program).prop_map(|(tasks, program)| tasks.into_iter().zip(program).collect())
}

/// Whose turn it is.
#[derive(Clone, Default)]
pub(crate) struct Turn(Rc<Turns>);

#[derive(Default)]
struct Turns {
    now: Cell<usize>,
    wakers: [RefCell<Option<Waker>>; TASKS],
    /// What the program panicked with in a task, for the main task.
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl Turn {
    /// Goes on in the next poll of `task`.
    async fn switch(&self, task: usize) {
        self.give_to(task);
        let mut is_there = false;
        poll_fn(|_| match mem::replace(&mut is_there, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    fn give_to(&self, task: usize) {
        self.0.now.set(task);
        if let Some(waker) = self.0.wakers[task].take() {
            waker.wake();
        }
    }
}

type Whole = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

/// Polls the program when it is this task's turn, until it is done.
fn poll_whole(turn: &Turn, whole: &Whole, task: usize, cx: &mut Context<'_>) -> Poll<()> {
    turn.0.wakers[task].replace(Some(cx.waker().clone()));
    let mut whole = whole.borrow_mut();
    while turn.0.now.get() == task
        && let Some(program) = &mut *whole
    {
        match catch_unwind(AssertUnwindSafe(|| program.as_mut().poll(cx))) {
            Ok(Poll::Pending) => continue,
            Ok(Poll::Ready(())) => {}
            Err(panic) => turn.0.panic.set(Some(panic)),
        }
        *whole = None;
        turn.give_to(MAIN);
    }
    match *whole {
        Some(_) => Poll::Pending,
        None => Poll::Ready(()),
    }
}

/// Runs what `program` makes, passed around between the tasks.
pub(crate) fn run<F: Future<Output = ()> + 'static>(program: impl FnOnce(Turn) -> F) {
    let turn = Turn::default();
    let whole: Whole = Rc::new(RefCell::new(Some(Box::pin(program(turn.clone())))));
    petla::run(async {
        for task in 1..TASKS {
            let (turn, whole) = (turn.clone(), whole.clone());
            drop(petla::spawn(async move {
                poll_fn(|cx| poll_whole(&turn, &whole, task, cx)).await;
            }));
        }
        petla::yield_now().await; // all have their wakers
        poll_fn(|cx| poll_whole(&turn, &whole, MAIN, cx)).await;
    });
    if let Some(panic) = turn.0.panic.take() {
        resume_unwind(panic);
    }
}

/// Runs a program on both. Then drops all futures, and does `last` as long as the model has an
/// answer to it.
pub(crate) async fn side_by_side<D: Model>(
    turn: Turn,
    program: Vec<(usize, Step<D::Operation>)>,
    last: D::Operation,
    model: &mut D,
    local: &mut impl Machine<Operation = D::Operation, Answer = D::Answer, Seen = D::Seen>,
) {
    let mut index = 0;
    let mut program = program.into_iter();
    loop {
        let next = program.next();
        let (task, step) = match next {
            Some(next) => next,
            None if !model.woken().is_empty() => (1, Step::Drop(0)),
            None => (1, Step::Do(last)),
        };
        let granted = model.places().enter(task);
        turn.switch(task).await;
        let (answer, expected) = (local.step(step), model.step(step));
        turn.switch(MAIN).await;
        for grant in granted {
            if let Some(index) = model.places().served_as(grant) {
                model.lapse(index);
            }
        }
        let seen = (&answer, local.woken(), local.look());
        let expected = (&expected, model.woken(), model.look());
        assert_eq!(
            seen, expected,
            "after step {index} in task {task}: {step:?}"
        );
        if next.is_none() && matches!(step, Step::Do(_)) && answer.is_none() {
            return;
        }
        index += 1;
    }
}
