//! What a limiter lends, and whom it lends it to.
//!
//! # Not here
//! How one comes by a token: `acquire`.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::panic::Location;

use super::rules::Rules;
use crate::wait_list::{Mode, WaitList, wake};

/// One of a [`CapacityLimiter`](super::CapacityLimiter)'s tokens, given back when it is dropped.
///
/// One that is leaked stays borrowed.
#[must_use = "the token is given back when it is dropped"]
pub struct Token<'a, M: Mode> {
    list: &'a WaitList<Rules, M>,
    key: usize,
}

impl<'a, M: Mode> Token<'a, M> {
    pub(super) fn new(list: &'a WaitList<Rules, M>, key: usize) -> Self {
        Token { list, key }
    }
}

impl<M: Mode> Drop for Token<'_, M> {
    fn drop(&mut self) {
        let (_borrower, waker) = self
            .list
            .with(|state, lines| state.take_back(lines, self.key));
        if let Some(waker) = waker {
            wake(waker);
        }
    }
}

impl<M: Mode> Debug for Token<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// Who has a token of a [`CapacityLimiter`](super::CapacityLimiter).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Borrower {
    name: Option<Cow<'static, str>>,
    at: &'static Location<'static>,
}

impl Borrower {
    pub(super) fn new(name: Option<Cow<'static, str>>, at: &'static Location<'static>) -> Self {
        Borrower { name, at }
    }

    /// Moves it out, and leaves one without a name.
    pub(super) fn take(&mut self) -> Self {
        Borrower {
            name: self.name.take(),
            at: self.at,
        }
    }

    /// The name that it gave to [`acquire_as`](super::CapacityLimiter::acquire_as).
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where it asked for the token.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }
}
