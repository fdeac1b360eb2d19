//! What travels beside the bytes of a Unix socket: descriptors, and who the peer is.
//!
//! A control message is a header (length, level, type) and its payload, in a buffer aligned for
//! the header. As with addresses, the fields are written and read at their offsets, as numbers
//! in a buffer of words; the assertions compare the layout with the C structures.
//!
//! # Invariants
//! - **Slices**, **Numbers**: as in `socket`.
//! - **Installed**: the numbers in a received `SCM_RIGHTS` message are descriptors that the
//!   kernel has just made for this process. They become owned before anything can fail.
//!
//! # Cost
//! One system call each; up to 1,064 bytes of buffer on the stack.
//!
//! # Not here
//! Other control messages: timestamps, packet information, credentials of each message.

use std::io::{self, ErrorKind};
use std::mem::{self, offset_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_void, cmsghdr, iovec, msghdr};

use super::socket::{get_words, socket_option};
use super::{count, datagram, faults};

/// The most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
pub(crate) const FDS_MAX: usize = 253;

/// The header: the length of header and payload, then level and type.
const HEADER: usize = size_of::<cmsghdr>();
const HEADER_WORDS: usize = HEADER / size_of::<u64>();
/// A message of credentials, which comes before descriptors if somebody has asked for it.
const CREDENTIALS: usize = (HEADER + size_of::<libc::ucred>()).next_multiple_of(size_of::<u64>());
const WORDS: usize =
    (HEADER + FDS_MAX * size_of::<c_int>() + CREDENTIALS).div_ceil(size_of::<u64>());

const _: () = assert!(HEADER == 16 && align_of::<cmsghdr>() <= align_of::<u64>());
const _: () = assert!(offset_of!(cmsghdr, cmsg_len) == 0);
const _: () = assert!(offset_of!(cmsghdr, cmsg_level) == 8);
const _: () = assert!(offset_of!(cmsghdr, cmsg_type) == 12);

/// The buffer of one control message, and how much of it counts, in bytes.
struct Control {
    words: [u64; WORDS],
    len: usize,
}

impl Control {
    /// Room for `fds` descriptors.
    fn room_for(fds: usize) -> Control {
        Control {
            words: [0; WORDS],
            len: HEADER + fds * size_of::<c_int>(),
        }
    }

    fn with(fds: &[BorrowedFd<'_>]) -> Control {
        let mut control = Control::room_for(fds.len());
        control.words[0] = control.len as u64;
        control.words[1] = pair(libc::SOL_SOCKET, libc::SCM_RIGHTS);
        for (word, fds) in control.words[HEADER_WORDS..].iter_mut().zip(fds.chunks(2)) {
            *word = pair(fds[0].as_raw_fd(), fds.get(1).map_or(0, AsRawFd::as_raw_fd));
        }
        control
    }

    /// The descriptors in the messages that the kernel has put into the first `len` bytes.
    /// Others may stand before them, if somebody has set an option that asks for those.
    fn into_fds(self, len: usize) -> Vec<OwnedFd> {
        let mut fds = Vec::new();
        let mut at = 0;
        while at + HEADER <= len {
            let message = &self.words[at / size_of::<u64>()..];
            let size = (message[0] as usize).clamp(HEADER, len - at);
            if message[1] == pair(libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let numbers = message[HEADER_WORDS..].iter().flat_map(halves);
                for fd in numbers.take((size - HEADER) / size_of::<c_int>()) {
                    // SAFETY: Installed.
                    fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
                }
            }
            at += size.next_multiple_of(size_of::<u64>());
        }
        fds
    }
}

/// Two `int`s as they lie in memory one after the other.
fn pair(first: c_int, second: c_int) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

/// The same, read.
fn halves(word: &u64) -> [c_int; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    [
        c_int::from_ne_bytes([a, b, c, d]),
        c_int::from_ne_bytes([e, f, g, h]),
    ]
}

/// Sends `data` and duplicates of `fds`, at most [`FDS_MAX`].
pub(crate) fn send(fd: RawFd, data: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    faults::at("sendmsg")?;
    if fds.len() > FDS_MAX {
        let message = format!(
            "at most {FDS_MAX} descriptors go with one message, not {}: send several",
            fds.len()
        );
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    let mut control = Control::with(fds);
    let mut part = iovec {
        iov_base: data.as_ptr().cast_mut().cast::<c_void>(),
        iov_len: data.len(),
    };
    let mut message = message(&mut part);
    if !fds.is_empty() {
        message.msg_control = control.words.as_mut_ptr().cast();
        message.msg_controllen = control.len;
    }
    // SAFETY: Slices, the control buffer included; sendmsg only reads through them.
    let sent = count(unsafe { libc::sendmsg(fd, &message, libc::MSG_NOSIGNAL) });
    sent.map_err(|error| explain(error, data.len()))
}

/// What came with one message.
#[derive(Debug)]
pub(crate) struct Received {
    /// For a datagram its whole length.
    pub(crate) len: usize,
    pub(crate) fds: Vec<OwnedFd>,
    /// More descriptors were sent than came here; the others are closed.
    pub(crate) lost_fds: bool,
}

/// Receives into `buf`, with up to `max` descriptors; none of them survives an exec.
pub(crate) fn receive(
    fd: RawFd,
    buf: &mut [u8],
    max: usize,
    datagram: bool,
) -> io::Result<Received> {
    faults::at("recvmsg")?;
    let mut control = Control::room_for(max.min(FDS_MAX));
    control.len += CREDENTIALS;
    let mut part = iovec {
        iov_base: buf.as_mut_ptr().cast::<c_void>(),
        iov_len: buf.len(),
    };
    let mut message = message(&mut part);
    message.msg_control = control.words.as_mut_ptr().cast();
    message.msg_controllen = control.len;
    let whole = if datagram { libc::MSG_TRUNC } else { 0 };
    // SAFETY: Slices, the control buffer included.
    let len = count(unsafe { libc::recvmsg(fd, &mut message, libc::MSG_CMSG_CLOEXEC | whole) })?;
    let mut fds = control.into_fds(message.msg_controllen);
    // Without credentials their room has taken descriptors too.
    let lost_fds = message.msg_flags & libc::MSG_CTRUNC != 0 || fds.len() > max;
    fds.truncate(max);
    Ok(Received { len, fds, lost_fds })
}

fn message(part: &mut iovec) -> msghdr {
    // SAFETY: a `msghdr` of zeros is a valid one: null pointers with lengths of zero.
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message
}

fn explain(error: io::Error, len: usize) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ETOOMANYREFS) => io::Error::new(
            ErrorKind::QuotaExceeded,
            format!("too many descriptors are under way, sent and not received: {error}"),
        ),
        // Of a stream, and not about addresses: there are none.
        Some(libc::EINVAL | libc::ENOTCONN) => error,
        _ => datagram::explain(error, len),
    }
}

/// Who made the socket at the other end, or called `listen` on it.
pub(crate) fn peer_credentials(fd: RawFd) -> io::Result<(i32, u32, u32)> {
    const { assert!(size_of::<libc::ucred>() == size_of::<[u32; 3]>()) };
    let [pid, uid, gid] = get_words(fd, socket_option(libc::SO_PEERCRED))?;
    Ok((pid.cast_signed(), uid, gid))
}
