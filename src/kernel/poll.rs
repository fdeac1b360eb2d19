//! Spawning and polling: the life of a task, seen from the loop.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;
use std::task::Context;

use super::node::{Cleaner, clean_up, leave_task};
use super::{Kernel, Phase};
use crate::error::{Cancelled, JoinError, Reason};
use crate::run_queue::{Ready, SLOT_BITS};
use crate::task::cell::{self, fail_with_panic};
use crate::task::{Birth, Flags, Header, Task, inherit, report, token, trace};
use crate::{context, wait_list};

/// Deeper than this `spawn_eager` only spawns: each level is a frame of user code.
const EAGER_DEPTH_MAX: u32 = 64;
/// How many panicking wakers are put up with after one poll.
const PANICS_MAX: u32 = 64;

impl Kernel {
    /// Makes a task and queues it. On a closing loop the future is dropped and the handle gives
    /// `JoinError::Cancelled`.
    ///
    /// # Safety
    /// Future and output need not be `'static`: the caller makes sure that the task has ended
    /// before what they borrow does.
    #[inline]
    pub(crate) unsafe fn spawn_unchecked<F: Future>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
        flags: Flags,
    ) -> Task<F::Output> {
        let (task, slot) = self.make(future, spawned_at, flags);
        match slot {
            Some(slot) => self.run.queue(slot),
            None => self.stillborn(task, loop_closed(spawned_at)),
        }
        // SAFETY: a new cell with HANDLE set, and `F::Output` by its making.
        unsafe { Task::new(task) }
    }

    /// Makes a task and queues it.
    #[inline]
    pub(crate) fn spawn<F: Future + 'static>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
        flags: Flags,
    ) -> Task<F::Output> {
        // SAFETY: the future is 'static, and so is what it gives.
        unsafe { self.spawn_unchecked(future, spawned_at, flags) }
    }

    /// Makes a task and polls it once, here and now.
    pub(crate) fn spawn_eager<F: Future + 'static>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> Task<F::Output> {
        let depth = self.eager_depth.get();
        if depth >= EAGER_DEPTH_MAX {
            return self.spawn(future, spawned_at, Flags::NEW);
        }
        let (task, slot) = self.make(future, spawned_at, Flags::NEW);
        // SAFETY: a new cell with HANDLE set, and `F::Output` by its making.
        let handle = unsafe { Task::new(task) };
        match slot {
            Some(slot) => {
                self.eager_depth.set(depth + 1);
                let _other_task = leave_task();
                self.poll(Ready {
                    slot,
                    generation: self.run.generation(slot),
                    task,
                });
                self.eager_depth.set(depth);
            }
            None => self.stillborn(task, loop_closed(spawned_at)),
        }
        handle
    }

    /// Spawns a task that is nothing but the clean-ups in `work`: a loop that is closed waits for
    /// it. Leaves `work` alone when that is too late.
    pub(crate) fn spawn_cleaner<W: 'static, F: Future<Output = ()> + 'static>(
        &self,
        work: &mut Option<W>,
        at: &'static Location<'static>,
        run: impl FnOnce(W) -> F,
    ) {
        if !matches!(self.phase.get(), Phase::Open | Phase::Cleaning) || self.is_forked() {
            return;
        }
        let Some(work) = work.take() else { return };
        let cleaner = Cleaner::new(self);
        let run = run(work);
        let run = async move {
            let _cleaner = cleaner;
            run.await;
        };
        // Also while only clean-ups may spawn: it is one.
        let task = clean_up(|| self.spawn(run, at, Flags::NEW.with(Flags::CLEANER)));
        drop(task.named("clean-up"));
    }

    /// A cell and its slot, or no slot when the loop is closing, or is a forked parent's.
    #[inline]
    fn make<F: Future>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
        flags: Flags,
    ) -> (NonNull<Header>, Option<u32>) {
        let task = self.make_cell(future, spawned_at, flags);
        if !self.takes_tasks() {
            return (task, None);
        }
        self.make_room();
        let slot = self.run.insert(task);
        // SAFETY: the cell is new and ours.
        unsafe { task.as_ref() }.set_slot(slot);
        (task, Some(slot))
    }

    /// A cell without a slot. It is the caller's to end.
    #[inline(always)]
    pub(super) fn make_cell<F: Future>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
        flags: Flags,
    ) -> NonNull<Header> {
        let id = self.next_task.get();
        self.next_task.set(id + 1);
        let loop_index = self.run.loop_index();
        let task = cell::allocate(
            future,
            Birth {
                id,
                loop_index,
                spawned_at,
                flags,
            },
        );
        // SAFETY: the cell is new and ours.
        inherit(unsafe { task.as_ref() });
        task
    }

    /// May a task be spawned now? While the loop closes, by clean-ups alone.
    #[inline(always)]
    pub(super) fn takes_tasks(&self) -> bool {
        match self.phase.get() {
            Phase::Open => !self.is_forked(),
            Phase::Cleaning => self.is_cleaning(),
            Phase::Closing | Phase::Closed => false,
        }
    }

    /// The scopes' part of a task's end.
    #[inline(always)]
    pub(super) fn close_root(&self, task: NonNull<Header>) {
        // SAFETY: Share: not given up yet.
        let header = unsafe { task.as_ref() };
        if let Some(root) = header.scope() {
            header.set_scope(None);
            self.close_node(root);
        }
    }

    /// Room for one slot more, in the run queue and in the mailbox.
    #[inline(always)]
    pub(super) fn make_room(&self) {
        if !self.run.has_free() {
            self.grow();
        }
    }

    #[cold]
    fn grow(&self) {
        self.run.grow();
        self.mailbox.grow(self.run.slots());
    }

    /// A task that is cancelled before it had a slot: its loop, or its group, is closing.
    #[cold]
    pub(super) fn stillborn(&self, task: NonNull<Header>, why: Cancelled) {
        // SAFETY: Share: not given up yet.
        let header = unsafe { task.as_ref() };
        let depth = self.eager_depth.get();
        if depth >= EAGER_DEPTH_MAX {
            // A destructor that spawns what it is the destructor of would nest without end.
            header.clear(Flags::FUTURE);
            report::warning("a destructor spawns itself anew while its loop closes: leaked");
        }
        self.eager_depth.set(depth + 1);
        Kernel::drop_cancelled(task, why);
        self.eager_depth.set(depth);
        // SAFETY: the loop lets go of it, once.
        unsafe { cell::finish(task) };
    }

    /// The task in `slot` as `context` knows it: with 6 bits of its loop, so that the loops of one
    /// thread do not mistake each other's tasks.
    #[inline(always)]
    fn task_key(&self, slot: u32) -> u32 {
        u32::from(self.run.loop_index()) << SLOT_BITS | slot
    }

    /// Polls the task in `slot`, or ends it if it is to be cancelled.
    #[inline(always)]
    pub(super) fn poll(&self, ready: Ready<Header>) {
        // SAFETY: Share: a task in a slot is alive.
        let header = unsafe { ready.task.as_ref() };
        // Piece by piece: as a whole it would have to lie in memory, for each poll.
        let (slot, generation, task) = (ready.slot, ready.generation, ready.task);
        if header.is_pollable() {
            self.poll_now(slot, generation, task);
        } else {
            self.poll_cancelled(slot, task);
        }
    }

    /// Polls the task; true if it has ended.
    #[inline(always)]
    fn poll_now(&self, slot: u32, generation: u32, task: NonNull<Header>) -> bool {
        let waker = token::waker(self.run.loop_index(), generation, slot);
        let key = self.task_key(slot);
        let (outer, number) = context::begin_poll(key);
        let polled = self.poll_cell(task, &mut Context::from_waker(&waker));
        context::end_poll(outer);
        let ended = match polled {
            Ok(false) => false,
            Ok(true) => {
                self.finish(slot, task);
                true
            }
            Err(payload) => {
                self.panicked(slot, task, payload);
                true
            }
        };
        if wait_list::has_unclaimed(key) {
            self.pass_on(key, number);
        }
        ended
    }

    /// Polls a task's future with the task current: true if it has given its output.
    #[inline(always)]
    pub(super) fn poll_cell(
        &self,
        task: NonNull<Header>,
        cx: &mut Context<'_>,
    ) -> Result<bool, Box<dyn Any + Send>> {
        let _polling = token::begin(task);
        // SAFETY: the loop, or the group, has not let go.
        let _inside = trace::enter(unsafe { task.as_ref() });
        // SAFETY: no other poll of it is under way: the slot was taken out of the ring, or the
        // child out of its group. The loop, or the group, has not let go.
        catch_unwind(AssertUnwindSafe(|| unsafe { cell::poll_task(task, cx) }))
    }

    /// A task that was asked to end: at once, unless scopes are open in it. Those go first.
    #[cold]
    #[inline(never)]
    fn poll_cancelled(&self, slot: u32, task: NonNull<Header>) {
        let generation = self.run.generation(slot);
        // SAFETY: Share: a task in a slot is alive.
        let header = unsafe { task.as_ref() };
        if header.is(Flags::WILL) {
            let waker = token::waker(self.run.loop_index(), generation, slot);
            if self.poll_will(task, &mut Context::from_waker(&waker)) {
                self.finish(slot, task);
            }
            return;
        }
        if let Some(root) = self.open_root(header) {
            self.doom_below(root);
            if self.poll_now(slot, generation, task) || self.is_held_up(header, root) {
                return;
            }
        }
        if self.cancel_future(task) {
            self.finish(slot, task);
        } else {
            token::wake_slot_of(&self.run, slot);
        }
    }

    /// Drops the future of a task that was asked to end. False if its will is to be polled now.
    pub(super) fn cancel_future(&self, task: NonNull<Header>) -> bool {
        // SAFETY: Share: not given up yet.
        let header = unsafe { task.as_ref() };
        let cancelled = header
            .take_cancelled()
            .unwrap_or_else(|| loop_closed(header.spawned_at()));
        Kernel::drop_cancelled(task, cancelled);
        let has_will = header.has_will();
        if has_will {
            header.set(Flags::WILL);
        }
        !has_will
    }

    /// Polls what a cancelled task has left to be run; true if that has ended.
    pub(super) fn poll_will(&self, task: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        let _polling = (token::begin(task), leave_task());
        // SAFETY: Share: not given up yet.
        let header = unsafe { task.as_ref() };
        let _inside = trace::enter(header);
        let Some(mut will) = header.take_will() else {
            return true;
        };
        // A panic of what is in it has been caught there.
        let ended = will.poll(cx).is_ready();
        token::drop_safely(header.set_will(will));
        ended
    }

    /// Is there something open in a cancelled task, below its node, that will still end? Not if it
    /// was told and the task rests without having polled it.
    pub(super) fn is_held_up(&self, header: &Header, root: u32) -> bool {
        self.is_held(root) || self.has_open_scopes(root) && self.run.is_awake(header.slot())
    }

    /// The task's own node, if a scope is open below it that can still be polled.
    pub(super) fn open_root(&self, header: &Header) -> Option<u32> {
        let root = header.scope().filter(|_| header.is(Flags::FUTURE))?;
        self.has_open_scopes(root).then_some(root)
    }

    /// Passes on what the task `key` was granted and did not look at.
    #[cold]
    #[inline(never)]
    fn pass_on(&self, key: u32, number: u32) {
        if context::has_postponed(key, number) {
            return;
        }
        let pass_on = || wait_list::after_poll(key, number);
        // A round that a waker's panic ends has passed on one grant more, as a rule.
        for _ in 0..PANICS_MAX {
            match catch_unwind(AssertUnwindSafe(pass_on)) {
                Ok(()) => return,
                Err(payload) => report::panicked("a waker panicked", None, payload),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn panicked(&self, slot: u32, task: NonNull<Header>, payload: Box<dyn Any + Send>) {
        // SAFETY: Share: not given up yet.
        let header = unsafe { task.as_ref() };
        if header.is_callback() {
            report::panicked("a callback panicked", None, payload);
        } else {
            fail_with_panic(header, payload);
        }
        Kernel::drop_future(task);
        self.finish(slot, task);
    }

    /// Drops the future of a task that was asked to end, and ends it.
    ///
    /// Also the end of a task that has lost its future otherwise, so that it is never polled.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel_now(&self, slot: u32, task: NonNull<Header>) {
        // SAFETY: Share: a task in a slot is alive.
        let header = unsafe { task.as_ref() };
        if !header.is(Flags::WILL) {
            self.cancel_future(task);
        }
        token::drop_safely(header.take_will());
        self.finish(slot, task);
    }

    pub(super) fn drop_cancelled(task: NonNull<Header>, cancelled: Cancelled) {
        // SAFETY: Share: not given up yet.
        unsafe { task.as_ref() }.fail(JoinError::Cancelled(cancelled));
        Kernel::drop_future(task);
    }

    /// Drops the future with its task current. A destructor that panics makes the task a
    /// panicked one, unless it has panicked before: then the second panic is reported.
    pub(super) fn drop_future(task: NonNull<Header>) {
        // SAFETY: Share: not given up yet.
        let header = unsafe { task.as_ref() };
        let dropped = {
            let _polling = (token::begin(task), leave_task());
            let _inside = trace::enter(header);
            // SAFETY: no poll of this task is on the stack, and the loop has not let go.
            unsafe { cell::drop_task_future(task) }
        };
        let Err(payload) = dropped else { return };
        if header.has_panicked() {
            report::panicked("a destructor panicked after its task had", None, payload);
        } else {
            fail_with_panic(header, payload);
        }
    }

    #[inline(always)]
    fn finish(&self, slot: u32, task: NonNull<Header>) {
        self.run.remove(slot);
        self.close_root(task);
        // SAFETY: Share: the slot is free, the loop lets go of it once, here.
        unsafe { cell::finish(task) };
    }
}

pub(super) fn loop_closed(at: &'static Location<'static>) -> Cancelled {
    Cancelled::new(Reason::from("the event loop was closed"), at)
}
