//! Stream sockets as the kernel knows them: one safe function a system call.
//!
//! The standard library opens sockets in blocking mode, connects by waiting, and sets its
//! options only through objects that own the descriptor. A loop needs the opposite of all
//! three, hence these calls. Every socket made here, also by [`accept`], is non-blocking and
//! closed on exec from its first moment: two flags of the call itself, no second call. One that
//! others share, as a standard stream, keeps its mode: [`recv`] and [`send`] never wait.
//!
//! # Invariants
//! - **Slices**: each pointer and length given to the kernel are those of one borrowed slice
//!   or local variable, which lives until the call returns; the kernel keeps neither.
//! - **Numbers**: a descriptor comes in as a number that its owner, somewhere above, keeps
//!   open. A wrong number makes a call fail or reach another descriptor; it touches no memory.
//! - **Fresh**: a descriptor that a call returns is owned by nobody else.
//! - **Filled**: a call that received `n` bytes has written the first `n` bytes of its memory.
//!
//! # Cost
//! One system call each. An [`Address`] is 136 bytes, copied rarely.
//!
//! # Not here
//! Waiting, and retrying after EINTR (`kernel::source`); which errors matter to whom is said
//! here only where it needs an errno ([`accept_failure`], [`connect`]).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::offset_of;
use std::net::Shutdown;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use super::room::Room;
use super::{check, count, faults};

mod address;

pub(crate) use address::Address;

/// The most buffers that one vectored call takes (`UIO_MAXIOV`): more are an error, so we cut.
pub(crate) const BUFFERS_MAX: usize = 1024;

/// What a socket is from its first moment.
const BIRTH: c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// A socket option: an `int`, or a structure of nothing but 32-bit words.
#[derive(Clone, Copy)]
pub(crate) struct SocketOption {
    pub(super) level: c_int,
    pub(super) name: c_int,
}

pub(crate) const REUSE_ADDR: SocketOption = socket_option(libc::SO_REUSEADDR);
pub(crate) const REUSE_PORT: SocketOption = socket_option(libc::SO_REUSEPORT);
pub(crate) const KEEP_ALIVE: SocketOption = socket_option(libc::SO_KEEPALIVE);
pub(crate) const NO_DELAY: SocketOption = SocketOption {
    level: libc::IPPROTO_TCP,
    name: libc::TCP_NODELAY,
};
const V4_HOPS: SocketOption = SocketOption {
    level: libc::IPPROTO_IP,
    name: libc::IP_TTL,
};
const V6_HOPS: SocketOption = SocketOption {
    level: libc::IPPROTO_IPV6,
    name: libc::IPV6_UNICAST_HOPS,
};
const FAMILY: SocketOption = socket_option(libc::SO_DOMAIN);
const ERROR: SocketOption = socket_option(libc::SO_ERROR);
const LINGER: SocketOption = socket_option(libc::SO_LINGER);

const _: () = assert!(size_of::<libc::linger>() == size_of::<[u32; 2]>());
const _: () = assert!(offset_of!(libc::linger, l_linger) == size_of::<u32>());

pub(super) const fn socket_option(name: c_int) -> SocketOption {
    SocketOption {
        level: libc::SOL_SOCKET,
        name,
    }
}

/// A new stream socket of the family of `address`.
pub(crate) fn open(address: &Address) -> io::Result<OwnedFd> {
    open_as(libc::SOCK_STREAM, address)
}

/// The same for sockets of any kind.
pub(super) fn open_as(kind: c_int, address: &Address) -> io::Result<OwnedFd> {
    faults::at("socket")?;
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(address.family(), kind | BIRTH, 0) })?;
    // SAFETY: Fresh.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Two Unix stream sockets connected to each other.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair_as(libc::SOCK_STREAM)
}

/// The same for sockets of any kind.
pub(super) fn pair_as(kind: c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    faults::at("socketpair")?;
    let mut fds = [-1; 2];
    // SAFETY: Slices; the call writes two numbers.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind | BIRTH, 0, fds.as_mut_ptr()) })?;
    // SAFETY: Fresh.
    let first = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: Fresh.
    let second = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    Ok((first, second))
}

