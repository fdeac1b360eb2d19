//! [`ChildTasks`]: tasks that a group polls, in place.
//!
//! They are tasks in every respect but one: not the loop polls them but the future of the group,
//! when it is polled. So they may borrow whatever outlives that future, and cannot outlive it:
//! if it is dropped they are dropped, and if it is leaked nobody ever polls them again.
//!
//! Each has a cell like a spawned task (header, handle, name, panics caught) and a place like a
//! combinator's child.
//!
//! # Invariants
//! - **Share**: a `Child` is the loop's share of its cell. It is given up once, by `finish`, after
//!   its place: so a block names only living cells. A `Child` that is not finished is a leak.
//! - **Alone**: a child is polled by `poll` alone, which the group's future calls, and that is not
//!   polled inside of its own poll; nor is it dropped then.
//! - **Env**: a child's future is polled and dropped through `Child<'env>` alone, so while `'env`
//!   lasts.
//! - **Unlent**: neither cell of the struct is borrowed while foreign code runs.
//!
//! # Not here
//! What a failure does to the others: `task_group`.

use std::cell::{OnceCell, RefCell};
use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Weak;
use std::task::{Context, Waker};

use slab::Slab;

use super::Kernel;
use super::children::{Children, Place};
use super::node::Node;
use super::poll::loop_closed;
use crate::error::{Cancelled, JoinError, Panic, Reason};
use crate::task::cell;
use crate::task::{Flags, Header, Task, TaskRef, report, token};

/// The place of the group's body, which is woken like a child, and is none.
const BODY: u32 = 0;

/// See the module.
pub(crate) struct ChildTasks<'env> {
    /// Of the first poll. Empty before.
    home: OnceCell<Weak<Kernel>>,
    children: RefCell<Children>,
    /// `None` in the body's place.
    tasks: RefCell<Slab<Option<Child<'env>>>>,
}

/// What one step of a poll leaves to the group.
pub(crate) enum Step<'a> {
    /// The body is to be polled, with this waker.
    Body(&'a Waker),
    /// A child was polled, and may have panicked.
    Child(Option<Failed>),
}

/// A child that panicked.
pub(crate) struct Failed {
    pub(crate) task: TaskRef,
    pub(crate) panic: Panic,
}

impl<'env> ChildTasks<'env> {
    pub(crate) fn new() -> Self {
        let mut tasks = Slab::new();
        let body = tasks.insert(None);
        debug_assert_eq!(body, BODY as usize);
        ChildTasks {
            home: OnceCell::new(),
            children: RefCell::new(Children::new()),
            tasks: RefCell::new(tasks),
        }
    }

    /// Begins a poll of the group.
    ///
    /// # Panics
    /// Without a loop, and on another loop than the first time.
    pub(crate) fn enter(&self, cx: &Context<'_>) {
        Kernel::with_current("TaskGroup::run()", |kernel| {
            self.home.get_or_init(|| kernel.this.clone());
            self.assert_home(kernel);
            let mut children = self.children.borrow_mut();
            let (place, block) = children.open();
            // Fresh the first time alone, when there are no children.
            if place == Place::Fresh {
                children.add(BODY);
                children.settle();
            }
            drop(children);
            if let Some(block) = block {
                kernel.begin_block(block, cx.waker());
            }
        });
    }

    /// The body is over.
    pub(crate) fn end_body(&self) {
        self.children.borrow_mut().remove(BODY);
    }

