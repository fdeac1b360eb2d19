//! [`Child`]: a program that runs.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::ended_is_fine;
use super::orphans;
use super::talk::{Collect, Collected, Communicate, Stop};
use super::watched::{Waiting, Watched};
use crate::io::{PipeReader, PipeWriter};
use crate::rt::Arc;
use crate::sys::signal::{SIGKILL, SIGTERM};

/// A program that was started by [`Command::spawn`](super::Command::spawn).
///
/// It belongs to no loop before something has to wait for it, and to that one from then on. It is
/// `Send + Sync`. Dropped, it lets the program run on and leaves no zombie; see the
/// [module](crate::process).
///
/// # asyncio
/// `asyncio.subprocess.Process`.
///
/// # Examples
/// ```
/// use petla::process::Command;
/// use std::{process::Stdio, time::Duration};
///
/// petla::run(async {
///     let mut child = Command::new("cat")
///         .stdin(Stdio::piped())
///         .stdout(Stdio::piped())
///         .spawn()?;
///     let said = child.communicate(b"hello").await?;
///     assert_eq!(said.stdout, b"hello");
///
///     let child = Command::new("sleep").arg("1000").spawn()?;
///     let waited = petla::timeout(Duration::from_millis(10), child.wait()).await;
///     assert!(waited.is_err(), "it runs on");
///     let status = child.stop(Duration::from_secs(5)).await?;
///     assert!(!status.success());
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct Child {
    /// Where to write the program's input, if it was asked for. Dropping it is the input's end.
    pub stdin: Option<PipeWriter>,
    /// Where to read its output, if it was asked for. Nobody else reads it: a program that fills
    /// the pipe, 64 KiB, waits until it is read.
    pub stdout: Option<PipeReader>,
    /// The same for its errors.
    pub stderr: Option<PipeReader>,
    /// What communicate() has read so far.
    pub(super) collected: Collected,
    pub(super) kill_on_drop: bool,
    watched: Arc<Watched>,
}

impl Child {
    pub(super) fn new(watched: Arc<Watched>, kill_on_drop: bool) -> Child {
        Child {
            stdin: None,
            stdout: None,
            stderr: None,
            collected: Collected::default(),
            kill_on_drop,
            watched,
        }
    }

    /// The number of the process. Once somebody has waited for it, it may be another's.
    ///
    /// # asyncio
    /// `Process.pid`.
    #[doc(alias = "pid")]
    pub fn id(&self) -> u32 {
        self.watched.number()
    }

