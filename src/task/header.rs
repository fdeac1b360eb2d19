//! The part of a task cell that does not depend on the future's type: 56 bytes.
//!
//! What few tasks need (a name, a reason of cancellation, context variables, references by
//! [`TaskRef`](super::TaskRef)) hangs behind one pointer, `extra`, that is null until then.
//!
//! # Invariants
//! - **Quiet**: no foreign code runs inside `with_extra`, so the box is back before anyone looks.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::cell::VTable;
use super::task_ref::Info;
use super::token;
use super::trace::Kept;
use super::vars::Vars;
use crate::error::{Cancelled, JoinError};

/// What a task is and was asked to be, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flags(pub(super) u16); // 1 << 13 is a flag of `trace::spans`

impl Flags {
    /// A new task: it has its future and a handle.
    pub(crate) const NEW: Flags = Flags(Flags::FUTURE.0 | Flags::HANDLE.0);
    /// The loop has let go. Set last; from then on the handle owns the cell.
    pub(crate) const DONE: Flags = Flags(1);
    /// The handle has not let go.
    pub(crate) const HANDLE: Flags = Flags(1 << 1);
    /// Somebody asked for the task's end. Only before DONE.
    pub(crate) const CANCEL: Flags = Flags(1 << 2);
    /// The handle was polled and Pending: dropping it cancels the task.
    pub(crate) const AWAITED: Flags = Flags(1 << 3);
    /// `cancel_on_drop` was called.
    pub(crate) const CANCEL_ON_DROP: Flags = Flags(1 << 4);
    /// A callback of the loop: in no list of tasks.
    pub(crate) const CALLBACK: Flags = Flags(1 << 5);
    /// The cell holds the future. Cleared *before* the future is dropped.
    pub(crate) const FUTURE: Flags = Flags(1 << 6);
    /// The cell holds the output, not taken yet. Never together with FUTURE.
    pub(crate) const OUTPUT: Flags = Flags(1 << 7);

    /// It is nothing but clean-ups: a loop that closes does not cancel it.
    pub(crate) const CLEANER: Flags = Flags(1 << 9);

    /// Its future is gone, its will is being run. Together with CANCEL.
    pub(crate) const WILL: Flags = Flags(1 << 10);

    /// A child of a group that failed: it is cancelled, and its future is not to be polled again,
    /// whatever is open in it.
    pub(crate) const OVER: Flags = Flags(1 << 11);

    /// It has context variables: spares the task without them a look at the extra part.
    pub(crate) const VARS: Flags = Flags(1 << 12);

    /// There is an extra part: spares the common task a look at it.
    const EXTRA: Flags = Flags(1 << 8);

    pub(crate) const fn with(self, more: Flags) -> Flags {
        Flags(self.0 | more.0)
    }
}

/// See the module. `repr(C)`, and the first field of every cell.
#[repr(C)]
pub(crate) struct Header {
    vtable: &'static VTable,
    spawned_at: &'static Location<'static>,
    joiner: Cell<Option<Waker>>,
    extra: Cell<Option<Box<Extra>>>,
    id: u64,
    slot: Cell<u32>,
    loop_index: u16,
    flags: Cell<Flags>,
}

/// Of a task that was refused at birth, or that its group drops.
const NO_SLOT: u32 = u32::MAX;

const _: () = assert!(
    size_of::<Header>() == 56,
    "a waiting task should stay below 140 bytes"
);

/// Looks at a finished task's output in place, to report an error in it.
pub(super) type Inspect = unsafe fn(&Header, *const ());

/// What few tasks need.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) info: Option<Rc<Info>>,
    pub(super) cancelled: Option<Cancelled>,
    pub(super) failure: Option<JoinError>,
    pub(super) vars: Option<Rc<Vars>>,
    pub(super) inspect: Option<Inspect>,
    /// The node of the scopes in it.
    pub(super) scope: Option<u32>,
    /// What is to run when it is cancelled.
    pub(super) will: Option<Box<dyn Will>>,
    #[allow(dead_code, reason = "without the feature `tracing` it is nothing")]
    pub(super) span: Kept,
}

/// What a task leaves to be run, in its name, when it is cancelled.
pub(crate) trait Will {
    /// Adds to it; the other side knows what.
    fn as_any(&self) -> &dyn Any;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// The task has ended otherwise.
    fn discard(&mut self);
}

/// Where and how a task is spawned.
pub(crate) struct Birth {
    pub(crate) id: u64,
    pub(crate) loop_index: u16,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) flags: Flags,
}

impl Header {
    #[inline(always)]
    pub(super) fn new(vtable: &'static VTable, birth: Birth) -> Header {
        Header {
            vtable,
            spawned_at: birth.spawned_at,
            joiner: Cell::new(None),
            extra: Cell::new(None),
            id: birth.id,
            slot: Cell::new(NO_SLOT),
            loop_index: birth.loop_index,
            flags: Cell::new(birth.flags),
        }
    }