/// Gives the socket its own address.
pub(crate) fn bind(fd: RawFd, address: &Address) -> io::Result<()> {
    faults::at("bind")?;
    let pointer = address.bytes.as_ptr().cast();
    // SAFETY: Slices; `len` of `address.bytes` is written, aligned as a `sockaddr` must be.
    check(unsafe { libc::bind(fd, pointer, address.len) }).map(drop)
}

/// Whether an error of [`open`] or [`bind`] says that this machine has no such address, or none of
/// its family.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT)
    )
}

/// Lets up to `backlog` connections wait for `accept` (the kernel's `somaxconn` caps it).
pub(crate) fn listen(fd: RawFd, backlog: u32) -> io::Result<()> {
    faults::at("listen")?;
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: no pointers.
    check(unsafe { libc::listen(fd, backlog) }).map(drop)
}

/// How far a [`connect`] has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Connected {
    Done,
    /// Wait until the socket is writable, then look at [`take_error`].
    UnderWay,
    /// Unix only: the listener's queue is full, and nothing will tell when it is not.
    QueueFull,
}

/// Begins to connect.
pub(crate) fn connect(fd: RawFd, address: &Address) -> io::Result<Connected> {
    let pointer = address.bytes.as_ptr().cast();
    let done = faults::at("connect").and_then(|()| {
        // SAFETY: Slices; `len` of `address.bytes` is written, aligned as a `sockaddr` must be.
        check(unsafe { libc::connect(fd, pointer, address.len) })
    });
    let error = match done {
        Ok(_) => return Ok(Connected::Done),
        Err(error) => error,
    };
    match error.raw_os_error() {
        // connect(2): interrupted, it goes on by itself, and must not be called again.
        Some(libc::EINPROGRESS | libc::EINTR) => Ok(Connected::UnderWay),
        // For an internet socket the same number means that no local port is left.
        Some(libc::EAGAIN) if !address.is_inet() => Ok(Connected::QueueFull),
        _ => Err(error),
    }
}

/// Takes the connection that has waited longest, and the address of its peer.
pub(crate) fn accept(fd: RawFd) -> io::Result<(OwnedFd, Address)> {
    faults::at("accept4")?;
    let mut peer = Address::EMPTY;
    let pointer = peer.bytes.as_mut_ptr().cast();
    // SAFETY: Slices; `len` is the room there is.
    let fd = check(unsafe { libc::accept4(fd, pointer, &mut peer.len, BIRTH) })?;
    // SAFETY: Fresh.
    Ok((unsafe { OwnedFd::from_raw_fd(fd) }, peer))
}

/// What an error of [`accept`] means for the next try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// It belonged to a connection that is gone already: take the next one.
    OneLost,
    /// No descriptor or no memory is free. The connection still waits in the queue.
    Exhausted,
    /// The listener itself is at fault.
    Fatal,
}

/// Sorts the errors of accept(2), which passes on what befell the connection that it took.
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    match error.raw_os_error() {
        Some(libc::ECONNABORTED | libc::EPROTO | libc::ENOPROTOOPT) => AcceptFailure::OneLost,
        Some(libc::ENETDOWN | libc::ENETUNREACH | libc::ENONET) => AcceptFailure::OneLost,
        Some(libc::EHOSTDOWN | libc::EHOSTUNREACH) => AcceptFailure::OneLost,
        Some(libc::EMFILE | libc::ENFILE) => AcceptFailure::Exhausted,
        Some(libc::ENOBUFS | libc::ENOMEM) => AcceptFailure::Exhausted,
        _ => AcceptFailure::Fatal,
    }
}

/// Receives into `buf`, without waiting, whatever the socket's mode; 0 is the end of the stream.
pub(crate) fn recv(fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
    recv_into(fd, &mut Room::of(buf))
}

/// The same for memory that need not hold anything yet.
#[inline]
pub(crate) fn recv_into(fd: RawFd, room: &mut Room<'_>) -> io::Result<usize> {
    faults::at("recv")?;
    let (start, length) = room.rest();
    // SAFETY: Slices.
    let n = count(unsafe { libc::recv(fd, start, length, libc::MSG_DONTWAIT) })?;
    // SAFETY: Filled.
    unsafe { room.advance(n) };
    Ok(n)
}

