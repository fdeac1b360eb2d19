//! The future that takes a token.
//!
//! A token that is free is lent in a step of its own, for which no waker is cloned.
//!
//! # Not here
//! Counting: `rules`. Dropping a future that waits needs no code: its waiter does it.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::rules::{Rules, WAIT};
use super::token::{Borrower, Token};
use crate::pin::pinned;
use crate::wait_list::{Mode, WaitList, Waiter};

pinned! {
    /// The future of [`CapacityLimiter::acquire`](super::CapacityLimiter::acquire) and
    /// [`acquire_as`](super::CapacityLimiter::acquire_as).
    ///
    /// Polled again after it was done, it takes another token, without a name.
    #[must_use = "futures do nothing unless awaited"]
    pub struct AcquireToken<'a, M: Mode> {
        #[pin]
        waiter: Waiter<'a, Rules, M>,
        borrower: Borrower,
    }
}

impl<'a, M: Mode> AcquireToken<'a, M> {
    pub(super) fn new(list: &'a WaitList<Rules, M>, borrower: Borrower) -> Self {
        AcquireToken {
            waiter: Waiter::new(list),
            borrower,
        }
    }
}

impl<'a, M: Mode> Future for AcquireToken<'a, M> {
    type Output = Token<'a, M>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Token<'a, M>> {
        let mut this = self.project();
        let list = this.waiter.list();
        if !this.waiter.is_idle() {
            ready!(this.waiter.poll_grant(cx));
            let key = list.with(|state, _| state.lend_granted(this.borrower));
            return Poll::Ready(Token::new(list, key));
        }
        loop {
            let key = list.with(|state, lines| state.try_lend(lines, this.borrower));
            if let Some(key) = key {
                return Poll::Ready(Token::new(list, key));
            }
            let waiter = this.waiter.as_mut();
            ready!(waiter.enqueue(cx, WAIT, |state, lines| state.is_free(lines).then_some(())));
        }
    }
}

impl<M: Mode> Debug for AcquireToken<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireToken")
            .field("borrower", &self.borrower)
            .finish_non_exhaustive()
    }
}