    #[inline(always)]
    pub(super) fn vtable(&self) -> &'static VTable {
        self.vtable
    }

    #[inline(always)]
    pub(crate) fn is(&self, flag: Flags) -> bool {
        self.flags.get().0 & flag.0 != 0
    }

    #[inline(always)]
    pub(crate) fn set(&self, flag: Flags) {
        self.flags.set(self.flags.get().with(flag));
    }

    #[inline(always)]
    pub(crate) fn clear(&self, flag: Flags) {
        self.flags.set(Flags(self.flags.get().0 & !flag.0));
    }

    #[inline(always)]
    pub(crate) fn set_slot(&self, slot: u32) {
        self.slot.set(slot);
    }

    /// The slot is not its own any more: what runs now is a destructor, maybe on another loop.
    pub(crate) fn lose_slot(&self) {
        self.slot.set(NO_SLOT);
    }

    /// Is it a callback of the loop, in no list of tasks?
    pub(crate) fn is_callback(&self) -> bool {
        self.is(Flags::CALLBACK)
    }

    /// Does it have a future that nobody asked to end?
    #[inline(always)]
    pub(crate) fn is_pollable(&self) -> bool {
        self.flags.get().0 & (Flags::FUTURE.0 | Flags::CANCEL.0) == Flags::FUTURE.0
    }

    /// Has a panic been noted as its result?
    #[inline]
    pub(crate) fn has_panicked(&self) -> bool {
        let panicked = |failure: &JoinError| failure.is_panic();
        self.if_extra(|extra| extra.failure.as_ref().map(panicked))
            .unwrap_or(false)
    }

    pub(crate) fn has_slot(&self) -> bool {
        self.slot.get() != NO_SLOT
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot.get()
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// Keeps `waker` for the task's end. Foreign code (clone, drop) runs here, and may even end
    /// the task: the caller looks again.
    #[inline]
    pub(super) fn join(&self, waker: &Waker) {
        let old = self.joiner.take();
        if old.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return self.joiner.set(old);
        }
        let new = waker.clone();
        self.joiner.set(Some(new));
        drop(old);
    }

    /// The waker kept for the task's end, looked at by `f`, which runs no foreign code.
    pub(crate) fn with_joiner<R>(&self, f: impl FnOnce(Option<&Waker>) -> R) -> R {
        let joiner = self.joiner.take();
        let result = f(joiner.as_ref());
        self.joiner.set(joiner);
        result
    }

    #[inline(always)]
    pub(crate) fn take_joiner(&self) -> Option<Waker> {
        self.joiner.take()
    }

    /// Lends the extra part, made now if need be. `f` must run no foreign code: Quiet.
    pub(super) fn with_extra<R>(&self, f: impl FnOnce(&mut Extra) -> R) -> R {
        self.set(Flags::EXTRA);
        let mut extra = self.extra.take().unwrap_or_default();
        let result = f(&mut extra);
        self.extra.set(Some(extra));
        result
    }

    /// The same, but `None` if there is no extra part.
    #[inline]
    pub(super) fn if_extra<R>(&self, f: impl FnOnce(&mut Extra) -> Option<R>) -> Option<R> {
        if !self.is(Flags::EXTRA) {
            return None;
        }
        let mut extra = self.extra.take()?;
        let result = f(&mut extra);
        self.extra.set(Some(extra));
        result
    }

    /// The extra part, for whoever frees the cell.
    #[inline(always)]
    pub(super) fn take_extra(&self) -> Option<Box<Extra>> {
        if self.is(Flags::EXTRA) {
            self.extra.take()
        } else {
            None
        }
    }

    /// The record that outlives the cell, made at the first call.
    pub(super) fn info(&self) -> Rc<Info> {
        let this = NonNull::from(self);
        self.with_extra(|extra| {
            let info = extra
                .info
                .get_or_insert_with(|| Rc::new(Info::new(self, this)));
            Rc::clone(info)
        })
    }

    pub(super) fn given_name(&self) -> Option<Cow<'static, str>> {
        self.if_extra(|extra| extra.info.as_ref()?.given_name())
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        self.given_name().unwrap_or_else(|| default_name(self.id))
    }

    /// Asks for the task's end: a flag and a wake. `false` if it has ended. The first reason stays.
    pub(crate) fn cancel(&self, cancelled: Cancelled) -> bool {
        if self.is(Flags::DONE) {
            return false;
        }
        if !self.is(Flags::CANCEL) {
            self.set(Flags::CANCEL);
            self.with_extra(|extra| extra.cancelled = Some(cancelled));
            token::wake_slot(self.loop_index, self.slot.get());
        }
        true
    }

    /// Notes why there is no output.
    pub(crate) fn fail(&self, failure: JoinError) {
        self.with_extra(|extra| extra.failure = Some(failure));
    }

    /// The cancellation that was asked for.
    pub(crate) fn take_cancelled(&self) -> Option<Cancelled> {
        self.if_extra(|extra| extra.cancelled.take())
    }

    /// Takes the will out; whoever has polled it puts it back.
    #[inline]
    pub(crate) fn take_will(&self) -> Option<Box<dyn Will>> {
        self.if_extra(|extra| extra.will.take())
    }

    /// Gives back what was left meanwhile, whose destructor is foreign code.
    #[must_use = "drop it where foreign code may run"]
    pub(crate) fn set_will(&self, will: Box<dyn Will>) -> Option<Box<dyn Will>> {
        self.with_extra(|extra| extra.will.replace(will))
    }

    pub(crate) fn has_will(&self) -> bool {
        self.if_extra(|extra| Some(extra.will.is_some())) == Some(true)
    }

    /// The number of its node among the scopes of its loop, if scopes have begun in it.
    #[inline]
    pub(crate) fn scope(&self) -> Option<u32> {
        self.if_extra(|extra| extra.scope)
    }

    pub(crate) fn set_scope(&self, scope: Option<u32>) {
        self.with_extra(|extra| extra.scope = scope);
    }

    /// The task has ended: its record says so; its variables are the caller's to drop.
    #[inline]
    pub(super) fn retire(&self) -> Option<Rc<Vars>> {
        self.if_extra(|extra| {
            if let Some(info) = &extra.info {
                info.end();
            }
            extra.vars.take()
        })
    }

    pub(crate) fn take_failure(&self) -> Option<JoinError> {
        self.if_extra(|extra| extra.failure.take())
    }
}

pub(super) fn default_name(id: u64) -> Cow<'static, str> {
    format!("task-{id}").into()
}
