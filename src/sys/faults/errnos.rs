//! The errors that the manual pages document for each call, as far as correct code can meet them.
//!
//! Left out, for every call: `EBADF`, `EFAULT`, `ENOTSOCK` and their like, which only a broken
//! wrapper can cause, and what the call's own arguments exclude. Some more are left out because a
//! call that fails instead of being made would tell a lie that the kernel cannot tell:
//! - `EAGAIN` of whatever waits by epoll: "not ready" of a descriptor that *is* ready. Its edge was
//!   reported already and nothing would ever wake the waiter. Full and empty sockets give it.
//! - `EINTR` and `EINPROGRESS` of `connect`: they say that the connection is under way.
//! - `EEXIST` and `EPERM` of `epoll_ctl`: they say what descriptor it is.
//! - `ECHILD` of `waitid` and `ESRCH` of `kill`: the child is gone. `EINTR` of `waitid`:
//!   none of ours that could wait is made by a loop.

/// A number of `errno`, with its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno {
    pub(crate) name: &'static str,
    pub(crate) code: i32,
}

impl std::fmt::Debug for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! errnos {
    ($($name:ident)+) => { $(
        pub(crate) const $name: Errno = Errno { name: stringify!($name), code: libc::$name };
    )+ };
}

errnos! {
    EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN ECONNABORTED ECONNREFUSED ECONNRESET
    EHOSTDOWN EHOSTUNREACH EINTR EINVAL EIO EMFILE ENETDOWN ENETUNREACH ENFILE ENOBUFS ENODEV ENOENT
    ENOMEM ENONET ENOPROTOOPT ENOSPC ENOSYS ENOTCONN ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EPERM EPIPE
    EPROTO ESRCH ETIMEDOUT
}

/// The errors of a call that are tried.
///
/// # Panics
/// If the table has no such call: a new wrapper needs its errors here.
pub(crate) fn documented(call: &str) -> &'static [Errno] {
    let entry = DOCUMENTED.iter().find(|(name, _)| *name == call);
    let Some((_, errnos)) = entry else {
        panic!("{call} has no errors in `sys::faults::errnos`: add those of its manual page");
    };
    errnos
}

const DOCUMENTED: &[(&str, &[Errno])] = &[
    (
        "accept4",
        // The network's errors are those that accept(2) says to treat like EAGAIN.
        &[
            EINTR,
            EMFILE,
            ENFILE,
            ENOBUFS,
            ENOMEM,
            ECONNABORTED,
            EPROTO,
            EPERM,
            ENETDOWN,
            ENOPROTOOPT,
            EHOSTDOWN,
            ENONET,
            EHOSTUNREACH,
            EOPNOTSUPP,
            ENETUNREACH,
        ],
    ),
    ("bind", &[EACCES, EADDRINUSE, EADDRNOTAVAIL, ENOENT, ENOMEM]),
    (
        "connect",
        &[
            EACCES,
            EADDRINUSE,
            EADDRNOTAVAIL,
            EAGAIN,
            ECONNREFUSED,
            EHOSTUNREACH,
            ENETUNREACH,
            EPERM,
            ETIMEDOUT,
        ],
    ),
    ("epoll_create1", &[EMFILE, ENFILE, ENOMEM]),
    ("epoll_ctl_add", &[ENOMEM, ENOSPC]),
    ("epoll_ctl_del", &[ENOENT, ENOMEM]),
    ("epoll_pwait2", &[EINTR, ENOSYS, EPERM, EINVAL]),
    ("epoll_wait", &[EINTR]),
    ("eventfd", &[EMFILE, ENFILE, ENODEV, ENOMEM]),
    ("fcntl", &[EPERM]),
    ("fstat", &[ENOMEM, EOVERFLOW]),
    ("getnameinfo", &[ENOMEM]),
    ("getpeername", &[ENOBUFS, ENOTCONN]),
    ("getsockname", &[ENOBUFS]),
    ("getsockopt", &[ENOMEM, ENOPROTOOPT]),
    ("ioctl", &[ENOTTY]),
    ("kill", &[EPERM]),
    ("listen", &[EADDRINUSE]),
    ("open", &[EACCES, EMFILE, ENFILE, ENOENT, ENOMEM, ENXIO]),
    (
        "pidfd_open",
        &[EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, EPERM, ESRCH],
    ),
    ("pidfd_send_signal", &[ENOSYS, EPERM]),
    ("pipe2", &[EMFILE, ENFILE]),
    ("poll", &[EINTR, ENOMEM]),
    ("pread", &[EINTR, EIO]),
    ("prctl", &[EINVAL, ENOSYS, EPERM]),
    ("pthread_atfork", &[ENOMEM]),
    ("pthread_create", &[EAGAIN]),
    ("read", &[EINTR, EIO]),
    ("readv", RECEIVING),
    ("recv", RECEIVING),
    ("recvfrom", RECEIVING),
    ("recvmsg", RECEIVING),
    ("sched_getaffinity", &[EINVAL]),
    ("sched_setaffinity", &[EINVAL, EPERM]),
    ("send", SENDING),
    (
        "sendfile",
        &[
            EINTR, ECONNRESET, EINVAL, EIO, ENOMEM, ENOSYS, EOVERFLOW, EPIPE,
        ],
    ),
    ("sendmsg", SENDING),
    ("sendto", SENDING),
    ("setsockopt", &[ENOMEM, ENOPROTOOPT]),
    ("shutdown", &[ENOTCONN]),
    ("sigaction", &[EINVAL]),
    (
        "socket",
        &[EACCES, EAFNOSUPPORT, EMFILE, ENFILE, ENOBUFS, ENOMEM],
    ),
    ("socketpair", &[EMFILE, ENFILE, ENOMEM]),
    ("waitid", &[EINVAL]),
    ("write", &[EINTR, EIO, EPIPE]),
    ("writev", &[EINTR, EIO, EPIPE]),
];

const RECEIVING: &[Errno] = &[
    EINTR,
    ECONNREFUSED,
    ECONNRESET,
    EHOSTUNREACH,
    ENOMEM,
    ENOTCONN,
    ETIMEDOUT,
];

const SENDING: &[Errno] = &[
    EINTR,
    EACCES,
    ECONNRESET,
    EHOSTUNREACH,
    ENETUNREACH,
    ENOBUFS,
    ENOMEM,
    ENOTCONN,
    EPIPE,
    ETIMEDOUT,
];
