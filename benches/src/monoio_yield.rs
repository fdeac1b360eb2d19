//! A `yield_now` for monoio that lets other tasks run.
//!
//! monoio has none, and the usual one (wake yourself, return `Pending`) does not yield there: a
//! task that was woken during its own poll goes to the *front* of monoio's queue and is polled
//! again at once. Measured with it, a figure of yields would be one of repeated polls, and a task
//! that yields until another has done something would wait for ever.
//!
//! So a yielding task leaves its waker in a list, and a task of the runtime's own wakes all of the
//! list when its turn comes, in order. It is what tokio's scheduler does inside.
//!
//! # Cost
//! A yield: one waker cloned and woken, a push and a pop. A batch of yields: one more poll.
//!
//! # Not here
//! Several runtimes in one thread at once: the list belongs to the latest.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

thread_local! {
    static YIELDED: RefCell<Yielded> =
        const { RefCell::new(Yielded { wakers: Vec::new(), server: None }) };
}

/// Who yielded since the server last ran.
struct Yielded {
    wakers: Vec<Waker>,
    /// The task that wakes them.
    server: Option<Waker>,
}

/// Starts the task that wakes those who yielded; call it first in a runtime.
pub(crate) fn start_server() {
    YIELDED.with_borrow_mut(|yielded| {
        *yielded = Yielded {
            wakers: Vec::new(),
            server: None,
        }
    });
    let mut batch = Vec::new();
    drop(monoio::spawn(poll_fn(move |cx| {
        YIELDED.with_borrow_mut(|yielded| {
            yielded.server.get_or_insert_with(|| cx.waker().clone());
            std::mem::swap(&mut yielded.wakers, &mut batch);
        });
        batch.drain(..).for_each(Waker::wake);
        Poll::<()>::Pending
    })));
}

/// Lets every task that is ready now run first.
pub(crate) fn yield_now() -> impl Future<Output = ()> + 'static {
    let mut yielded_before = false;
    poll_fn(move |cx| {
        if yielded_before {
            return Poll::Ready(());
        }
        yielded_before = true;
        YIELDED.with_borrow_mut(|yielded| {
            if yielded.wakers.is_empty()
                && let Some(server) = &yielded.server
            {
                server.wake_by_ref();
            }
            yielded.wakers.push(cx.waker().clone());
        });
        Poll::Pending
    })
}
