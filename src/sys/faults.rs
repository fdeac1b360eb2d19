//! System calls that fail on demand, so that tests see what each failure does.
//!
//! Every wrapper of a system call in `sys` begins with `faults::at("name")?`, the name being the
//! call's in the manual. In the library that is nothing at all.
//!
//! # Not here
//! Answers that are no errors: short reads, early ends. Real peers give those.

use std::io;

/// Fails as the test that runs has asked for.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn at(_call: &'static str) -> io::Result<()> {
    Ok(())
}

/// Fails as the test that runs has asked for.
#[cfg(test)]
pub(crate) fn at(_call: &'static str) -> io::Result<()> {
    Ok(())
}