    /// Spawns a child: it is polled first by the group's next poll. For a reason not to, it never
    /// runs, and the handle says why.
    ///
    /// # Panics
    /// On another loop than the group's.
    #[inline]
    pub(crate) fn spawn<F: Future + 'env>(
        &self,
        future: F,
        at: &'static Location<'static>,
        refused: Option<Cancelled>,
    ) -> Task<F::Output> {
        Kernel::with_current("TaskGroup::spawn()", |kernel| {
            if refused.is_none() {
                self.assert_home(kernel);
            }
            let task = kernel.make_cell(future, at, Flags::NEW);
            // SAFETY: a new cell with HANDLE set, and `F::Output` by its making.
            let handle = unsafe { Task::new(task) };
            match refused {
                None if kernel.takes_tasks() => self.insert(kernel, task),
                None => kernel.stillborn(task, loop_closed(at)),
                Some(why) => kernel.stillborn(task, why),
            }
            handle
        })
    }

    #[inline]
    fn assert_home(&self, kernel: &Kernel) {
        let home = self.home.get().map(Weak::as_ptr);
        assert!(
            home.is_some_and(|home| std::ptr::eq(home, kernel)),
            "a TaskGroup is used on the loop that it began on"
        );
    }

    #[inline]
    fn insert(&self, kernel: &Kernel, task: NonNull<Header>) {
        let index = self.tasks.borrow_mut().insert(Some(Child::new(task))) as u32;
        let block = self.children.borrow().block();
        let block = block.expect("the group has been entered: it has a block");
        let (slot, parent) = kernel.insert_task(block, index, task);
        // SAFETY: Share: the child was inserted just now.
        unsafe { task.as_ref() }.set_slot(slot);
        if let Some(parent) = parent {
            token::wake_safely(parent);
        }
    }

    /// Polls those that were woken, as many as the loop's budget has left, and one at least;
    /// `step` is told of each.
    pub(crate) fn poll(&self, node: &Node, mut step: impl FnMut(Step<'_>)) {
        Kernel::with_current("a task group", |kernel| {
            let block = self.children.borrow().block();
            let block = block.expect("the group has been entered: it has a block");
            kernel.run.set_group_node(block, node.index());
            let mut due = false;
            while !due && let Some((index, slot)) = kernel.run.next_child(block) {
                due = kernel.budget.spend();
                let waker = kernel.child_waker(slot);
                step(match index {
                    BODY => Step::Body(&waker),
                    _ => Step::Child(self.poll_child(kernel, block, index, &waker)),
                });
            }
            if due {
                kernel
                    .postpone_children(block)
                    .into_iter()
                    .for_each(token::wake_safely);
            }
        });
    }

    /// Polls one child, and ends it if it is over.
    #[inline]
    fn poll_child(&self, kernel: &Kernel, block: u32, index: u32, waker: &Waker) -> Option<Failed> {
        let child = self.tasks.borrow()[index as usize]?;
        if !child.poll(kernel, &mut Context::from_waker(waker)) {
            return None;
        }
        kernel.run.remove_child(block, index);
        self.tasks.borrow_mut().remove(index as usize);
        child.finish(Some(kernel))
    }

    /// Asks all children to end.
    pub(crate) fn cancel(&self, why: &Cancelled) {
        for task in self.headers() {
            // SAFETY: Share: a cancel is a flag and a wake, and ends no child.
            unsafe { task.as_ref() }.cancel(why.clone());
        }
    }

    pub(crate) fn refs(&self) -> Vec<TaskRef> {
        let headers = self.headers().into_iter();
        // SAFETY: Share.
        headers
            .map(|task| TaskRef::of(unsafe { task.as_ref() }))
            .collect()
    }

    fn headers(&self) -> Vec<NonNull<Header>> {
        let tasks = self.tasks.borrow();
        let children = tasks.iter().filter_map(|(_, child)| child.as_ref());
        children.map(|child| child.task).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len() - 1 // the body's place
    }

    /// Drops all children, by code that does not wait; calls `failed` for each that panicked.
    pub(crate) fn clear(&self, mut failed: impl FnMut(Failed)) {
        let mut tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        self.tasks.borrow_mut().insert(None); // the body's place
        let block = self.children.borrow().block();
        self.with_home(|home| {
            if let (Some(kernel), Some(block)) = (home, block) {
                for (index, _) in &tasks {
                    kernel.run.remove_child(block, index as u32);
                }
            }
            for child in tasks.drain().flatten() {
                child.abandon(home).into_iter().for_each(&mut failed);
            }
        });
    }

    /// Calls `f` with the group's loop, if it is there.
    fn with_home(&self, mut f: impl FnMut(Option<&Kernel>)) {
        let Some(home) = self.home.get() else {
            return f(None);
        };
        if let Some(kernel) = home.upgrade() {
            return f(Some(&kernel));
        }
        // While its last owner drops it, it is there all the same, and current.
        let is_closing = Kernel::with(|kernel| {
            let is_home = std::ptr::eq(home.as_ptr(), kernel);
            if is_home {
                f(Some(kernel));
            }
            is_home
        });
        if is_closing != Some(true) {
            f(None);
        }
    }
}

