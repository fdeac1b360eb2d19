//! `epoll`: which descriptors have become ready, and the one place where a loop sleeps.
//!
//! Facts about epoll that shape the code above:
//! - An edge-triggered descriptor is reported once per change, but also at the first wait
//!   after `add` if it is ready by then. To register after a call said `EAGAIN` loses
//!   nothing.
//! - `HUP` and `ERR` are always reported. They concern both directions: a read would return
//!   the end or the error, and so would a write.
//! - A registration belongs to the open file, not to the number: while a duplicate of the
//!   descriptor is open, closing the number leaves the registration, and its events, behind.
//!   Therefore the user data carries a version (see `reactor`).
//! - One number can be added only once; regular files and directories not at all.
//!
//! # The length of a sleep
//! `epoll_wait` counts milliseconds, `epoll_pwait2` (Linux 5.11) nanoseconds. Only a real
//! timeout needs the second; a look (timeout zero) and a sleep without end use the first,
//! which costs about 100 ns less. Some seccomp filters refuse system calls they do not know,
//! with a choice of `errno`s; the first refusal is remembered for the process and from then
//! on timeouts are rounded *up* to milliseconds. A sleep may end early (a signal, the clamp to
//! `i32::MAX` ms) but never because a timeout was rounded down: the caller looks at the clock.
//!
//! # Invariants
//! - **Filled**: the first `filled` entries of an [`Events`] were written by the last wait.
//!
//! # Not here
//! Who waits for a descriptor, versions, wakers: `reactor`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{check, faults};

/// How many events one wait takes. With 1,000 descriptors ready, an event costs 106 ns at
/// 32, 92 ns at 256, 81 ns at 1,024; a larger batch delays the tasks that are ready already.
const EVENTS: usize = 256;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Set when the system refuses `epoll_pwait2`; it will not change its mind.
static COARSE: AtomicBool = AtomicBool::new(false);

/// An epoll instance.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        faults::at("epoll_create1")?;
        // SAFETY: the call takes flags only.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just made `fd`, so nobody else owns it.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Reports every change of `fd`, in both directions, with `data`, until the file is closed.
    ///
    /// # Errors
    /// `AlreadyExists` if the number is registered, `Unsupported` if epoll cannot wait for such
    /// a file, otherwise the system's own (`EBADF` for a closed or negative number).
    pub(crate) fn add(&self, fd: RawFd, data: u64) -> io::Result<()> {
        let interest = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLPRI;
        self.control(libc::EPOLL_CTL_ADD, fd, interest | libc::EPOLLET, data)
            .map_err(|error| explain(fd, error))
    }

    /// Reports every write to the eventfd `fd` with `data`. Nobody needs to read from it.
    pub(crate) fn add_bell(&self, fd: RawFd, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN | libc::EPOLLET, data)
            .map_err(|error| explain(fd, error))
    }

    /// Ends the reports for `fd`. Events already fetched into an [`Events`] stay there.
    pub(crate) fn delete(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, what: i32, fd: RawFd, interest: i32, data: u64) -> io::Result<()> {
        faults::at(match what {
            libc::EPOLL_CTL_DEL => "epoll_ctl_del",
            _ => "epoll_ctl_add",
        })?;
        let mut event = libc::epoll_event {
            events: interest.cast_unsigned(),
            u64: data,
        };
        // SAFETY: `event` is Lent; `fd` may be any number.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), what, fd, &raw mut event) }).map(drop)
    }

    /// Sleeps until something is reported or `timeout` nanoseconds have passed.
    ///
    /// `None` sleeps without end, `Some(0)` only looks. Returns early, without events, when a
    /// signal arrives. Events that do not fit into `events` come with the next wait.
    ///
    /// # Errors
    /// Only what means that this loop cannot go on: the descriptor was closed by force.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<u64>) -> io::Result<()> {
        self.wait_as_refused(events, timeout, &COARSE)
    }

    /// `wait`, with its memory of the refusal as a parameter: the tests refuse on their own.
    fn wait_as_refused(
        &self,
        events: &mut Events,
        timeout: Option<u64>,
        coarse: &AtomicBool,
    ) -> io::Result<()> {
        events.filled = 0;
        let result = match timeout {
            None => self.wait_millis(events, -1),
            Some(0) => self.wait_millis(events, 0),
            Some(nanos) if coarse.load(Ordering::Relaxed) => {
                self.wait_millis(events, millis_up(nanos))
            }
            Some(nanos) => self.wait_nanos(events, nanos).or_else(|error| {
                if !is_refusal(&error) {
                    return Err(error);
                }
                coarse.store(true, Ordering::Relaxed);
                self.wait_millis(events, millis_up(nanos))
            }),
        };
        match result {
            Ok(filled) => events.filled = filled,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn wait_nanos(&self, events: &mut Events, nanos: u64) -> io::Result<usize> {
        faults::at("epoll_pwait2")?;
        let timeout = libc::timespec {
            tv_sec: (nanos / NANOS_PER_SECOND).cast_signed(),
            tv_nsec: (nanos % NANOS_PER_SECOND).cast_signed(),
        };
        let no_mask = ptr::null::<libc::sigset_t>();
        // SAFETY: the buffer and the timeout are Lent, and the buffer has `EVENTS` entries.
        let filled = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.0.as_raw_fd(),
                events.buffer.as_mut_ptr(),
                EVENTS,
                &raw const timeout,
                no_mask,
                0_usize, // the size of the mask, which is absent
            )
        };
        usize::try_from(filled).map_err(|_| io::Error::last_os_error())
    }

    fn wait_millis(&self, events: &mut Events, millis: i32) -> io::Result<usize> {
        faults::at("epoll_wait")?;
        let (epoll, buffer) = (self.0.as_raw_fd(), events.buffer.as_mut_ptr());
        // SAFETY: the buffer is Lent and has `EVENTS` entries.
        let filled = unsafe { libc::epoll_wait(epoll, buffer, EVENTS as i32, millis) };
        usize::try_from(filled).map_err(|_| io::Error::last_os_error())
    }
}

