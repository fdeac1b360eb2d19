//! A process that we started: how its end is noticed, and how it is never mistaken for another.
//!
//! ```text
//!   a pidfd                                                 ──► readable: it has ended
//!   or a thread in waitid(2), which then rings an eventfd   ──► readable: it has ended
//! ```
//!
//! The second is for systems without pidfds and for sandboxes that refuse them. The thread reaps
//! nothing.
//!
//! # Invariants
//! - **One reaper**: the child is reaped under the lock of `end` and nowhere else, and the status
//!   is noted before that is released. So while `end` says `Running`, the number is the child's,
//!   unless somebody else in the process reaps what is not his.
//! - **Kept for its group**: a child with a group of its own is reaped only when this is dropped.
//!   Until then its number, which is the group's, cannot become another group's.
//! - **First out**: a bell is closed after its source is gone; the fields are declared, and so
//!   dropped, in that order.
//!
//! A forked copy of this process has no such child, says the system, so it neither reaps nor
//! signals.
//!
//! # Cost
//! A pidfd a child: one call to open it, one to see that it is the child's, one to reap.
//!
//! # Not here
//! What becomes of it when nobody waits: `orphans`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use std::thread;

use super::error::{ProcessEnded, StatusLost};
use super::orphans;
use crate::kernel::source::{Direction, Kind, Source, Wait};
use crate::rt::{Arc, Mutex, lock};
use crate::sys::child::{self, How, Id, NO_CHILD, NO_PROCESS};
use crate::sys::eventfd::EventFd;
use crate::sys::faults;
use crate::sys::signal::SIGKILL;

/// Of a process that nobody will ever wait for in a loop.
const NO_DESCRIPTOR: RawFd = -1;

/// See the module.
#[derive(Debug)]
pub(super) struct Watched {
    number: u32,
    has_group: bool,
    end: Mutex<End>,
    /// Readable when it has ended: its pidfd, or the bell.
    source: Source,
    /// By its number and not by a pidfd.
    by_number: bool,
    _bell: Option<Arc<EventFd>>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Running,
    Ended(ExitStatus),
    Lost,
}

impl End {
    fn known(self) -> io::Result<Option<ExitStatus>> {
        match self {
            End::Running => Ok(None),
            End::Ended(status) => Ok(Some(status)),
            End::Lost => Err(StatusLost.into()),
        }
    }
}

impl Watched {
    /// Takes charge of a process that was started just now.
    ///
    /// # Errors
    /// If there is neither a pidfd nor a thread for it. It is killed then, and reaped later.
    pub(super) fn new(number: u32, has_group: bool) -> io::Result<Arc<Watched>> {
        match open(number) {
            Some(fd) => {
                let source = Source::new(fd, Kind::File);
                Ok(Watched::make(number, has_group, source, false, None))
            }
            None => Watched::by_thread(number, has_group),
        }
    }

    fn by_thread(number: u32, has_group: bool) -> io::Result<Arc<Watched>> {
        let bell = ring_at_end(number);
        let raw = bell.as_ref().map_or(NO_DESCRIPTOR, |bell| bell.as_raw_fd());
        let (source, kept) = (Source::borrowed(raw), bell.as_ref().ok().map(Arc::clone));
        let watched = Watched::make(number, has_group, source, true, kept);
        if let Err(error) = bell {
            watched.kill_all();
            orphans::leave(watched);
            return Err(error);
        }
        Ok(watched)
    }

    fn make(
        number: u32,
        has_group: bool,
        source: Source,
        by_number: bool,
        bell: Option<Arc<EventFd>>,
    ) -> Arc<Watched> {
        Arc::new(Watched {
            number,
            has_group,
            end: Mutex::new(End::Running),
            source,
            by_number,
            _bell: bell,
        })
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    fn id(&self) -> Id {
        match self.by_number {
            true => Id::Number(self.number),
            false => Id::Pidfd(self.source.as_raw()),
        }
    }

    /// The status, if it has ended.
    ///
    /// # Errors
    /// [`StatusLost`].
    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.look(&mut lock(&self.end))
    }

    fn look(&self, end: &mut End) -> io::Result<Option<ExitStatus>> {
        if matches!(end, End::Running) {
            *end = self.ask()?;
        }
        end.known()
    }

