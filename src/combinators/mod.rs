//! Several futures at once: [`gather`], [`try_gather`], [`as_completed`], [`wait`], and the macros
//! [`gather!`](macro@crate::gather), [`try_gather!`](macro@crate::try_gather) and
//! [`select!`](macro@crate::select).
//!
//! | you have | you want | take |
//! | --- | --- | --- |
//! | futures of one type | all results | [`gather`] |
//! | futures of `Result`s | all values, or the first error | [`try_gather`] |
//! | futures of one type, perhaps more later | each result as it comes | [`as_completed`] |
//! | a few futures of different types | all results | `gather!`, `try_gather!` |
//! | a few futures of different types | the first, then go on | `select!` |
//! | tasks | to know which have ended | [`wait`] |
//!
//! The futures are polled in place, by one task: they may borrow from the caller, and nothing
//! runs on when the whole is dropped. To let them run by themselves, give tasks:
//! `gather(urls.map(|url| spawn(fetch(url))))`.
//!
//! None of them needs a loop. On a loop a wake leads to the poll of one child, however many there
//! are; each poll of a child counts for the loop as the poll of a task. Elsewhere, and in the
//! macros, every poll polls all that have not ended.
//!
//! # Not here
//! Limits of time (`time`), waiting for many conditions at once inside a primitive (`local`).

mod as_completed;
mod brood;
mod gather;
mod results;
mod select;
mod try_gather;
mod tuple;
mod turns;
mod wait;

pub use as_completed::{AsCompleted, Next, as_completed};
pub use gather::{Gather, gather, gather_limit};
pub use try_gather::{TryGather, try_gather};
#[doc(hidden)]
pub use tuple::{GatherAll, GatherTuple, TryGatherAll, gather_tuple, try_gather_tuple};
pub use wait::{Wait, When, wait};

/// What only waits may be sent, when the futures may.
const _: () = {
    use crate::time::Sleep;
    use std::vec::IntoIter;
    type Fallible = std::future::Ready<Result<u8, std::io::Error>>;

    const fn send<T: Send>() {}
    send::<Gather<IntoIter<Sleep>>>();
    send::<TryGather<IntoIter<Fallible>>>();
    send::<AsCompleted<IntoIter<Sleep>>>();
    send::<GatherAll<(Sleep, Sleep)>>();
    send::<TryGatherAll<(Fallible, Fallible)>>();
};
