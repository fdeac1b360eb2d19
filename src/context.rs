//! What this thread is doing: which task it polls, which poll that is, whether it runs a loop.
//!
//! The lowest floors need to know: a `local` wait list notes them when it makes a
//! grant, so that a grant its task slept through can lapse (see `wait_list`). The kernel is
//! the only writer. Which loop runs is kept by `task::token` and `kernel`, typed, floors up.
//!
//! Const-initialised thread-locals without a destructor: one `fs`-relative load each, and
//! valid until the thread is gone.
//!
//! # Not here
//! Task-locals: they belong to the task (`task::vars`).

use std::any::Any;
use std::cell::Cell;

/// No task is being polled: plain code, or a callback of another executor.
pub(crate) const NO_TASK: u32 = u32::MAX;

thread_local! {
    static TASK: Cell<u32> = const { Cell::new(NO_TASK) };
    static POLL: Cell<u32> = const { Cell::new(0) };
    static POSTPONED: Cell<(u32, u32)> = const { Cell::new((NO_TASK, 0)) };
    static LOOP: Cell<bool> = const { Cell::new(false) };
    static PAUSE: Cell<Option<Pause>> = const { Cell::new(None) };
}

/// The work of a thread waits for somebody else until this is dropped: anywhere.
pub(crate) type Paused = Box<dyn Any + Send>;

/// Notes that the work of this thread waits for somebody else.
pub(crate) type Pause = fn() -> Option<Paused>;

/// Says what [`pause`] does on this thread.
pub(crate) fn set_pause(pause: Pause) {
    PAUSE.set(Some(pause));
}

/// Before blocking this thread until another one wakes it, who then drops what this gives. Calls
/// no user code; a lock may be held that no loop needs to take a post in.
pub(crate) fn pause() -> Option<Paused> {
    PAUSE.get().and_then(|pause| pause())
}

/// Does a loop run on this thread, so that blocking it would block tasks?
pub(crate) fn is_loop_thread() -> bool {
    LOOP.get()
}

/// Notes whether a loop runs on this thread; gives what was noted before.
pub(crate) fn set_loop_thread(runs: bool) -> bool {
    LOOP.replace(runs)
}

/// The key of the task being polled (its slot, and some bits of its loop), or [`NO_TASK`].
#[inline(always)]
pub(crate) fn task() -> u32 {
    TASK.get()
}

/// The number of the poll under way; it grows by one a poll and wraps.
#[inline(always)]
pub(crate) fn poll_number() -> u32 {
    POLL.get()
}

/// Notes that `task` is polled from now on; returns the task before and the number of this poll.
#[inline(always)]
pub(crate) fn begin_poll(task: u32) -> (u32, u32) {
    let number = POLL.get().wrapping_add(1);
    POLL.set(number);
    (TASK.replace(task), number)
}

/// Notes that `outer` is polled again, or no task.
#[inline(always)]
pub(crate) fn end_poll(outer: u32) {
    TASK.set(outer);
}

/// Notes that the running task leaves some of its children, which were woken, to its next poll:
/// they have not looked past what they were granted.
pub(crate) fn postpone() {
    POSTPONED.set((TASK.get(), POLL.get()));
}

/// Did `task` postpone something in its poll `number`?
pub(crate) fn has_postponed(task: u32, number: u32) -> bool {
    let (postponer, at) = POSTPONED.get();
    // Polls of others inside that one, by `spawn_eager`, have larger numbers.
    postponer == task && at.wrapping_sub(number) <= u32::MAX / 2
}
