//! What hyper asks of a runtime: sockets, timers, and somebody to run its tasks.
//!
//! `hyper::rt::Sleep` is `Send + Sync` by definition. Our [`Sleep`] is, as plain data, and so is a
//! socket: nothing has to be promised here that is not true.
//!
//! # Invariants
//! - **Only bytes**: the uninitialised part of a `ReadBuf` goes to a [`Room`], which writes nothing
//!   but bytes, and counts them.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ::hyper::rt;

use super::polled::{PollRead, PollWrite, write_methods};
use crate::kernel::spawn;
use crate::net::{TcpStream, UnixStream};
use crate::sys::room::Room;
use crate::time::{Sleep, now, sleep, sleep_until};

/// Spawns hyper's tasks on the loop of this thread. They need not be `Send`.
///
/// For HTTP/2, and for hyper-util's client and automatic server.
///
/// # Panics
/// [`execute`](rt::Executor::execute) does, where no loop runs.
#[doc(alias("TokioExecutor", "SmolExecutor"))]
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct LoopExecutor;

impl LoopExecutor {
    /// All of them are the same.
    pub const fn new() -> LoopExecutor {
        LoopExecutor
    }
}

impl<F> rt::Executor<F> for LoopExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        // Dropping the handle lets the task run on.
        drop(spawn(future));
    }
}

/// hyper's timeouts by the timers of the loop, and so by the clock that a test turns.
///
/// # Panics
/// A sleep of it does when it is polled where no loop runs.
#[doc(alias("TokioTimer", "SmolTimer"))]
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct LoopTimer;

impl LoopTimer {
    /// All of them are the same.
    pub const fn new() -> LoopTimer {
        LoopTimer
    }
}

impl rt::Timer for LoopTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep_until(deadline))
    }

    fn now(&self) -> Instant {
        now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.get_mut().reset(new_deadline),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

impl rt::Sleep for Sleep {}

fn read_into(
    object: &mut impl PollRead,
    cx: &mut Context<'_>,
    mut buf: rt::ReadBufCursor<'_>,
) -> Poll<io::Result<()>> {
    // SAFETY: Only bytes.
    let mut room = Room::new(unsafe { buf.as_mut() });
    ready!(object.poll_read(cx, &mut room))?;
    let n = room.filled();
    // SAFETY: Only bytes: `n` of them were written.
    unsafe { buf.advance(n) };
    Poll::Ready(Ok(()))
}

macro_rules! read_and_write {
    ($($object:ident)*) => {$(
        impl rt::Read for $object {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: rt::ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                read_into(&mut *self, cx, buf)
            }
        }

        impl rt::Write for $object {
            write_methods!(poll_shutdown);

            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    )*};
}

read_and_write!(TcpStream UnixStream);