    fn ask(&self) -> io::Result<End> {
        // Kept for its group.
        let how = match self.has_group {
            true => How::Keep,
            false => How::Reap,
        };
        match child::wait(self.id(), how) {
            Ok(None) => Ok(End::Running),
            Ok(Some(status)) => Ok(End::Ended(ExitStatus::from_raw(status))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(End::Running),
            Err(error) if error.raw_os_error() == Some(NO_CHILD) => Ok(End::Lost),
            Err(error) => Err(error),
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// [`ProcessEnded`], and those of kill(2).
    pub(super) fn send_signal(&self, signal: i32) -> io::Result<()> {
        let mut end = lock(&self.end); // One reaper: nobody else reaps it meanwhile.
        if !matches!(self.look(&mut end), Ok(None)) {
            return Err(ProcessEnded.into());
        }
        // ESRCH: somebody else reaped it.
        child::send_signal(self.id(), signal).map_err(ended)
    }

    /// Sends its group a signal, also when it has ended itself.
    ///
    /// # Errors
    /// `InvalidInput` if it was given no group; [`ProcessEnded`] if nobody is left in it.
    pub(super) fn send_to_group(&self, signal: i32) -> io::Result<()> {
        if !self.has_group {
            let message = "the child has no group of its own: give it one with \
                           Command::process_group(0)";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let _end = lock(&self.end);
        // Asked anew also if the end is known: a forked copy knows it too, and somebody else may
        // have reaped what was kept. Then the number may be another's.
        if !matches!(self.ask(), Ok(End::Running | End::Ended(_))) {
            return Err(ProcessEnded.into());
        }
        child::send_to_group(self.number, signal).map_err(ended)
    }

    /// Ends it, and its group if it has one of its own.
    pub(super) fn kill_all(&self) {
        // An error: it has ended, or this user may not. There is nobody to tell.
        let _ = match self.has_group {
            true => self.send_to_group(SIGKILL),
            false => self.send_signal(SIGKILL),
        };
    }

    /// Waits for its end.
    pub(super) fn wait(&self) -> Waiting<'_> {
        Waiting {
            watched: self,
            wait: self.source.wait(Direction::Read),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.has_group && matches!(*lock(&self.end), End::Ended(_)) {
            let _ = child::wait(self.id(), How::Reap); // Kept for its group, until now.
        }
    }
}

/// The end of a process, awaited by whoever wants, as often as one wants.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    watched: &'a Watched,
    wait: Wait<'a>,
}

impl Waiting<'_> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let watched = self.watched;
        let known = lock(&watched.end).known();
        if let Some(known) = known.transpose() {
            return Poll::Ready(known); // in whatever loop
        }
        self.wait.poll_io(cx, |_fd| match watched.try_wait()? {
            Some(status) => Ok(status),
            None => Err(io::ErrorKind::WouldBlock.into()),
        })
    }
}

/// Its pidfd, if the system has one for us, and it is the child's own.
fn open(number: u32) -> Option<OwnedFd> {
    let fd = child::open(number).ok()?;
    // ECHILD: somebody else has reaped it, and the number may be another's already. EINVAL: this
    // system can open the descriptor and cannot wait for it.
    child::wait(Id::from(&fd), How::Keep).ok()?;
    Some(fd)
}

/// A thread that waits for the end of the process and rings; it reaps nothing.
fn ring_at_end(number: u32) -> io::Result<Arc<EventFd>> {
    let bell = Arc::new(EventFd::new()?);
    let ring = Arc::clone(&bell);
    let wait = move || {
        let child = Id::Number(number);
        while let Err(error) = child::wait(child, How::Block)
            && error.kind() == io::ErrorKind::Interrupted
        {}
        ring.notify(); // also if somebody else has reaped it: then who waits finds that out
    };
    faults::at("pthread_create")?;
    let thread = thread::Builder::new().name("petla-child".to_owned());
    thread.spawn(wait)?;
    Ok(bell)
}

/// `ESRCH` says that it is gone.
fn ended(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(NO_PROCESS) => ProcessEnded.into(),
        _ => error,
    }
}

/// Where there is no pidfd. All else about children is tested through them, in `tests/processes`.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Kernel, Settings};
    use std::future::{Future, poll_fn};
    use std::panic::Location;
    use std::process::{Command, Stdio};

    fn run<F: Future>(main: F) -> F::Output {
        let kernel = Kernel::new(Settings::default()).unwrap();
        let output = kernel.run_main(main, Location::caller());
        kernel.close();
        output.unwrap().unwrap()
    }

    #[allow(clippy::zombie_processes, reason = "who reaps it is what is tested")]
    fn start(script: &str) -> (Arc<Watched>, Option<std::process::ChildStdin>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let watched = Watched::by_thread(child.id(), false).unwrap();
        (watched, child.stdin.take())
    }

    async fn end(watched: &Watched) -> io::Result<ExitStatus> {
        let mut wait = watched.wait();
        poll_fn(|cx| wait.poll(cx)).await
    }

    #[test]
    fn a_thread_tells_the_loop_of_the_end_and_leaves_the_child_to_be_reaped_once() {
        for script in ["exit 3", "read x; exit 3"] {
            let (watched, input) = start(script);
            let status = run(async {
                drop(input);
                end(&watched).await
            });
            assert_eq!(status.unwrap().code(), Some(3));
            let gone = child::wait(watched.id(), How::Reap).unwrap_err();
            assert_eq!(gone.raw_os_error(), Some(NO_CHILD), "reaped");
            let status = run(end(&watched)).unwrap();
            assert_eq!(status.code(), Some(3), "and still known");
            let refused = watched.send_signal(SIGKILL).unwrap_err();
            assert!(refused.get_ref().unwrap().is::<ProcessEnded>());
        }
    }

    #[test]
    fn a_child_that_is_known_by_its_number_takes_signals() {
        let (watched, _input) = start("read x");
        assert_eq!(watched.try_wait().unwrap(), None);
        watched.send_signal(0).unwrap();
        watched.kill_all();
        let status = run(end(&watched)).unwrap();
        assert_eq!(status.signal(), Some(SIGKILL));
    }

    #[test]
    fn a_child_that_somebody_else_reaped_is_lost_also_for_the_thread() {
        let (watched, input) = start("read x");
        let status = run(async {
            drop(input);
            // In place of somebody's waitpid(-1), which would reap other tests' children.
            while child::wait(watched.id(), How::Reap).unwrap().is_none() {}
            end(&watched).await
        });
        assert!(status.unwrap_err().get_ref().unwrap().is::<StatusLost>());
    }
}
