//! The name of an address, from the C library: the standard library asks only the other way.
//!
//! # Invariants
//! - **Slices**: as in `socket`.
//!
//! # Cost
//! A function of the C library, not a system call. It blocks, for seconds when a name server is
//! silent: to be called on a thread.
//!
//! # Not here
//! Names of services; names to addresses (`std::net::ToSocketAddrs`).

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::ptr;

use libc::{c_int, socklen_t};

use super::socket::Address;

/// Room for the longest name (`NI_MAXHOST`).
const NAME_MAX: usize = 1025;

/// The name of the host that has this address.
pub(crate) fn name_of(address: &Address) -> io::Result<String> {
    let mut name = [0_u8; NAME_MAX];
    // SAFETY: Slices; `len` bytes of the address are written. No service is asked for.
    let failed = unsafe {
        libc::getnameinfo(
            address.bytes.as_ptr().cast(),
            address.len,
            name.as_mut_ptr().cast(),
            NAME_MAX as socklen_t,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if failed != 0 {
        return Err(explain(failed));
    }
    let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}

fn explain(failed: c_int) -> io::Error {
    if failed == libc::EAI_SYSTEM {
        return io::Error::last_os_error();
    }
    let kind = match failed {
        libc::EAI_NONAME => ErrorKind::NotFound,
        libc::EAI_AGAIN => ErrorKind::TimedOut,
        libc::EAI_MEMORY => ErrorKind::OutOfMemory,
        _ => ErrorKind::Other,
    };
    // SAFETY: the function takes a number, and returns a text that is never freed.
    let text = unsafe { libc::gai_strerror(failed) };
    // SAFETY: as above, and the text ends with a NUL.
    let text = unsafe { CStr::from_ptr(text) };
    io::Error::new(kind, text.to_string_lossy().into_owned())
}