impl Drop for ChildTasks<'_> {
    fn drop(&mut self) {
        self.clear(report_failed);
    }
}

/// For a group that gives no error any more.
pub(crate) fn report_failed(failed: Failed) {
    let panic: &dyn Display = &failed.panic;
    let what = "a child of a dropped group panicked";
    report::report(what, Some(&failed.task), Some(panic));
    token::drop_safely(failed.panic); // the payload may panic
}

/// The loop's share of a task cell, held by the group: it has no destructor, and is finished once.
#[derive(Clone, Copy)]
struct Child<'env> {
    task: NonNull<Header>,
    _env: PhantomData<Box<dyn Future<Output = ()> + 'env>>,
}

impl Child<'_> {
    fn new(task: NonNull<Header>) -> Self {
        Child {
            task,
            _env: PhantomData,
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: Share.
        unsafe { self.task.as_ref() }
    }

    /// Polls the child, or ends it if it is to be cancelled. True if it has ended.
    #[inline]
    fn poll(self, kernel: &Kernel, cx: &mut Context<'_>) -> bool {
        let header = self.header();
        if !header.is_pollable()
            && let Some(ended) = self.make_way(kernel, cx)
        {
            return ended;
        }
        match kernel.poll_cell(self.task, cx) {
            Ok(true) => true,
            Ok(false) if header.is_pollable() => false,
            Ok(false) if header.is(Flags::OVER) => self.cancel(kernel, cx),
            // It was cancelled, maybe by itself.
            Ok(false) => !self.is_held_up(kernel) && self.cancel(kernel, cx),
            Err(payload) => {
                cell::fail_with_panic(header, payload);
                Kernel::drop_future(self.task);
                true
            }
        }
    }

    /// Of a child that was asked to end: whether it has, or `None` if something is open in it,
    /// so that it is to be polled.
    #[cold]
    fn make_way(self, kernel: &Kernel, cx: &mut Context<'_>) -> Option<bool> {
        if self.header().is(Flags::WILL) {
            return Some(kernel.poll_will(self.task, cx));
        }
        match kernel.open_root(self.header()) {
            Some(root) => kernel.doom_below(root),
            None => return Some(self.cancel(kernel, cx)),
        }
        None
    }

    fn is_held_up(self, kernel: &Kernel) -> bool {
        let root = kernel.open_root(self.header());
        root.is_some_and(|root| kernel.is_held_up(self.header(), root))
    }

    /// Drops the future of a child that was asked to end; true if that was all.
    #[cold]
    fn cancel(self, kernel: &Kernel, cx: &mut Context<'_>) -> bool {
        kernel.cancel_future(self.task) || kernel.poll_will(self.task, cx)
    }

    /// Ends it at once, whether its loop is there or not.
    fn abandon(self, home: Option<&Kernel>) -> Option<Failed> {
        self.header().lose_slot();
        let why = self.header().take_cancelled().unwrap_or_else(|| {
            let reason = Reason::from("its group was dropped");
            Cancelled::new(reason, self.header().spawned_at())
        });
        Kernel::drop_cancelled(self.task, why);
        token::drop_safely(self.header().take_will());
        self.finish(home)
    }

    /// Gives the share up. A panic is the group's: the handle says that there was one.
    #[inline]
    fn finish(self, home: Option<&Kernel>) -> Option<Failed> {
        if let Some(kernel) = home {
            kernel.close_root(self.task);
        }
        let failed = self.take_panic();
        // SAFETY: Share: given up once, here; the place is gone.
        unsafe { cell::finish(self.task) };
        failed
    }

    #[inline]
    fn take_panic(self) -> Option<Failed> {
        if !self.header().has_panicked() {
            return None;
        }
        self.take_failure()
    }

    #[cold]
    fn take_failure(self) -> Option<Failed> {
        let Some(JoinError::Panicked(panic)) = self.header().take_failure() else {
            return None;
        };
        let why = Reason::from("it panicked, and the panic is its group's");
        let why = Cancelled::new(why, self.header().spawned_at());
        self.header().fail(JoinError::Cancelled(why));
        let task = TaskRef::of(self.header());
        Some(Failed { task, panic })
    }
}
