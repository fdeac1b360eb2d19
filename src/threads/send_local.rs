//! [`send_local`]: a future that only looks as if it could leave its thread.
//!
//! # Invariants
//! - **Home**: what is inside is touched on the thread that made it alone: polls elsewhere panic,
//!   a drop elsewhere leaks it. There is nothing else to do with it.
//! - **Pinned**: the future lies in a box of its own, which is leaked with it: others may keep
//!   pointers into a pinned future until it is dropped.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use crate::task::report;

/// Lets a future that is not `Send` pass where `Send` is asked for but not needed: handlers of web
/// frameworks, services, connections that are driven on this loop.
///
/// It may be moved anywhere, and is polled on its own thread only.
///
/// # Panics
/// When it is polled on another thread. Dropped there, it is leaked, which is reported: that is why
/// the future gets a box of its own.
///
/// # Cancel safety
/// That of `future`.
///
/// # asyncio
/// None: there is nothing like `Send`.
///
/// ```
/// use petla::send_local;
/// use std::{future::Future, rc::Rc};
///
/// fn handler() -> impl Future<Output = usize> + Send {
///     send_local(async {
///         let shared = Rc::new(5);
///         petla::yield_now().await;
///         *shared
///     })
/// }
/// assert_eq!(petla::run(handler()), 5);
/// ```
pub fn send_local<F: IntoFuture>(future: F) -> SendLocal<F::IntoFuture> {
    SendLocal {
        home: thread::current().id(),
        future: ManuallyDrop::new(Box::pin(future.into_future())),
    }
}

/// See [`send_local`].
#[must_use = "futures do nothing unless awaited"]
pub struct SendLocal<F> {
    home: ThreadId,
    future: ManuallyDrop<Pin<Box<F>>>,
}

// SAFETY: Home.
unsafe impl<F> Send for SendLocal<F> {}
// SAFETY: Home; through a shared reference nothing is reached.
unsafe impl<F> Sync for SendLocal<F> {}

impl<F> SendLocal<F> {
    fn is_at_home(&self) -> bool {
        thread::current().id() == self.home
    }
}

impl<F: Future> Future for SendLocal<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        assert!(
            self.is_at_home(),
            "a send_local() future is polled on another thread than the one that made it"
        );
        self.future.as_mut().poll(cx)
    }
}

impl<F> Drop for SendLocal<F> {
    fn drop(&mut self) {
        if self.is_at_home() {
            // SAFETY: once, and not used after.
            unsafe { ManuallyDrop::drop(&mut self.future) };
        } else {
            report::warning("a send_local() future was dropped on another thread: it is leaked");
        }
    }
}

impl<F> Debug for SendLocal<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendLocal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;
    use std::task::Waker;

    #[test]
    fn elsewhere_it_is_neither_polled_nor_dropped() {
        let shared = Rc::new(());
        let inside = Rc::clone(&shared);
        let mut local = Box::pin(send_local(async move { drop(inside) }));
        let away = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = catch_unwind(AssertUnwindSafe(|| local.as_mut().poll(&mut cx)));
            polled.is_err()
        });
        assert!(away.join().unwrap());
        assert_eq!(Rc::strong_count(&shared), 2, "leaked");
    }

    #[test]
    fn what_is_leaked_lies_in_memory_that_is_leaked_with_it() {
        let place = Rc::new(Cell::new(0));
        let inside = Rc::clone(&place);
        let mut local = Box::pin(send_local(async move {
            let pinned = 7_u8;
            inside.set(std::ptr::from_ref(&pinned).addr());
            std::future::pending::<()>().await;
            drop((pinned, inside));
        }));
        let polled = local.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let handle = std::ptr::from_ref(&*local).addr();
        let freed = handle..handle + size_of_val(&*local);
        assert!(!freed.contains(&place.get()));
    }

    #[test]
    fn at_home_it_is_dropped_once() {
        let shared = Rc::new(());
        let inside = Rc::clone(&shared);
        let local = send_local(async move { drop(inside) });
        let local = thread::spawn(move || local).join().unwrap();
        assert_eq!(Rc::strong_count(&shared), 2);
        drop(local);
        assert_eq!(Rc::strong_count(&shared), 1);
    }
}
