//! [`wait`]: which of these tasks have ended?
//!
//! # Invariants
//! - **Borrowed**: the tasks are looked at, never awaited: no result is taken, and dropping the
//!   wait cancels nobody and takes its wakers out again.
//!
//! # Cost
//! O(tasks) for the first poll and the last, O(1) for a task that ends in between. Nothing is
//! registered if the first poll finds enough.
//!
//! # Not here
//! Taking the results: await the tasks, or give them to `gather` or `as_completed`.
#![forbid(unsafe_code)]

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::turns::Turns;
use crate::error::JoinError;
use crate::task::Task;
use crate::time::{Sleep, sleep};

/// When a [`wait`] is over: [`FirstCompleted`](When::FirstCompleted), [`All`](When::All), or
/// [`first`](When::first) of a kind.
///
/// Constants, not variants: [`FirstException`](When::FirstException) is there only for tasks that
/// end with a `Result`, since code for any type could not see an `Err`.
///
/// # asyncio
/// `return_when`.
pub struct When<T> {
    enough: fn(&Result<T, JoinError>) -> bool,
}

#[allow(
    non_upper_case_globals,
    reason = "they read as the variants of an enum"
)]
impl<T> When<T> {
    /// One task has ended, however it did.
    pub const FirstCompleted: Self = When { enough: |_| true };

    /// All tasks have ended.
    pub const All: Self = When { enough: |_| false };

    /// A task has ended with a result for which `enough` is true; otherwise when all have ended.
    ///
    /// ```
    /// use petla::{When, spawn, wait};
    ///
    /// petla::run(async {
    ///     let mut tasks = vec![spawn(async { 12 }), spawn(std::future::pending())];
    ///     let large = When::first(|result| matches!(result, Ok(10..)));
    ///     assert_eq!(wait(&mut tasks, large, None).await.len(), 1);
    /// });
    /// ```
    pub const fn first(enough: fn(&Result<T, JoinError>) -> bool) -> Self {
        When { enough }
    }
}

#[allow(
    non_upper_case_globals,
    reason = "they read as the variants of an enum"
)]
impl<T, E> When<Result<T, E>> {
    /// A task has ended with an `Err` or a panic, or all have ended. A cancelled task does not
    /// count.
    pub const FirstException: Self = When {
        enough: |result| match result {
            Ok(output) => output.is_err(),
            Err(error) => error.is_panic(),
        },
    };
}

impl<T> Clone for When<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for When<T> {}

impl<T> Debug for When<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("When").finish_non_exhaustive()
    }
}

/// Waits until some of `tasks` have ended, moves those out, in order, and leaves the others.
///
/// `when` says how many are enough; all that have ended by then are moved out. With a limit it
/// also ends when that has passed, with whatever has ended, perhaps nothing; that is no error. A
/// limit of zero lets the tasks that are ready run once. Without tasks it ends at once.
///
/// It never cancels a task, and does not count as awaiting one (see [`Task`]): a handle that is
/// dropped afterwards lets its task run on.
///
/// # Panics
/// With a limit: when polled outside a loop. Polling it again after it has ended. A panic in the
/// closure of [`When::first`] goes through it and leaves all as it was.
///
/// # Cancel safety
/// **Strict.** Dropped before its end it has touched nothing.
///
/// # asyncio
/// `done, pending = await wait(pending, timeout=.., return_when=..)` is
/// `let done = wait(&mut pending, when, limit).await`; here both keep their order, and no tasks
/// are no error.
///
/// # Examples
/// ```
/// use petla::{When, spawn, wait};
/// use std::time::Duration;
///
/// petla::run(async {
///     let nap = |ms| spawn(petla::sleep(Duration::from_millis(ms)));
///     let mut pending = vec![nap(60_000), nap(1)];
///     let done = wait(&mut pending, When::FirstCompleted, None).await;
///     assert_eq!((done.len(), pending.len()), (1, 1));
///     let none = wait(&mut pending, When::All, Duration::from_millis(1)).await;
///     assert!(none.is_empty());
/// });
/// ```
#[doc(alias("select_all", "race"))]
pub fn wait<T>(
    tasks: &mut Vec<Task<T>>,
    when: When<T>,
    timeout: impl Into<Option<Duration>>,
) -> Wait<'_, T> {
    Wait {
        left: tasks.len(),
        noted: vec![false; tasks.len()],
        tasks: Some(tasks),
        when,
        limit: timeout.into().map(sleep),
        turns: Turns::new(),
        polled: false,
    }
}

/// See [`wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a, T> {
    /// Until it is over.
    tasks: Option<&'a mut Vec<Task<T>>>,
    /// Which tasks have been found to have ended.
    noted: Vec<bool>,
    /// How many have not.
    left: usize,
    when: When<T>,
    limit: Option<Sleep>,
    turns: Turns,
    polled: bool,
}

/// Only the references to the tasks are in here.
impl<T> Unpin for Wait<'_, T> {}

impl<T> Wait<'_, T> {
    /// Have enough tasks ended? Looks at all in the first poll, later at those that were woken.
    fn has_enough(&mut self, cx: &mut Context<'_>) -> bool {
        let tasks = self.tasks.as_deref().map_or(&[][..], Vec::as_slice);
        if !self.polled {
            for (task, noted) in tasks.iter().zip(&mut self.noted) {
                if *noted || !task.is_finished() {
                    continue;
                }
                *noted = true;
                self.left -= 1;
                if is_enough(task, self.when) {
                    return true;
                }
            }
            self.polled = true;
        }
        let unseen = (0u32..).zip(&self.noted).filter(|(_, noted)| !**noted);
        self.turns.enter(cx, unseen.map(|(index, _)| index));
        while self.left > 0 {
            let Some(index) = self.turns.next() else {
                return false;
            };
            let task = &tasks[index as usize];
            if self.turns.poll(index, cx, |cx| task.poll_done(cx)) {
                self.turns.remove(index);
                self.noted[index as usize] = true;
                self.left -= 1;
                if is_enough(task, self.when) {
                    return true;
                }
            }
        }
        true
    }

    /// Takes the wakers out again: Borrowed.
    fn leave(&mut self) -> Option<&mut Vec<Task<T>>> {
        let tasks = self.tasks.as_deref_mut()?;
        if self.polled {
            tasks.iter().for_each(Task::forget_joiner);
        }
        Some(tasks)
    }
}

/// Is it enough that this task has ended? So it is if its result was taken before.
fn is_enough<T>(task: &Task<T>, when: When<T>) -> bool {
    task.with_result(when.enough).unwrap_or(true)
}

impl<T> Future for Wait<'_, T> {
    type Output = Vec<Task<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(
            this.tasks.is_some(),
            "a `wait` was polled again after it ended"
        );
        if !this.has_enough(cx) {
            match &mut this.limit {
                Some(limit) => ready!(Pin::new(limit).poll(cx)),
                None => return Poll::Pending,
            }
        }
        let ended = |task: &mut Task<T>| task.is_finished();
        let done = this
            .leave()
            .map(|tasks| tasks.extract_if(.., ended).collect());
        this.tasks = None;
        this.turns = Turns::new();
        Poll::Ready(done.unwrap_or_default())
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> Debug for Wait<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("left", &self.left)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