/// The same, and leaves the data where it is.
pub(crate) fn peek(fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
    faults::at("recv")?;
    let pointer = buf.as_mut_ptr().cast::<c_void>();
    // SAFETY: Slices.
    count(unsafe { libc::recv(fd, pointer, buf.len(), libc::MSG_PEEK) })
}

/// Receives into several buffers, each filled before the next.
pub(crate) fn recv_vectored(fd: RawFd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    faults::at("readv")?;
    let buffers = bufs.len().min(BUFFERS_MAX) as c_int;
    // SAFETY: Slices; `IoSliceMut` is an `iovec` in memory, as the standard library promises.
    count(unsafe { libc::readv(fd, bufs.as_mut_ptr().cast(), buffers) })
}

/// Sends from `buf`, without waiting, whatever the socket's mode. A closed connection is an error,
/// never a SIGPIPE.
pub(crate) fn send(fd: RawFd, buf: &[u8]) -> io::Result<usize> {
    faults::at("send")?;
    let pointer = buf.as_ptr().cast::<c_void>();
    // SAFETY: Slices.
    count(unsafe {
        libc::send(
            fd,
            pointer,
            buf.len(),
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        )
    })
}

/// Sends from several buffers, in their order.
pub(crate) fn send_vectored(fd: RawFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    faults::at("sendmsg")?;
    // SAFETY: a `msghdr` of zeros is a valid one: null pointers with lengths of zero.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = bufs.as_ptr().cast_mut().cast();
    message.msg_iovlen = bufs.len().min(BUFFERS_MAX) as _;
    // SAFETY: Slices; `IoSlice` is an `iovec` in memory, and sendmsg only reads through it.
    count(unsafe { libc::sendmsg(fd, &message, libc::MSG_NOSIGNAL) })
}

/// Ends one or both directions, for every holder of the socket.
pub(crate) fn shutdown(fd: RawFd, how: Shutdown) -> io::Result<()> {
    faults::at("shutdown")?;
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: no pointers.
    check(unsafe { libc::shutdown(fd, how) }).map(drop)
}

/// The socket's own address.
pub(crate) fn local_address(fd: RawFd) -> io::Result<Address> {
    faults::at("getsockname")?;
    let mut address = Address::EMPTY;
    let pointer = address.bytes.as_mut_ptr().cast();
    // SAFETY: Slices; `len` is the room there is.
    check(unsafe { libc::getsockname(fd, pointer, &mut address.len) })?;
    Ok(address)
}

/// The address of the other end.
pub(crate) fn peer_address(fd: RawFd) -> io::Result<Address> {
    faults::at("getpeername")?;
    let mut address = Address::EMPTY;
    let pointer = address.bytes.as_mut_ptr().cast();
    // SAFETY: Slices; `len` is the room there is.
    check(unsafe { libc::getpeername(fd, pointer, &mut address.len) })?;
    Ok(address)
}

/// Sets an option that is an `int`.
pub(crate) fn set(fd: RawFd, option: SocketOption, value: c_int) -> io::Result<()> {
    set_words(fd, option, &[value.cast_unsigned()])
}

/// The value of an option that is an `int`.
pub(crate) fn get(fd: RawFd, option: SocketOption) -> io::Result<c_int> {
    get_words(fd, option).map(|[value]| value.cast_signed())
}

/// Sets an option that is this many words.
pub(super) fn set_words(fd: RawFd, option: SocketOption, words: &[u32]) -> io::Result<()> {
    faults::at("setsockopt")?;
    let pointer = words.as_ptr().cast::<c_void>();
    let len = size_of_val(words) as socklen_t;
    // SAFETY: Slices.
    check(unsafe { libc::setsockopt(fd, option.level, option.name, pointer, len) }).map(drop)
}

