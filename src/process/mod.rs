//! Other programs: started, talked to, waited for, ended.
//!
//! [`Command`] is the standard library's, and starts programs as that does; a [`Child`] is awaited
//! without a thread and without a handler for SIGCHLD.
//!
//! ```
//! use petla::process::Command;
//!
//! petla::run(async {
//!     let output = Command::new("echo").arg("hello").output().await?;
//!     assert!(output.status.success());
//!     assert_eq!(output.stdout, b"hello\n");
//!     std::io::Result::Ok(())
//! })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! # Who ends a child, and who reaps it
//! | | the child |
//! | --- | --- |
//! | a [`Child`] that is dropped | runs on, unless [`Command::kill_on_drop`] says otherwise |
//! | the future of [`Command::output`] or [`Command::status`], dropped | is killed, unless .. |
//! | a limit around [`Child::wait`] and the like that runs out | runs on |
//!
//! However a child was let go, it leaves no zombie: the loop in which it was dropped reaps it when
//! it ends; outside a loop, and after it, the next child that is started does.
//!
//! # Blocking
//! Starting a program holds up the loop for about a millisecond, more with much memory of the
//! process if there is a `uid`, `gid` or `pre_exec`: the standard library forks then. Where that
//! matters, start it on a thread.
//!
//! # The map
//! `command` what to start · `child` the running program · `talk` the futures that feed and read
//! it · `watched` its end: how it is noticed, reaped, and never mistaken for another's ·
//! `orphans` those whose `Child` is gone · `error`.
//!
//! # Not here
//! Signals that this process gets (`signal`); pipes (`io`); lines of a child's output (`streams`);
//! a pool of worker processes, which is an example.
#![forbid(unsafe_code)]

mod child;
mod command;
mod error;
mod orphans;
mod talk;
mod watched;

pub use child::{Child, Wait};
pub use command::Command;
pub use error::{ProcessEnded, StatusLost};
pub use talk::{Collect, Communicate, Run, Stop};
