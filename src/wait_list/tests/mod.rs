//! The wait list by itself, under a policy that gives out tickets.
//!
//! What a loop does around polls (`context::begin_poll`, `after_poll`) is done by hand here.

mod lapses;
mod waits;

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

use super::{Anchored, Batch, Line, Lines, Local, Mode, Policy, Shared, WaitList, Waiter};
use super::{after_poll, has_unclaimed};
use crate::context;
use crate::pin::pinned;

const WAIT: usize = 0;
const RELEASED: usize = 1;
const ASIDE: usize = 2;
const TICKET: u32 = 7;
const NEWS: u32 = 8;

/// Tickets are given to the first in line; `RELEASED` is emptied without tickets, and `ASIDE`
/// by the tests.
struct Tickets;

impl<M: Mode> Policy<M> for Tickets {
    type State = usize;
    type Lines = [Line<M>; 3];

    fn left(&self, free: &mut usize, line: usize, grant: Option<u32>) {
        if (line, grant) == (WAIT, Some(TICKET)) {
            *free += 1;
        }
    }

    fn pump(&self, free: &mut usize, lines: &mut Lines<'_, M>, batch: &mut Batch) {
        while !batch.is_full() {
            if !lines.is_empty(RELEASED) {
                batch.push(lines.notify(RELEASED, NEWS));
            } else if *free > 0 && !lines.is_empty(WAIT) {
                *free -= 1;
                batch.push(lines.grant(WAIT, TICKET));
            } else {
                return;
            }
        }
    }
}

pinned! {
    /// Waits for a ticket, or for the news that all were released: gives the tag.
    struct Ticket<'a, M: Mode> {
        #[pin]
        waiter: Waiter<'a, Tickets, M>,
    }
}

impl<M: Mode> Future for Ticket<'_, M> {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        let this = self.project();
        if !this.waiter.is_idle() {
            return this.waiter.poll_grant(cx);
        }
        this.waiter.enqueue(cx, WAIT, |free, _| {
            *free = free.checked_sub(1)?;
            Some(TICKET)
        })
    }
}

type List<M> = Anchored<Tickets, M>;

fn list<M: Mode>() -> List<M> {
    Anchored::new(Tickets, 0)
}

fn ticket<M: Mode>(list: &WaitList<Tickets, M>) -> Pin<Box<Ticket<'_, M>>> {
    Box::pin(Ticket {
        waiter: Waiter::new(list),
    })
}

fn give<M: Mode>(list: &WaitList<Tickets, M>, tickets: usize) {
    list.settle(|free, _| *free += tickets);
}

fn release_all<M: Mode>(list: &WaitList<Tickets, M>) {
    list.settle(|_, lines| lines.move_all(WAIT, RELEASED));
}

fn waiting<M: Mode>(list: &WaitList<Tickets, M>) -> usize {
    list.with(|_, lines| lines.count(WAIT) + lines.count(RELEASED))
}

fn free<M: Mode>(list: &WaitList<Tickets, M>) -> usize {
    list.with(|free, _| *free)
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls as the loop does, for a task.
fn poll_in<F: Future + ?Sized>(task: u32, future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    in_task(task, || poll(future))
}

/// Runs `f` as a poll of `task`, with what the kernel does around it.
pub(crate) fn in_task<R>(task: u32, f: impl FnOnce() -> R) -> R {
    let (outer, number) = context::begin_poll(task);
    let result = f();
    context::end_poll(outer);
    if has_unclaimed(task) {
        after_poll(task, number);
    }
    result
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A waker that runs a closure of this thread when it is cloned, woken or dropped.
struct Hook(Box<dyn Fn(&'static str)>);

impl Hook {
    fn waker(run: impl Fn(&'static str) + 'static) -> Waker {
        let hook = Rc::into_raw(Rc::new(Hook(Box::new(run))));
        // SAFETY: the table below keeps the contract, on this thread, where it stays.
        unsafe { Waker::from_raw(RawWaker::new(hook.cast(), &HOOKS)) }
    }

    /// # Safety
    /// `data` came from `waker`, and its count is the caller's.
    unsafe fn take(data: *const ()) -> Rc<Hook> {
        // SAFETY: promised by the caller.
        unsafe { Rc::from_raw(data.cast()) }
    }

    fn clone(data: *const ()) -> RawWaker {
        // SAFETY: the waker that is cloned keeps its count: ours is forgotten.
        let hook = mem::ManuallyDrop::new(unsafe { Hook::take(data) });
        (hook.0)("clone");
        RawWaker::new(Rc::into_raw(Rc::clone(&hook)).cast(), &HOOKS)
    }

    fn wake(data: *const ()) {
        // SAFETY: the waker that is woken ends.
        let hook = unsafe { Hook::take(data) };
        (hook.0)("wake");
    }

    fn wake_by_ref(data: *const ()) {
        // SAFETY: the waker keeps its count: ours is forgotten.
        let hook = mem::ManuallyDrop::new(unsafe { Hook::take(data) });
        (hook.0)("wake");
    }

    fn drop(data: *const ()) {
        // SAFETY: the waker that is dropped ends.
        let hook = unsafe { Hook::take(data) };
        (hook.0)("drop");
    }
}

static HOOKS: RawWakerVTable =
    RawWakerVTable::new(Hook::clone, Hook::wake, Hook::wake_by_ref, Hook::drop);

/// Runs each function for `Local` and for `Shared`.
macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident<$mode:ident>() $body:block)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            fn test<$mode: Mode>() $body
            test::<Local>();
            test::<Shared>();
        }
    )*};
}

use in_both_modes;

/// Leaks a value on purpose, where the leak checker finds it.
fn leak<T>(value: T) {
    static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let leaked = Box::into_raw(Box::new(value)).expose_provenance();
    LEAKED.lock().unwrap().push(leaked);
}
