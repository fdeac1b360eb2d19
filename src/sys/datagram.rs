//! Datagram sockets as the kernel knows them: one safe function a system call.
//!
//! A datagram is moved whole: a send takes all of it or none, a receive takes it out of the
//! queue, also when the buffer is too short for it. The kernel then tells how long it was, if
//! it is asked to (`MSG_TRUNC`); the rest is gone.
//!
//! # Invariants
//! - **Slices**, **Numbers**: as in `socket`.
//!
//! # Cost
//! One system call each.
//!
//! # Not here
//! Datagrams that carry descriptors (`ancillary`). Addresses and options (`socket`, `options`).

use std::io::{self, ErrorKind};
use std::os::fd::{OwnedFd, RawFd};

use libc::c_void;

use super::socket::{self, Address};
use super::{count, faults};

/// A new datagram socket of the family of `address`.
pub(crate) fn open(address: &Address) -> io::Result<OwnedFd> {
    socket::open_as(libc::SOCK_DGRAM, address)
}

/// Two Unix datagram sockets connected to each other.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    socket::pair_as(libc::SOCK_DGRAM)
}

/// What a receive does with the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receive {
    Take,
    Peek,
}

/// Receives a datagram into `buf`, which it may not fit. Returns its whole length, and whose it
/// is.
pub(crate) fn receive(fd: RawFd, buf: &mut [u8], how: Receive) -> io::Result<(usize, Address)> {
    faults::at("recvfrom")?;
    let flags = match how {
        Receive::Take => libc::MSG_TRUNC,
        Receive::Peek => libc::MSG_TRUNC | libc::MSG_PEEK,
    };
    let mut from = Address::EMPTY;
    let pointer = buf.as_mut_ptr().cast::<c_void>();
    let name = from.bytes.as_mut_ptr().cast();
    // SAFETY: Slices; `from.len` is the room there is.
    let len = count(unsafe { libc::recvfrom(fd, pointer, buf.len(), flags, name, &mut from.len) })?;
    Ok((len, from))
}

/// Sends `data` as one datagram, to `target` or else to the peer.
pub(crate) fn send(fd: RawFd, data: &[u8], target: Option<&Address>) -> io::Result<usize> {
    faults::at("sendto")?;
    let pointer = data.as_ptr().cast::<c_void>();
    let (name, name_len) = match target {
        Some(target) => (target.bytes.as_ptr().cast(), target.len),
        None => (std::ptr::null(), 0),
    };
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: Slices; `target.len` bytes of the address are written, aligned as it must be.
    let sent = count(unsafe { libc::sendto(fd, pointer, data.len(), flags, name, name_len) });
    sent.map_err(|error| explain(error, data.len()))
}

/// Says what to do about the errors of a send of `len` bytes that have no kind of their own.
pub(super) fn explain(error: io::Error, len: usize) -> io::Error {
    let (kind, advice) = match error.raw_os_error() {
        Some(libc::EMSGSIZE) => (
            ErrorKind::InvalidInput,
            format!(
                "a datagram of {len} bytes is too long: UDP takes 65507 (IPv6 65527) and Unix \
                 sockets what fits into the send buffer; send less at once"
            ),
        ),
        Some(libc::ENOBUFS) => (
            ErrorKind::ResourceBusy,
            "the network interface's queue is full, and nothing tells when it is not: wait a \
             moment and send again"
                .to_owned(),
        ),
        Some(libc::EDESTADDRREQ | libc::ENOTCONN) => (
            ErrorKind::NotConnected,
            "the socket is not connected: call connect first, or send_to with an address"
                .to_owned(),
        ),
        Some(libc::EACCES) => (
            ErrorKind::PermissionDenied,
            "the system does not permit this datagram (to a broadcast address, call \
             set_broadcast(true) first; to a socket file, its mode must let you write)"
                .to_owned(),
        ),
        Some(libc::EAFNOSUPPORT | libc::EINVAL) => (
            ErrorKind::InvalidInput,
            "the address is of another family than the socket: bind one to 0.0.0.0 for IPv4, \
             or to [::] for IPv6"
                .to_owned(),
        ),
        Some(libc::EPROTOTYPE) => (
            ErrorKind::InvalidInput,
            "the socket at this path is no datagram socket: connect to it by UnixStream".to_owned(),
        ),
        _ => return error,
    };
    io::Error::new(kind, format!("{advice}: {error}"))
}
