//! Spans and events for [`tracing`](https://docs.rs/tracing), with the feature `tracing`.
//!
//! Each task has a span that tokio-console understands, and what a loop reports becomes an event.
//! Turned on in `Cargo.toml`, `petla = { version = "0.1", features = ["tracing"] }`, and by a
//! subscriber that is installed before the loop runs: `tracing_subscriber::fmt()`, say, with the
//! level TRACE for spans, or WARN for reports alone; or `console_subscriber::init()` for
//! [tokio-console](https://docs.rs/console-subscriber), whose server has a thread and a tokio of its
//! own, and must be built with `RUSTFLAGS="--cfg console_without_tokio_unstable"`. The program
//! `integrations/console` does that.
//!
//! | what | name or target, level | fields |
//! | --- | --- | --- |
//! | a task | span `runtime.spawn`, TRACE | `kind` = "task", `task.id`, `task.name`, *place* |
//! | work of `to_thread` | span `runtime.spawn`, TRACE | `kind` = "blocking", *place* |
//! | a wake | event `runtime::waker`, TRACE | `op` = "waker.wake_by_ref", `task.id` |
//! | a remark: a slow poll, a cycle of tasks | event `petla`, WARN | `message`, *the task* |
//! | an error or panic nobody saw | event `petla`, ERROR | `message`, `error`, *the task* |
//!
//! *Place* is `loc.file`, `loc.line` and `loc.col`; *the task*, if it is one's, `task.id`,
//! `task.name` and its place. The targets of spans are `petla::task` and `petla::thread`. The
//! number in `task.id` is petla's, but that of the task's span in a wake, as tokio-console wants
//! it.
//!
//! # Spans
//! A task's span has no parent. It begins with the task's first poll, when the name that
//! `spawn(f()).named("reader")` gives is known; one that is given later is recorded. Every poll
//! happens inside it, and the destructor of the task's future; it is closed when the task has
//! ended, before whoever awaits it goes on. Children of a [`TaskGroup`](crate::TaskGroup) are
//! tasks and have spans; the futures of a `gather` are not. A task that began without a subscriber
//! never gets a span.
//!
//! Tasks stay on their thread, so the compiler does not object to the guard of `Span::enter()` held
//! across an `.await`; the span would be entered in other tasks then. `.instrument(span)` is right.
//!
//! # Wakes
//! One event for each wake, also for one that found the task awake, and for a cancel. A wake
//! from another thread is told when its loop hears of it; several may be one event then. Wakers are
//! integers that own nothing, so their clones and drops are not told: instead there is one event
//! `waker.clone` beside each new span, or tokio-console would warn of a lost waker. It
//! cannot find a waker that is really lost.
//!
//! # Reports
//! What goes to the exception handler of a loop becomes an event too. Without a handler
//! reports go to stderr, unless a subscriber takes the event. Slow polls are looked for in debug
//! mode alone. The event belongs to the span that is current where the report is made.
//!
//! # Subscribers
//! They may use the loop: spawn, wake, cancel. A panic of theirs is caught and reported, and no
//! task suffers from it. What they wake and report while they are called gives no further event.
//!
//! # Cost
//! Without the feature none. With it, and without a subscriber, two flags are looked at for each
//! poll and a static for each wake. With one, a task has two allocations more.
//!
//! # Not here
//! Callbacks of the loop (`call_soon`) have no span; nor do timers, sockets and locks,
//! tokio-console's "resources". The work that [`fs`](crate::fs) and lookups of names leave to a
//! thread has a span like any other, but its place is one inside of petla.
#![allow(clippy::doc_markdown, reason = "names of fields in a table")]

#[cfg(not(feature = "tracing"))]
mod none;
#[cfg(feature = "tracing")]
mod spans;

#[cfg(not(feature = "tracing"))]
pub(crate) use none::*;
#[cfg(feature = "tracing")]
pub(crate) use spans::*;
