//! Random programs on the primitives: `local`, `sync` and a plain model must do the same.
//!
//! A program starts, polls and drops futures by hand, in between calls that do not wait. After
//! each step everything that can be seen is compared: the answer, the counts, which of the living
//! futures have been woken, in which order, and who still keeps a waker. At the end all is
//! dropped, and has to be as it was. The models know no wakers and no lines of pointers: after
//! each step they serve whoever is first in line and can be served.
//!
//! The same programs run in the tasks of a loop as well, for `local`, where grants lapse.
//!
//! Each property has 256 programs; `PROPTEST_CASES=20000` in the environment tries more.
//!
//! # Not here
//! Queues (`queue_properties`). Threads (the loom models).

#[path = "properties/barrier.rs"]
mod barrier;
#[path = "properties/channel.rs"]
mod channel;
#[path = "properties/condition.rs"]
mod condition;
#[path = "properties/event.rs"]
mod event;
#[path = "properties/harness.rs"]
mod harness;
#[path = "properties/lapse.rs"]
mod lapse;
#[path = "properties/limiter.rs"]
mod limiter;
#[path = "properties/oneshot.rs"]
mod oneshot;
#[path = "properties/permits.rs"]
mod permits;
#[path = "properties/rw_lock.rs"]
mod rw_lock;
#[path = "properties/tasks.rs"]
mod tasks;
#[path = "properties/watch.rs"]
mod watch;
