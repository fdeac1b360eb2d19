//! Sockets that others share, used without waiting and without changing their mode.
//!
//! # Invariants
//! - **Slices**: each pointer and length given to the kernel are those of one borrowed slice,
//!   which lives until the call returns; the kernel keeps neither.
//! - **Numbers**: a descriptor comes in as a number that its owner, somewhere above, keeps open.
//!
//! # Not here
//! Pipes and terminals have no such flag: they are opened anew (`pipe::open_again`).

use std::io;
use std::os::fd::RawFd;

use super::{count, faults};

/// Receives what is there, or says `WouldBlock`, whatever the socket's mode.
pub(crate) fn recv_now(fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
    faults::at("recv")?;
    let pointer = buf.as_mut_ptr().cast();
    // SAFETY: Slices.
    count(unsafe { libc::recv(fd, pointer, buf.len(), libc::MSG_DONTWAIT) })
}

/// Sends what there is room for, or says `WouldBlock`, whatever the socket's mode.
pub(crate) fn send_now(fd: RawFd, buf: &[u8]) -> io::Result<usize> {
    faults::at("send")?;
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: Slices.
    count(unsafe { libc::send(fd, buf.as_ptr().cast(), buf.len(), flags) })
}

#[cfg(test)]
mod tests {
    use super::{recv_now, send_now};
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_blocking_socket_does_not_block_and_stays_blocking() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        let empty = recv_now(near.as_raw_fd(), &mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        while send_now(near.as_raw_fd(), &[7; 1 << 16]).is_ok() {}
        far.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [7; 8]);
        drop(far);
        let gone = send_now(near.as_raw_fd(), b"x").unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::BrokenPipe);
    }
}
