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
//! - **Alone**: a child is taken out of `tasks` while it is polled, and nowhere else is it polled.
//! - **Env**: a child's future is polled and dropped through `Child<'env>` alone, so while `'env`
//!   lasts.
//! - **Unlent**: neither cell of the struct is borrowed while foreign code runs.
//!
//! # Not here
//! What a failure does to the others: `task_group`.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Weak;
use std::task::Context;

use slab::Slab;

use super::Kernel;
use super::children::Children;
use super::node::Node;
use super::poll::loop_closed;
use crate::error::{Cancelled, JoinError, Panic, Reason};
use crate::task::cell;
use crate::task::{Flags, Header, Task, TaskRef, report, token};

/// See the module.
pub(crate) struct ChildTasks<'env> {
    /// Of the first poll. Empty before.
    home: RefCell<Weak<Kernel>>,
    children: RefCell<Children>,
    /// `None` while it is polled.
    tasks: RefCell<Slab<Option<Child<'env>>>>,
}

/// A child that has ended in a way that its group must know.
pub(crate) struct Failed {
    pub(crate) task: TaskRef,
    pub(crate) panic: Panic,
}

impl<'env> ChildTasks<'env> {
    pub(crate) fn new() -> Self {
        ChildTasks {
            home: RefCell::new(Weak::new()),
            children: RefCell::new(Children::new()),
            tasks: RefCell::new(Slab::new()),
        }
    }

    /// Begins a poll of the group.
    ///
    /// # Panics
    /// Without a loop, and on another loop than the first time.
    pub(crate) fn enter(&self, cx: &Context<'_>) {
        Kernel::with_current("TaskGroup::run()", |kernel| {
            let mut home = self.home.borrow_mut();
            if home.ptr_eq(&Weak::new()) {
                *home = kernel.this.clone();
            }
            assert_home(&home, kernel);
            drop(home);
            // Fresh the first time alone, when there are no children.
            let (_, block) = self.children.borrow_mut().open();
            if let Some(block) = block {
                kernel.begin_block(block, cx.waker());
            }
        });
    }

