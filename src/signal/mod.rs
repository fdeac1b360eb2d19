//! Signals that this process gets, as streams and futures.
//!
//! [`signals`] gives a stream of them, [`ctrl_c`] waits for one SIGINT. Callbacks are
//! [`EventLoop::add_signal_handler`](crate::EventLoop::add_signal_handler); a run that ends in
//! order by Ctrl-C is [`Builder::sigint`](crate::event_loop::Builder::sigint).
//!
//! # Who gets a signal
//! - Every stream and callback that listens to it, in all loops of the process, on whichever
//!   thread the system delivers it. Each is told *at least once since it last took one*: signals
//!   of one number that come faster than they are taken merge, as they do in the system itself.
//! - In a loop where somebody listens to SIGINT or SIGTERM by name, that does not end the run, even
//!   if the loop was built to be ended by it. When the last one has left, it does again.
//! - A handler that the program had before, be it its own or that of another library, is called as
//!   well. Only one that was installed *over* petla's is not, from the next listener on: it may
//!   call petla's itself.
//! - The default, which for most signals ends the process, does not happen while anybody listens.
//!   It does again when the last one has left: what was there before is put back. Therefore make
//!   one stream and keep it, rather than a new one for each wait.
//!
//! # Children
//! A program that is started meanwhile inherits no handler, and no signal is blocked for it. A
//! signal that this process was started to ignore (`nohup`) is taken all the same, and is not
//! ignored in programs started meanwhile. In the child of a `fork` the loops of its parent are
//! told nothing: without a listener of its own, the signal has its default effect there.
//!
//! # Not here
//! Sending signals ([`process`](crate::process)); SIGKILL and SIGSTOP, which the system lets nobody
//! catch; SIGSEGV, SIGBUS, SIGFPE and SIGILL, after which no loop can run on.
#![forbid(unsafe_code)]

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::kernel::{Kernel, Listener};
use crate::sys::signal as sys;

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident;)*) => {
        $($(#[$meta])* pub const $name: i32 = sys::$name;)*
    };
}

numbers! {
    /// A timer of `alarm` or `setitimer` ran out.
    SIGALRM;
    /// A child ended or stopped. Waiting for one does not need it.
    SIGCHLD;
    /// A stopped process goes on.
    SIGCONT;
    /// The terminal is gone; by custom: read the configuration again.
    SIGHUP;
    /// Ctrl-C.
    SIGINT;
    /// A descriptor with `O_ASYNC` is ready.
    SIGIO;
    /// Ends a process, which cannot prevent it: to be sent only.
    SIGKILL;
    /// A write to a pipe that nobody reads. Rust's programs ignore it, and see an error.
    SIGPIPE;
    /// Ctrl-\, by custom with a core dump.
    SIGQUIT;
    /// Asks a process to end: `kill`, service managers.
    SIGTERM;
    /// Ctrl-Z.
    SIGTSTP;
    /// A background process reads from its terminal.
    SIGTTIN;
    /// A background process writes to its terminal.
    SIGTTOU;
    /// Urgent data at a socket.
    SIGURG;
    /// Free for the program's own use.
    SIGUSR1;
    /// Free for the program's own use.
    SIGUSR2;
    /// The terminal's size changed.
    SIGWINCH;
}

/// The numbers of the realtime signals, which are free for the program's own use.
///
/// ```
/// use petla::signal::{realtime, signals};
///
/// petla::run(async { signals([*realtime().start()]).map(drop) })?;
/// # std::io::Result::Ok(())
/// ```
pub fn realtime() -> RangeInclusive<i32> {
    sys::realtime()
}

/// Listens to the signals of these numbers, from now until the stream is dropped.
///
/// # Errors
/// `InvalidInput` for a number that cannot be caught, or none at all; without a running loop on
/// this thread.
///
/// # asyncio
/// None; a queue fed by `loop.add_signal_handler`.
///
/// # Examples
/// ```
/// use petla::signal::{SIGHUP, SIGTERM, signals};
///
/// petla::run(async {
///     let mut stop = signals([SIGHUP, SIGTERM])?;
///     petla::select! {
///         number = stop.next() => println!("ended by signal {}", number.unwrap()),
///         _ = petla::yield_now() => println!("ended by itself"),
///     }
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[doc(alias("signal", "SignalKind"))]
pub fn signals(numbers: impl IntoIterator<Item = i32>) -> io::Result<Signals> {
    let mut numbers = numbers.into_iter().peekable();
    if numbers.peek().is_none() {
        let message = "signals() of no signal waits for ever: name one";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = Kernel::with(|kernel| kernel.hear(numbers));
    let listener = listener.unwrap_or_else(|| {
        Err(io::Error::other(
            "listening to signals needs a running event loop on this thread: use petla::run(..)",
        ))
    })?;
    Ok(Signals { listener })
}

/// A stream of the numbers of signals, from [`signals`].
///
/// It is fed by the loop that it was made in, and ends (`None`) when that is closed; it may be
/// awaited anywhere. Dropped on another thread, or while its loop does not run, it leaves the
/// loop in its next turn. If several numbers have come, they take turns, the lowest first.
pub struct Signals {
    listener: Listener,
}

impl Signals {
    /// Waits for the next signal; gives its number, or `None` when the loop is closed.
    ///
    /// # Cancel safety
    /// **Strict.** A signal that nobody took is still there.
    #[allow(clippy::should_implement_trait, reason = "the name that streams have")]
    pub fn next(&mut self) -> Next<'_> {
        Next { signals: self }
    }
}

impl Stream for Signals {
    type Item = i32;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i32>> {
        self.listener.poll(cx)
    }
}

impl Debug for Signals {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Signals ")?;
        f.debug_list().entries(self.listener.numbers()).finish()
    }
}

/// See [`Signals::next`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Next<'a> {
    signals: &'a mut Signals,
}

impl Future for Next<'_> {
    type Output = Option<i32>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i32>> {
        self.signals.listener.poll(cx)
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        self.signals.listener.forget_waker();
    }
}

/// Waits for one SIGINT, Ctrl-C, that comes after the first poll.
///
/// When the future is gone, and nobody else listens, Ctrl-C ends the process again: for a second
/// wait keep a stream of [`signals`] instead. In a loop that was built with
/// [`sigint(true)`](crate::event_loop::Builder::sigint), this has the signal instead of the run.
///
/// # Errors
/// Without a running loop on this thread; when the loop is closed meanwhile.
///
/// # Cancel safety
/// **Loses data**: a SIGINT that came after the last poll.
///
/// # asyncio
/// None: there, Ctrl-C cancels the main task, as
/// [`Builder::sigint`](crate::event_loop::Builder::sigint) has it do here.
///
/// ```no_run
/// petla::run(async {
///     println!("Ctrl-C ends this in order");
///     petla::signal::ctrl_c().await
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub fn ctrl_c() -> CtrlC {
    CtrlC { signals: None }
}

/// See [`ctrl_c`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct CtrlC {
    signals: Option<Signals>,
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let signals = match self.signals.take() {
            Some(signals) => signals,
            None => signals([SIGINT])?,
        };
        let signals = self.signals.insert(signals);
        match ready!(signals.listener.poll(cx)) {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the event loop was closed before Ctrl-C came",
            ))),
        }
    }
}
