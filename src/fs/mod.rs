//! Files, read and written on threads: the system has no other way that always works.
//!
//! # Not here
//! Pipes and devices (`io`): those can be waited for.
#![forbid(unsafe_code)]
