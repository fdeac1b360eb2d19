//! System calls that fail on demand, so that tests see what each failure does.
//!
//! Every wrapper of a system call in `sys` begins with `faults::at("name")?`, the name being the
//! call's in the manual. In the library that is nothing at all. In the unit tests it counts the
//! call and asks the thread's [`Plan`], if there is one, whether it shall fail.
//!
//! # Invariants
//! - **Instead**: a call that fails on demand is not made. So a failure never takes anything away:
//!   no connection is accepted and lost, no byte is sent twice.
//!
//! # Not here
//! Answers that are no errors: short reads, early ends. Real peers give those. What shall become
//! of each failure: `testing::faults`.

#[cfg(not(test))]
use std::io;

#[cfg(test)]
pub(crate) mod errnos;
#[cfg(test)]
mod gauge;
#[cfg(test)]
mod plan;

#[cfg(test)]
pub(crate) use errnos::Errno;
#[cfg(test)]
pub(crate) use gauge::{has_children, memory_in_use, raise_sigint};
#[cfg(test)]
pub(crate) use plan::{Plan, at, fail, in_step};

/// Fails as the test that runs has asked for.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn at(_call: &'static str) -> io::Result<()> {
    Ok(())
}