/// The value of an option that is `N` words.
pub(super) fn get_words<const N: usize>(fd: RawFd, option: SocketOption) -> io::Result<[u32; N]> {
    faults::at("getsockopt")?;
    let mut words = [0; N];
    let pointer = words.as_mut_ptr().cast::<c_void>();
    let mut len = size_of_val(&words) as socklen_t;
    // SAFETY: Slices.
    check(unsafe { libc::getsockopt(fd, option.level, option.name, pointer, &mut len) })?;
    Ok(words)
}

/// The option for the hop limit: each family has its own.
fn hops(fd: RawFd) -> io::Result<SocketOption> {
    let v6 = get(fd, FAMILY)? == libc::AF_INET6;
    Ok(if v6 { V6_HOPS } else { V4_HOPS })
}

/// How many hops its packets live.
pub(crate) fn hop_limit(fd: RawFd) -> io::Result<u32> {
    let limit = get(fd, hops(fd)?)?;
    Ok(u32::try_from(limit).unwrap_or(0))
}

/// Sets the same, 1 to 255.
pub(crate) fn set_hop_limit(fd: RawFd, limit: u32) -> io::Result<()> {
    if !(1..=255).contains(&limit) {
        let message = format!("a time to live is 1 to 255 hops, not {limit}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    set(fd, hops(fd)?, limit as c_int)
}

/// The error that the socket met by itself, and forgets now.
pub(crate) fn take_error(fd: RawFd) -> io::Result<Option<io::Error>> {
    match get(fd, ERROR)? {
        0 => Ok(None),
        errno => Ok(Some(io::Error::from_raw_os_error(errno))),
    }
}

/// How long `close` waits for unsent data; whole seconds, rounded up.
pub(crate) fn set_linger(fd: RawFd, limit: Option<Duration>) -> io::Result<()> {
    let seconds = limit.map_or(0, |limit| {
        limit
            .as_secs()
            .saturating_add(u64::from(limit.subsec_nanos() > 0))
    });
    let seconds = c_int::try_from(seconds).unwrap_or(c_int::MAX);
    let on = u32::from(limit.is_some());
    set_words(fd, LINGER, &[on, seconds.cast_unsigned()])
}

/// The same, read.
pub(crate) fn linger(fd: RawFd) -> io::Result<Option<Duration>> {
    let [on, seconds] = get_words(fd, LINGER)?;
    let seconds = u64::try_from(seconds.cast_signed()).unwrap_or(0);
    Ok((on != 0).then(|| Duration::from_secs(seconds)))
}

/// Whether `fd` is a regular file, a directory or a disk: always ready, says poll(2), also when
/// reading them takes long; and epoll refuses them.
pub(crate) fn is_on_disk(fd: RawFd) -> io::Result<bool> {
    faults::at("fstat")?;
    // SAFETY: `stat` is numbers only, so zeros are one.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: Slices.
    check(unsafe { libc::fstat(fd, &raw mut stat) })?;
    Ok(matches!(
        stat.st_mode & libc::S_IFMT,
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_blocking_socket_does_not_block_and_stays_blocking() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        let empty = recv(near.as_raw_fd(), &mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        while send(near.as_raw_fd(), &[7; 1 << 16]).is_ok() {}
        far.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [7; 8]);
        drop(far);
        let gone = send(near.as_raw_fd(), b"x").unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_lost_connection_and_a_full_table_do_not_end_accepting() {
        let failure = |errno| accept_failure(&io::Error::from_raw_os_error(errno));
        assert_eq!(failure(libc::ECONNABORTED), AcceptFailure::OneLost);
        assert_eq!(failure(libc::EHOSTUNREACH), AcceptFailure::OneLost);
        assert_eq!(failure(libc::EMFILE), AcceptFailure::Exhausted);
        assert_eq!(failure(libc::ENFILE), AcceptFailure::Exhausted);
        assert_eq!(failure(libc::ENOBUFS), AcceptFailure::Exhausted);
        assert_eq!(failure(libc::ENOMEM), AcceptFailure::Exhausted);
        assert_eq!(failure(libc::EBADF), AcceptFailure::Fatal);
        assert_eq!(failure(libc::EINVAL), AcceptFailure::Fatal);
        assert_eq!(accept_failure(&io::Error::other("x")), AcceptFailure::Fatal);
    }
}