    /// Waits until the program has ended; any number of tasks may, again and again.
    ///
    /// It does not wait for the pipes, which others may have inherited, and does not close
    /// [`stdin`](Child::stdin): drop that first if the program reads to its end.
    ///
    /// # Errors
    /// [`StatusLost`](super::StatusLost) if something else in this process has waited for it;
    /// without a running loop, or on another loop than the one where it was waited for first.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `Process.wait`.
    pub fn wait(&self) -> Wait<'_> {
        let waiting = self.watched.wait();
        Wait { waiting }
    }

    /// The status, if the program has ended; does not wait.
    ///
    /// # Errors
    /// [`StatusLost`](super::StatusLost).
    ///
    /// # asyncio
    /// `Process.returncode`.
    #[doc(alias = "returncode")]
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.watched.try_wait()
    }

    /// Sends the program a signal. It can only reach the program itself, never another process
    /// that was given its number.
    ///
    /// # Errors
    /// [`ProcessEnded`](super::ProcessEnded) if it has ended; `PermissionDenied` if it has become
    /// another user's; `InvalidInput` for a number that is no signal's.
    ///
    /// # asyncio
    /// `Process.send_signal`.
    pub fn send_signal(&self, signal: i32) -> io::Result<()> {
        self.watched.send_signal(signal)
    }

    /// Asks the program to end: SIGTERM, which it may handle or ignore. See [`stop`](Child::stop).
    ///
    /// # Errors
    /// `PermissionDenied` if it has become another user's. That it has ended is fine.
    ///
    /// # asyncio
    /// `Process.terminate`, where that is an error.
    pub fn terminate(&self) -> io::Result<()> {
        ended_is_fine(self.send_signal(SIGTERM))
    }

    /// Ends the program: SIGKILL. It has not ended yet when this returns.
    ///
    /// # Errors
    /// `PermissionDenied` if it has become another user's. That it has ended is fine.
    ///
    /// # asyncio
    /// `Process.kill`, where that is an error.
    #[doc(alias = "start_kill")]
    pub fn kill(&self) -> io::Result<()> {
        ended_is_fine(self.send_signal(SIGKILL))
    }

    /// SIGTERM for the program's group: itself and whatever it started, also when it has ended.
    ///
    /// For that its number stays taken, as a zombie, until this object is dropped. It needs
    /// [`Command::process_group(0)`](super::Command::process_group).
    ///
    /// # Errors
    /// `InvalidInput` if it was given no group of its own; `PermissionDenied`. That nobody is left
    /// is fine.
    ///
    /// # asyncio
    /// None; `os.killpg`.
    pub fn terminate_group(&self) -> io::Result<()> {
        ended_is_fine(self.watched.send_to_group(SIGTERM))
    }

    /// SIGKILL for the program's group. See [`terminate_group`](Child::terminate_group).
    ///
    /// # Errors
    /// As `terminate_group`.
    ///
    /// # asyncio
    /// None; `os.killpg`.
    pub fn kill_group(&self) -> io::Result<()> {
        ended_is_fine(self.watched.send_to_group(SIGKILL))
    }

    /// Asks the program to end, by SIGTERM; if it has not after `grace`, ends it by SIGKILL. Waits
    /// until it has ended.
    ///
    /// # Errors
    /// As [`wait`](Child::wait) and [`terminate`](Child::terminate).
    ///
    /// # Cancel safety
    /// **Strict**: a second call asks again and gives the whole `grace` again.
    ///
    /// # asyncio
    /// None; written there with `terminate`, `wait_for`, `kill`.
    pub fn stop(&self, grace: Duration) -> Stop<'_> {
        Stop::new(self, grace)
    }

    /// Feeds `input` to the program while reading what it says, to the end of all its pipes, and
    /// waits until it has ended.
    ///
    /// Pipes that were not asked for are left out, and their part of the result is empty. It is no
    /// error that the program does not read all of `input`. If others have inherited its output
    /// (a program that it left running in the background) their end is waited for too. There is no
    /// limit to what it may say.
    ///
    /// # Errors
    /// `InvalidInput` if there is an input and [`stdin`](Child::stdin) is not there to take it;
    /// those of the pipes, and of [`wait`](Child::wait).
    ///
    /// # Cancel safety
    /// **Loses data**: the part of `input` that was not taken yet. What the program said is kept,
    /// and given by the next call: after a limit ran out, [`kill`](Child::kill) it, and call this
    /// again with an empty `input` for what it said up to then.
    ///
    /// # asyncio
    /// `Process.communicate`, which loses the output when it is cancelled.
    pub fn communicate<'a>(&'a mut self, input: &'a [u8]) -> Communicate<'a> {
        Communicate::new(self, input)
    }

    /// Closes [`stdin`](Child::stdin), reads what the program says to the end, and waits until it
    /// has ended. As [`communicate`](Child::communicate) without an input.
    ///
    /// # Errors
    /// Those of the pipes, and of [`wait`](Child::wait).
    ///
    /// # Cancel safety
    /// **Loses data**: the child with all it said. As for every child that is dropped, it runs
    /// on unless [`Command::kill_on_drop`](super::Command::kill_on_drop) says otherwise.
    ///
    /// # asyncio
    /// `Process.communicate()`.
    pub fn wait_with_output(self) -> Collect {
        Collect::new(Ok(self))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop {
            self.watched.kill_all();
        }
        orphans::adopt(Arc::clone(&self.watched));
    }
}

impl Debug for Child {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

/// The future of [`Child::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    waiting: Waiting<'a>,
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        self.waiting.poll(cx)
    }
}
