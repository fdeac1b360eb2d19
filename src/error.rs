//! The errors that the runtime itself gives.
//!
//! One small type for each thing that can go wrong, no crate-wide enum: a signature then says
//! exactly what may happen. All are `Error + Send + Sync + 'static` and convert into
//! [`io::Error`], so `?` works in `io::Result`, in `Box<dyn Error + Send + Sync>` and in
//! `anyhow::Result`. None ever becomes `ErrorKind::Interrupted`, which `read_exact` and `copy`
//! of the standard library retry for ever.
//!
//! # Not here
//! Errors of one module only (`RunError`, the queues' errors): they live beside their cause.
#![forbid(unsafe_code)]

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::io;
use std::panic::Location;
use std::sync::Mutex;
use std::time::Instant;

/// Declares a unit error: `Display`, `Error`, and `?` into `io::Result`.
macro_rules! unit_error {
    ($(#[$meta:meta])* $name:ident, $kind:ident, $text:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($text)
            }
        }

        impl ::std::error::Error for $name {}

        impl From<$name> for ::std::io::Error {
            fn from(error: $name) -> Self {
                ::std::io::Error::new(::std::io::ErrorKind::$kind, error)
            }
        }
    };
}
pub(crate) use unit_error;

unit_error!(
    /// A [`timeout`](crate::timeout) or [`wait_for`](crate::wait_for) ran out.
    ///
    /// # asyncio
    /// `TimeoutError`.
    Elapsed, TimedOut, "deadline has elapsed"
);

/// Why something was cancelled: `"lost the race"`, a `String`, or `()` for no reason given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Option<Cow<'static, str>>);

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Reason(Some(text.into()))
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Reason(Some(text.into()))
    }
}

impl From<()> for Reason {
    fn from((): ()) -> Self {
        Reason(None)
    }
}

/// A cancellation: why, asked for where, and whether it was a deadline.
///
/// # asyncio
/// `CancelledError`; it is a value here, seen by whoever awaits the task, never an exception
/// inside the task.
#[derive(Debug, Clone)]
pub struct Cancelled {
    reason: Reason,
    at: &'static Location<'static>,
    deadline: Option<Instant>,
}

impl Cancelled {
    pub(crate) fn new(reason: Reason, at: &'static Location<'static>) -> Self {
        Cancelled {
            reason,
            at,
            deadline: None,
        }
    }

    /// A deadline that passed, of what began at `at`.
    pub(crate) fn by_deadline(deadline: Instant, at: &'static Location<'static>) -> Self {
        Cancelled {
            reason: Reason(None),
            at,
            deadline: Some(deadline),
        }
    }

    /// The reason given to `cancel`, if there was one.
    pub fn reason(&self) -> Option<&str> {
        self.reason.0.as_deref()
    }

    /// The deadline that passed, if that was the cause.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Where `cancel` was called, or the deadline set.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }
}

impl Display for Cancelled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "cancelled: {reason}"),
            None if self.deadline.is_some() => f.write_str("cancelled by a deadline"),
            None => f.write_str("cancelled"),
        }
    }
}

impl Error for Cancelled {}

impl From<Cancelled> for io::Error {
    /// `TimedOut` for a deadline, otherwise `Other`.
    fn from(cancelled: Cancelled) -> Self {
        let kind = match cancelled.deadline {
            Some(_) => io::ErrorKind::TimedOut,
            None => io::ErrorKind::Other,
        };
        io::Error::new(kind, cancelled)
    }
}

/// A caught panic: its payload, and its message if it was a string.
///
/// The mutex makes the payload, which is only `Send`, shareable without `unsafe`.
pub struct Panic {
    payload: Mutex<Box<dyn Any + Send>>,
    message: Option<String>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast_ref::<&'static str>() {
            Some(text) => Some((*text).to_owned()),
            None => payload.downcast_ref::<String>().cloned(),
        };
        Panic {
            payload: Mutex::new(payload),
            message,
        }
    }

    /// What `panic!` was given, if it was text.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The payload, as `std::panic::catch_unwind` gives it.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Goes on with the panic on this thread.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.into_payload())
    }
}

impl Debug for Panic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic")
            .field(&self.message().unwrap_or("(not text)"))
            .finish()
    }
}

impl Display for Panic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked with a payload that is not text"),
        }
    }
}

/// Why a task gave no value.
#[derive(Debug)]
pub enum JoinError {
    /// It was cancelled before it ended.
    Cancelled(Cancelled),
    /// It panicked.
    Panicked(Panic),
}

impl JoinError {
    /// Was the task cancelled?
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JoinError::Cancelled(_))
    }

    /// Did the task panic?
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }

    /// Was the task cancelled because a deadline passed?
    pub fn is_timeout(&self) -> bool {
        matches!(self, JoinError::Cancelled(cancelled) if cancelled.deadline.is_some())
    }

    /// The reason of a cancellation.
    pub fn reason(&self) -> Option<&str> {
        match self {
            JoinError::Cancelled(cancelled) => cancelled.reason(),
            JoinError::Panicked(_) => None,
        }
    }
}

impl Display for JoinError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled(cancelled) => write!(f, "task {cancelled}"),
            JoinError::Panicked(panic) => write!(f, "task {panic}"),
        }
    }
}

impl Error for JoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            JoinError::Cancelled(cancelled) => Some(cancelled),
            JoinError::Panicked(_) => None,
        }
    }
}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        let kind = if error.is_timeout() {
            io::ErrorKind::TimedOut
        } else {
            io::ErrorKind::Other
        };
        io::Error::new(kind, error)
    }
}
