//! Other programs: started, talked to, waited for, ended.
//!
//! # Not here
//! Signals that this process gets (`signal`).
#![forbid(unsafe_code)]
