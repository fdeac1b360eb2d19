#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(docsrs, doc(auto_cfg(hide(feature = "_polled"))))]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("petla runs on 64-bit Linux only: it is built on epoll and on 64-bit wakers");

// Floor 0
mod context;
pub mod error;
#[allow(unsafe_code)]
mod pin;
#[allow(unsafe_code)]
mod rt;
#[allow(unsafe_code)]
mod sys;
// Floor 1
#[allow(unsafe_code)]
mod mailbox;
mod reactor;
#[allow(unsafe_code)]
mod run_queue;
mod timer_queue;
#[allow(unsafe_code)]
mod wait_list;
// Floor 2
mod clock;
pub mod local;
pub mod primitives;
pub mod sync;
#[allow(unsafe_code)]
pub mod task;
// Floor 3
#[allow(unsafe_code)]
mod kernel;
// Floor 4
pub mod scope;
// Floor 5
#[allow(unsafe_code)]
pub mod threads;
pub mod time;
// Floor 6
pub mod combinators;
pub mod fs;
pub mod io;
pub mod task_group;
// Floor 7
pub mod event_loop;
pub mod net;
pub mod process;
pub mod signal;
// Floor 8
pub mod streams;
// Floor 9
#[cfg(feature = "_polled")]
pub mod interop;
pub mod testing;
// Floor 10
#[cfg(doc)]
pub mod guide;

#[doc(inline)]
pub use combinators::{
    AsCompleted, Gather, TryGather, Wait, When, as_completed, gather, gather_limit, try_gather,
    wait,
};
#[doc(inline)]
pub use error::{Cancelled, Elapsed, JoinError, Panic, Reason};
#[doc(inline)]
pub use event_loop::{EventLoop, LoopHandle, RemoteTask, run};
#[doc(inline)]
pub use futures_core::Stream;
#[doc(inline)]
pub use kernel::{all_tasks, current_task, spawn, spawn_eager};
#[doc(inline)]
pub use scope::{CancelScope, Scope, Shield, move_on_after, on_cancel, shield};
#[doc(inline)]
pub use task::{ContextVar, Task, TaskId, TaskRef};
#[doc(inline)]
pub use task_group::{ErrorGroup, Ready, TaskGroup};
#[doc(inline)]
pub use threads::{SendLocal, ToThread, send_local, to_thread};
#[doc(inline)]
pub use time::{
    Interval, Sleep, Timeout, interval, now, sleep, sleep_until, timeout, timeout_at, wait_for,
    yield_now,
};

#[cfg(feature = "macros")]
#[doc(inline)]
pub use petla_macros::{main, test};

#[doc(hidden)]
pub mod __private {
    //! What the macros write out.
    pub use crate::combinators::{GatherTuple, gather_tuple, try_gather_tuple};
    pub use crate::event_loop::run_main;
    pub use crate::testing::{run_seeds, run_test};
}
