//! Child processes as the kernel knows them: waited for and signalled by descriptor or by number.
//!
//! A *pidfd* (Linux 5.3) names one process for ever and becomes readable when it ends. A number
//! is given to somebody else soon after the process was reaped. So a number is used only where no
//! pidfd is to be had, or for a group, and by a caller who knows that it was not reaped yet.
//!
//! # Invariants
//! - **Local**: what the kernel writes is a local variable, which lives until the call returns.
//! - **Fresh**: a descriptor that a call returns is owned by nobody else.
//!
//! # Cost
//! One system call each.
//!
//! # Not here
//! Starting programs: the standard library does. Who reaps whom and when: `process`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, id_t, idtype_t, pid_t};

use super::{check, faults};

/// What calls say about a process that is gone.
pub(crate) const NO_PROCESS: c_int = libc::ESRCH;
/// What they say about one that is not ours to wait for, or was reaped.
pub(crate) const NO_CHILD: c_int = libc::ECHILD;

/// A child.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Id {
    /// By its descriptor.
    Pidfd(RawFd),
    /// By its number: only while it cannot be another's.
    Number(u32),
}

/// How to wait for a child's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    /// Look; an ended child is reaped, and its number free.
    Reap,
    /// Look; an ended child stays.
    Keep,
    /// Wait for the end; an ended child stays.
    Block,
}

impl Id {
    fn parts(self) -> (idtype_t, id_t) {
        match self {
            Id::Pidfd(fd) => (libc::P_PIDFD, fd.cast_unsigned()),
            Id::Number(number) => (libc::P_PID, number),
        }
    }
}

/// A descriptor for the process, closed on exec. Right after it was started the number is its own.
///
/// # Errors
/// `ENOSYS` before Linux 5.3, `EPERM` from some sandboxes; `EMFILE` and its kin; `ESRCH` if it was
/// reaped already, by somebody else.
pub(crate) fn open(number: u32) -> io::Result<OwnedFd> {
    faults::at("pidfd_open")?;
    // SAFETY: takes numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, number.cast_signed(), 0) };
    let fd = check(c_int::try_from(fd).unwrap_or(-1))?;
    // SAFETY: Fresh.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The child's status, as waitpid(2) has it, if it has ended.
///
/// # Errors
/// `ECHILD` if it is not ours to wait for, or was reaped; `EINTR` when it blocks; before Linux 5.4
/// `EINVAL` for a descriptor.
pub(crate) fn wait(child: Id, how: How) -> io::Result<Option<c_int>> {
    faults::at("waitid")?;
    let options = libc::WEXITED
        | match how {
            How::Reap => libc::WNOHANG,
            How::Keep => libc::WNOHANG | libc::WNOWAIT,
            How::Block => libc::WNOWAIT,
        };
    let (kind, id) = child.parts();
    // SAFETY: numbers and pointers only: all zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: Local.
    check(unsafe { libc::waitid(kind, id, &raw mut info, options) })?;
    // SAFETY: filled in by the call, or zero as before.
    let number = unsafe { info.si_pid() };
    if number == 0 {
        return Ok(None); // it runs
    }
    // SAFETY: a child's end has a status.
    let status = unsafe { info.si_status() };
    Ok(Some(match info.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    }))
}

/// Sends a signal to the child. One that has ended and was not reaped takes it and does nothing.
///
/// # Errors
/// `ESRCH` if it was reaped, `EPERM` if it is another user's now, `EINVAL` for no signal's number.
pub(crate) fn send_signal(child: Id, signal: c_int) -> io::Result<()> {
    faults::at("pidfd_send_signal")?;
    let done = match child {
        Id::Pidfd(fd) => {
            let call = libc::SYS_pidfd_send_signal;
            let info = std::ptr::null::<libc::siginfo_t>();
            // SAFETY: null stands for what `kill` sends.
            unsafe { libc::syscall(call, fd, signal, info, 0) }
        }
        Id::Number(number) => {
            // SAFETY: takes numbers.
            let done = unsafe { libc::kill(number.cast_signed(), signal) };
            done.into()
        }
    };
    check(c_int::try_from(done).unwrap_or(-1)).map(drop)
}

/// Sends a signal to every process of the group of that number.
///
/// # Errors
/// `ESRCH` if there is none, `EPERM` if all are other users'.
pub(crate) fn send_to_group(number: u32, signal: c_int) -> io::Result<()> {
    faults::at("kill")?;
    let group: pid_t = number.cast_signed();
    debug_assert!(group > 1, "0 and 1 would be others than meant");
    // SAFETY: takes numbers.
    check(unsafe { libc::kill(-group, signal) }).map(drop)
}

impl From<&OwnedFd> for Id {
    fn from(fd: &OwnedFd) -> Id {
        Id::Pidfd(fd.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, ExitStatus};

    fn shell(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).spawn().unwrap()
    }

    #[test]
    fn a_status_is_that_of_waitpid_by_descriptor_and_by_number() {
        for (script, code, signal) in [
            ("exit 0", Some(0), None),
            ("exit 255", Some(255), None),
            ("kill -9 $$", None, Some(libc::SIGKILL)),
            ("kill -15 $$", None, Some(libc::SIGTERM)),
        ] {
            for by_number in [true, false] {
                let mut child = shell(script);
                let fd = open(child.id()).unwrap();
                let id = match by_number {
                    true => Id::Number(child.id()),
                    false => Id::from(&fd),
                };
                let status = wait(id, How::Block).unwrap().unwrap();
                assert_eq!(wait(id, How::Keep).unwrap(), Some(status));
                let status = ExitStatus::from_raw(status);
                assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
                assert_eq!(child.wait().unwrap(), status, "it stayed");
                let gone = wait(Id::from(&fd), How::Reap).unwrap_err();
                assert_eq!(gone.raw_os_error(), Some(libc::ECHILD));
                let gone = send_signal(Id::from(&fd), 0).unwrap_err();
                assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));
            }
        }
    }

    #[test]
    fn a_running_child_has_no_status_and_takes_signals() {
        let mut child = shell("exec sleep 1000");
        let fd = open(child.id()).unwrap();
        assert_eq!(wait(Id::from(&fd), How::Reap).unwrap(), None);
        assert_eq!(wait(Id::Number(child.id()), How::Keep).unwrap(), None);
        send_signal(Id::Number(child.id()), 0).unwrap();
        let error = send_signal(Id::from(&fd), 1000).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        send_signal(Id::from(&fd), libc::SIGKILL).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}
