//! The system calls of the benchmarks, and the only module that names `libc`.
//!
//! Everything here is a thin safe wrapper: where the process may run, what it has used, how many
//! descriptors it may open, and the epoll and pipe under the hand-written loops and loads.
//!
//! # Invariants
//! - **Plain**: every struct handed to the kernel is fully written before the call, and every
//!   pointer is to a live local or to a slice with its own length.
//!
//! # Not here
//! Sockets: the standard library's do.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}

/// The CPUs that this process may use.
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: a `cpu_set_t` is a plain array of bits; all zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: by Plain; 0 is the calling thread.
    check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) })?;
    // SAFETY: `cpu` is below the number of bits in the set.
    let allowed = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(allowed).collect())
}

/// Keeps the calling thread, and threads it starts later, on `cpu`.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    // SAFETY: a `cpu_set_t` is a plain array of bits; all zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `CPU_SET` checks the index against the array and panics past its end.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: by Plain; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
}

/// What the process was allowed before [`pin_to_one_core`].
static CPUS: OnceLock<Vec<usize>> = OnceLock::new();

/// Pins to the last allowed CPU: the first one tends to take the interrupts. Says so if it cannot.
pub fn pin_to_one_core() -> Option<usize> {
    let pinned = allowed_cpus().and_then(|cpus| {
        let last = *cpus.last().ok_or(io::ErrorKind::NotFound)?;
        pin_to(last)?;
        CPUS.get_or_init(|| cpus);
        Ok(last)
    });
    pinned
        .inspect_err(|error| eprintln!("not pinned to a core: {error}"))
        .ok()
}

/// If [`pin_to_one_core`] did, gives the calling thread a CPU by its `number` instead: while there
/// are enough, each number has its own.
pub fn pin_to_own_core(number: usize) {
    if let Some(cpus) = CPUS.get() {
        pin_to(cpus[number % cpus.len()]).expect("it was allowed before");
    }
}

/// CPU time of the whole process, its ended threads included.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the kernel for it.
    pub system: Duration,
}

impl CpuTime {
    /// Both.
    pub fn sum(self) -> Duration {
        self.user + self.system
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// What this process has used until now.
pub fn cpu_time() -> CpuTime {
    // SAFETY: a `rusage` is plain numbers.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: by Plain. The call cannot fail with these arguments.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    CpuTime {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
    }
}

/// Raises the soft limit of open descriptors to `wanted` if the hard limit allows; the new limit.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: by Plain.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    if limit.rlim_cur < wanted {
        limit.rlim_cur = wanted.min(limit.rlim_max);
        // SAFETY: by Plain.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    }
    Ok(limit.rlim_cur)
}

/// Takes up to `most` bytes out of a socket without copying them; 0 is the end of the stream.
pub fn discard(socket: &impl AsRawFd, most: usize) -> io::Result<usize> {
    let socket = socket.as_raw_fd();
    // SAFETY: on a TCP socket MSG_TRUNC writes nothing to the memory (tcp(7)), so it may be none.
    let taken = unsafe { libc::recv(socket, std::ptr::null_mut(), most, libc::MSG_TRUNC) };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}

/// A pipe through which pages move from one socket to another.
#[derive(Debug)]
pub struct SplicePipe {
    output: OwnedFd,
    input: OwnedFd,
}

impl SplicePipe {
    /// One that holds `bytes`, if the system allows that many.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let mut ends = [-1; 2];
        // SAFETY: by Plain; the call writes two descriptors.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
        // SAFETY: the call above has just opened it, for nobody else.
        let output = unsafe { OwnedFd::from_raw_fd(ends[0]) };
        // SAFETY: as before.
        let input = unsafe { OwnedFd::from_raw_fd(ends[1]) };
        // SAFETY: no pointers.
        check(unsafe { libc::fcntl(ends[1], libc::F_SETPIPE_SZ, bytes as libc::c_int) })?;
        Ok(SplicePipe { output, input })
    }

    /// Moves bytes from `socket` into the pipe.
    pub fn fill(&self, socket: &impl AsRawFd, most: usize) -> io::Result<usize> {
        splice(socket, &self.input, most)
    }

    /// Moves bytes from the pipe into `socket`.
    pub fn drain(&self, socket: &impl AsRawFd, most: usize) -> io::Result<usize> {
        splice(&self.output, socket, most)
    }
}

fn splice(from: &impl AsRawFd, to: &impl AsRawFd, most: usize) -> io::Result<usize> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    let (none, flags) = (std::ptr::null_mut(), libc::SPLICE_F_NONBLOCK);
    // SAFETY: both offsets are none.
    let moved = unsafe { libc::splice(from, none, to, none, most, flags) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

/// An epoll, level-triggered for readable descriptors unless told.
#[derive(Debug)]
pub struct Epoll {
    epoll: OwnedFd,
}

/// What [`Epoll::wait`] fills.
pub type Event = libc::epoll_event;

/// How many events one wait takes; tokio's and monoio's number.
pub const EVENTS: usize = 1024;

impl Epoll {
    /// An empty one.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let descriptor = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call above has just opened it, for nobody else.
        let epoll = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Epoll { epoll })
    }

    /// Reports `source` as `token` while it is readable.
    pub fn add(&self, source: &impl AsRawFd, token: u64) -> io::Result<()> {
        self.add_events(source, token, libc::EPOLLIN)
    }

    /// Reports `source` as `token` when it becomes readable or writable, once each time.
    pub fn add_edges(&self, source: &impl AsRawFd, token: u64) -> io::Result<()> {
        let both = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP;
        self.add_events(source, token, both | libc::EPOLLET)
    }

    fn add_events(&self, source: &impl AsRawFd, token: u64, events: i32) -> io::Result<()> {
        let events = events as u32;
        let mut event = Event { events, u64: token };
        let (epoll, source) = (self.epoll.as_raw_fd(), source.as_raw_fd());
        // SAFETY: by Plain.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, source, &mut event) }).map(drop)
    }

    /// Waits for events or `limit`; the tokens.
    pub fn wait<'a>(
        &self,
        events: &'a mut [Event; EVENTS],
        limit: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = u64> + 'a> {
        let limit_ms = limit.map_or(-1, |limit| limit.as_millis() as libc::c_int);
        let (epoll, room) = (self.epoll.as_raw_fd(), EVENTS as libc::c_int);
        // SAFETY: by Plain: `events` has `room` entries.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, limit_ms) };
        let count = match check(count) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        Ok(events[..count].iter().map(|event| event.u64))
    }
}

/// Room for [`Epoll::wait`].
pub fn no_events() -> Box<[Event; EVENTS]> {
    Box::new([Event { events: 0, u64: 0 }; EVENTS])
}