    /// Spawns a child: it is polled first by the group's next poll. For a reason not to, it never
    /// runs, and the handle says why.
    ///
    /// # Panics
    /// On another loop than the group's.
    pub(crate) fn spawn<F: Future + 'env>(
        &self,
        future: F,
        at: &'static Location<'static>,
        refused: Option<Cancelled>,
    ) -> Task<F::Output> {
        Kernel::with_current("TaskGroup::spawn()", |kernel| {
            if refused.is_none() {
                assert_home(&self.home.borrow(), kernel);
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

    fn insert(&self, kernel: &Kernel, task: NonNull<Header>) {
        let index = self.tasks.borrow_mut().insert(Some(Child::new(task))) as u32;
        let block = self.children.borrow().block();
        let block = block.expect("the group has been polled: it has a block");
        let slot = kernel.insert_child(block, index, Some(task));
        // SAFETY: Share: the child was inserted just now.
        unsafe { task.as_ref() }.set_slot(slot);
        token::wake_slot_of(&kernel.run, slot);
    }

    /// Polls those that were woken; calls `failed` for each that panicked.
    pub(crate) fn poll(&self, node: &Node, mut failed: impl FnMut(Failed)) {
        loop {
            let next = self.children.borrow_mut().take_next();
            let Some(index) = next else {
                let parent = self.children.borrow().postpone();
                return parent.into_iter().for_each(token::wake_safely);
            };
            let waker = self.children.borrow_mut().waker(index);
            let child = self.tasks.borrow_mut()[index as usize].take();
            let Some(mut child) = child else { continue };
            let cx = &mut Context::from_waker(&waker);
            let ended = Kernel::with_current("a task group", |kernel| child.poll(kernel, cx, node));
            if !ended {
                self.tasks.borrow_mut()[index as usize] = Some(child);
                continue;
            }
            self.children.borrow_mut().remove(index);
            self.tasks.borrow_mut().remove(index as usize);
            Kernel::with_current("a task group", |kernel| {
                child.finish(Some(kernel), &mut failed)
            });
        }
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

    /// Those of the children that are not being polled.
    fn headers(&self) -> Vec<NonNull<Header>> {
        let tasks = self.tasks.borrow();
        let children = tasks.iter().filter_map(|(_, child)| child.as_ref());
        children.map(|child| child.task).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Drops all children, by code that does not wait; calls `failed` for each that panicked.
    pub(crate) fn clear(&self, mut failed: impl FnMut(Failed)) {
        let mut tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        let block = self.children.borrow().block();
        self.with_home(|home| {
            if let (Some(kernel), Some(block)) = (home, block) {
                for (index, _) in &tasks {
                    kernel.run.remove_child(block, index as u32);
                }
            }
            for child in tasks.drain().flatten() {
                child.abandon(home, &mut failed);
            }
        });
    }

    /// Calls `f` with the group's loop, if it is there.
    fn with_home(&self, mut f: impl FnMut(Option<&Kernel>)) {
        let home = self.home.borrow().clone();
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

fn assert_home(home: &Weak<Kernel>, kernel: &Kernel) {
    assert!(
        std::ptr::eq(home.as_ptr(), kernel),
        "a TaskGroup is used on the loop that it began on"
    );
}

impl Drop for ChildTasks<'_> {
    fn drop(&mut self) {
        self.clear(report_failed);
    }
}

/// For a group that gives no error any more.
pub(crate) fn report_failed(failed: Failed) {
    let task = Some(&failed.task);
    report::report(
        "a child of a dropped group panicked",
        task,
        Some(&failed.panic),
    );
}

/// The loop's share of a task cell, held by the group.
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
    fn poll(&mut self, kernel: &Kernel, cx: &mut Context<'_>, node: &Node) -> bool {
        if !self.header().is_pollable() {
            match kernel.open_root(self.header()) {
                Some(root) => kernel.doom_below(root),
                None => return self.cancel(),
            }
        }
        let inside = node.enter_child(self.header().id());
        let polled = kernel.poll_cell(self.task, cx);
        drop(inside);
        match polled {
            Ok(true) => true,
            Ok(false) if self.header().is_pollable() => false,
            Ok(false) if self.header().is(Flags::OVER) => self.cancel(),
            // It was cancelled, maybe by itself.
            Ok(false) => kernel.open_root(self.header()).is_none() && self.cancel(),
            Err(payload) => {
                cell::fail_with_panic(self.header(), payload);
                Kernel::drop_future(self.task);
                true
            }
        }
    }

    /// Drops the future of a child that was asked to end.
    #[cold]
    fn cancel(&mut self) -> bool {
        let why = self.header().take_cancelled().unwrap_or_else(|| {
            let reason = Reason::from("its group was dropped");
            Cancelled::new(reason, self.header().spawned_at())
        });
        Kernel::drop_cancelled(self.task, why);
        true
    }

    /// Ends it at once, whether its loop is there or not.
    fn abandon(mut self, home: Option<&Kernel>, failed: &mut impl FnMut(Failed)) {
        self.cancel();
        self.finish(home, failed);
    }

    /// Gives the share up. A panic is the group's: the handle says that there was one.
    fn finish(self, home: Option<&Kernel>, failed: &mut impl FnMut(Failed)) {
        if let Some(kernel) = home {
            kernel.close_root(self.task);
        }
        if self.header().has_panicked()
            && let Some(JoinError::Panicked(panic)) = self.header().take_failure()
        {
            let why = Reason::from("it panicked, and the panic is its group's");
            let why = Cancelled::new(why, self.header().spawned_at());
            self.header().fail(JoinError::Cancelled(why));
            let task = TaskRef::of(self.header());
            failed(Failed { task, panic });
        }
        // SAFETY: Share: given up once, here; the place is gone.
        unsafe { cell::finish(self.task) };
    }
}
