//! Callbacks: hidden tasks that call a closure once.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::Reason;
use crate::kernel::Kernel;
use crate::task::{Flags, Task};
use crate::time::Sleep;

/// A callback that can be cancelled. Dropping this does not cancel it.
///
/// # asyncio
/// `Handle` and `TimerHandle`.
///
/// ```
/// petla::run(async {
///     let call = petla::EventLoop::current().call_soon(|| unreachable!());
///     assert!(call.cancel());
///     petla::yield_now().await;
///     assert!(!call.cancel(), "it is over");
/// });
/// ```
pub struct CallHandle {
    task: Task<()>,
}

impl CallHandle {
    /// Prevents the call; `false` if it was made, or is being made. The closure is dropped in the
    /// next batch.
    ///
    /// # asyncio
    /// `Handle.cancel`, which gives nothing back.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        !self.task.is_current() && self.task.cancel(Reason::from(()))
    }
}

impl Debug for CallHandle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle")
            .field("over", &self.task.is_finished())
            .finish()
    }
}

/// Waits, if it is to wait, and calls.
struct Call<F> {
    sleep: Option<Sleep>,
    f: Option<F>,
}

/// Nothing in it is self-referential: the closure is moved out to be called.
impl<F> Unpin for Call<F> {}

impl<F: FnOnce()> Future for Call<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep {
            ready!(Pin::new(sleep).poll(cx));
        }
        if let Some(f) = self.f.take() {
            f();
        }
        Poll::Ready(())
    }
}

pub(super) fn call_soon(
    kernel: &Kernel,
    f: impl FnOnce() + 'static,
    at: &'static Location<'static>,
) -> CallHandle {
    spawn(
        kernel,
        Call {
            sleep: None,
            f: Some(f),
        },
        at,
    )
}

pub(super) fn call_at(
    kernel: &Kernel,
    sleep: Sleep,
    f: impl FnOnce() + 'static,
    at: &'static Location<'static>,
) -> CallHandle {
    spawn(
        kernel,
        Call {
            sleep: Some(sleep),
            f: Some(f),
        },
        at,
    )
}

fn spawn<F: FnOnce() + 'static>(
    kernel: &Kernel,
    call: Call<F>,
    at: &'static Location<'static>,
) -> CallHandle {
    CallHandle {
        task: kernel.spawn(call, at, Flags::NEW.with(Flags::CALLBACK)),
    }
}
