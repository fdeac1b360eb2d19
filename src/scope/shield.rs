//! [`shield`]: a part that cancellations wait for.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::kernel::Node;
use crate::pin::pinned;

/// Lets `future` end before a cancellation goes on: of the scope around it, a timeout, the task.
///
/// It runs in place. When it has ended, the code after it runs to its next wait, and the
/// cancellation takes place there. Nothing above bounds the wait but the end of the loop: give a
/// limit to what might hang, inside.
///
/// A plain drop (`select!`, `try_gather`, foreign executors) drops it all the same: what
/// must survive that, [`spawn`](crate::spawn).
///
/// # Cancel safety
/// That of `future`, for a plain drop.
///
/// # asyncio
/// `shield`, which runs its argument as a task of its own and lets the waiter go at once: that is
/// `spawn`, and a wait for the handle by reference.
///
/// ```
/// use petla::{CancelScope, shield, yield_now};
/// use std::cell::Cell;
///
/// petla::run(async {
///     let committed = Cell::new(false);
///     let scope = CancelScope::new();
///     let result = scope.run(async |s| {
///         shield(async {
///             s.cancel("too late");
///             yield_now().await;
///             committed.set(true);
///         }).await;
///         yield_now().await;
///         unreachable!("cancelled at the first wait after the shield")
///     });
///     assert!(result.await.is_err() && committed.get());
/// });
/// ```
pub fn shield<F: IntoFuture>(future: F) -> Shield<F::IntoFuture> {
    Shield {
        future: future.into_future(),
        node: Node::new(),
    }
}

pinned! {
    /// See [`shield`]. `Send` if the future is.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Shield<F> {
        #[pin]
        future: F,
        node: Node,
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.node.open(cx, true);
        let inside = this.node.enter();
        let polled = this.future.poll(cx);
        drop(inside);
        if polled.is_ready() {
            this.node.close();
        }
        polled
    }
}

impl<F> Debug for Shield<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").finish_non_exhaustive()
    }
}