/// Tries exact sleeps again, whatever was refused on demand before.
#[cfg(test)]
pub(crate) fn forget_refusal() {
    COARSE.store(false, Ordering::Relaxed);
}

/// Whether the call itself was refused: by a kernel before 5.11, or by a filter, which may
/// choose any `errno`. Our own arguments are never the reason for an `EINVAL`.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOSYS | libc::EPERM | libc::EINVAL)
    )
}

/// Rounds up, so that no timer fires early; the longest sleep is then 24 days.
fn millis_up(nanos: u64) -> i32 {
    i32::try_from(nanos.div_ceil(NANOS_PER_MILLI)).unwrap_or(i32::MAX)
}

fn explain(fd: RawFd, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EEXIST) => io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "another petla object already waits on descriptor {fd}: use one, or duplicate it"
            ),
        ),
        Some(libc::EPERM) => io::Error::new(
            io::ErrorKind::Unsupported,
            format!("epoll cannot wait for descriptor {fd} (a regular file?): read it on a thread"),
        ),
        _ => error,
    }
}

/// The buffer a wait fills; made once for each loop.
pub(crate) struct Events {
    buffer: Box<[libc::epoll_event]>,
    filled: usize,
}

impl Events {
    pub(crate) fn new() -> Self {
        let empty = libc::epoll_event { events: 0, u64: 0 };
        Events {
            buffer: vec![empty; EVENTS].into_boxed_slice(),
            filled: 0,
        }
    }

    /// What the last wait reported: the user data of each descriptor, and what happened to it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Flags)> {
        self.buffer[..self.filled]
            .iter()
            .map(|event| (event.u64, Flags(event.events)))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.filled
    }
}

/// What happened to a descriptor: epoll's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    const READABLE: i32 =
        libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR;
    const WRITABLE: i32 = libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR;
    const STICKY: i32 = libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR | libc::EPOLLPRI;

    /// A read may return something: data, the end, or an error.
    #[inline]
    pub(crate) fn readable(self) -> bool {
        self.any(Self::READABLE)
    }

    /// A write may do something: send, or return an error.
    #[inline]
    pub(crate) fn writable(self) -> bool {
        self.any(Self::WRITABLE)
    }

    /// From now on a short read no longer means that nothing is left: the end, an error or
    /// urgent data came with this event, and no other event will announce it.
    #[inline]
    pub(crate) fn sticky(self) -> bool {
        self.any(Self::STICKY)
    }

    #[inline]
    fn any(self, bits: i32) -> bool {
        self.0 & bits.cast_unsigned() != 0
    }
}

/// Whether a read (or a write) on `fd` would return at once now, be it with an error.
///
/// Urgent data alone does not count: an ordinary read would not return it.
///
/// # Errors
/// `EBADF` for a closed or negative number.
pub(crate) fn poll_now(fd: RawFd, write: bool) -> io::Result<bool> {
    if fd < 0 {
        // `poll` itself skips negative numbers without a word.
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    let events = if write {
        libc::POLLOUT
    } else {
        libc::POLLIN | libc::POLLRDHUP
    };
    let mut entry = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    loop {
        let polled = faults::at("poll").and_then(|()| {
            // SAFETY: `entry` is Lent, and it is one entry.
            check(unsafe { libc::poll(&raw mut entry, 1, 0) })
        });
        match polled {
            Ok(_) if entry.revents & libc::POLLNVAL != 0 => {
                return Err(io::Error::from_raw_os_error(libc::EBADF));
            }
            Ok(ready) => return Ok(ready > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
