//! How an option of the kernel becomes two methods, for the objects that have `raw`.
//!
//! # Not here
//! The kernel's names (`sys::options`).

use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;
use std::os::fd::RawFd;

use crate::sys::socket::{self, SocketOption};

/// An option that is on or off.
macro_rules! flag {
    ($(#[$get_doc:meta])* $get:ident, $(#[$set_doc:meta])* $set:ident, $option:expr) => {
        $(#[$get_doc])*
        ///
        /// # Errors
        /// Those of getsockopt(2).
        pub fn $get(&self) -> io::Result<bool> {
            Ok(crate::sys::socket::get(self.raw(), $option)? != 0)
        }

        $(#[$set_doc])*
        ///
        /// # Errors
        /// Those of setsockopt(2).
        pub fn $set(&self, on: bool) -> io::Result<()> {
            crate::sys::socket::set(self.raw(), $option, on.into())
        }
    };
}

/// An option that is a number.
macro_rules! number {
    (
        $(#[$get_doc:meta])* $get:ident,
        $(#[$set_doc:meta])* $set:ident, $what:literal, $range:expr,
        $option:expr
    ) => {
        $(#[$get_doc])*
        ///
        /// # Errors
        /// Those of getsockopt(2).
        pub fn $get(&self) -> io::Result<u32> {
            super::options::get_number(self.raw(), $option)
        }

        $(#[$set_doc])*
        ///
        /// # Errors
        /// `InvalidInput` outside that range; those of setsockopt(2).
        pub fn $set(&self, value: u32) -> io::Result<()> {
            super::options::set_number(self.raw(), $option, $what, $range, value)
        }
    };
}

/// The sizes of both buffers.
macro_rules! buffers {
    () => {
        /// How many bytes the receive buffer holds, by the kernel's count.
        ///
        /// # Errors
        /// Those of getsockopt(2).
        pub fn recv_buffer_size(&self) -> io::Result<usize> {
            super::options::buffer_size(self.raw(), crate::sys::options::RECV_BUFFER)
        }

        /// Asks for a receive buffer of this many bytes.
        ///
        /// The kernel doubles the number, for its own bookkeeping, raises it to a minimum and
        /// caps it (`net.core.rmem_max`):
        /// [`recv_buffer_size`](Self::recv_buffer_size) says what came of it.
        ///
        /// # Errors
        /// Those of setsockopt(2).
        pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
            let option = crate::sys::options::RECV_BUFFER;
            super::options::set_buffer_size(self.raw(), option, bytes)
        }

        /// How many bytes the send buffer holds, by the kernel's count.
        ///
        /// # Errors
        /// Those of getsockopt(2).
        pub fn send_buffer_size(&self) -> io::Result<usize> {
            super::options::buffer_size(self.raw(), crate::sys::options::SEND_BUFFER)
        }

        /// Asks for a send buffer of this many bytes (`net.core.wmem_max` caps it), as
        /// [`set_recv_buffer_size`](Self::set_recv_buffer_size) does for the other direction.
        ///
        /// # Errors
        /// Those of setsockopt(2).
        pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
            let option = crate::sys::options::SEND_BUFFER;
            super::options::set_buffer_size(self.raw(), option, bytes)
        }
    };
}

pub(super) use {buffers, flag, number};

pub(super) fn get_number(fd: RawFd, option: SocketOption) -> io::Result<u32> {
    let value = socket::get(fd, option)?;
    Ok(u32::try_from(value).unwrap_or(0))
}

pub(super) fn set_number(
    fd: RawFd,
    option: SocketOption,
    what: &str,
    range: RangeInclusive<u32>,
    value: u32,
) -> io::Result<()> {
    if !range.contains(&value) {
        let (least, most) = range.into_inner();
        let message = format!("{what} is {least} to {most}, not {value}");
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    // No range here ends beyond `i32::MAX`.
    socket::set(fd, option, value.cast_signed())
}

pub(super) fn buffer_size(fd: RawFd, option: SocketOption) -> io::Result<usize> {
    let bytes = socket::get(fd, option)?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

pub(super) fn set_buffer_size(fd: RawFd, option: SocketOption, bytes: usize) -> io::Result<()> {
    // The kernel doubles the number, and would count a larger one as negative.
    let most = i32::MAX / 2;
    let bytes = i32::try_from(bytes).unwrap_or(most).min(most);
    socket::set(fd, option, bytes)
}
