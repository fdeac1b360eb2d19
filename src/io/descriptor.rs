//! What objects over a descriptor have in common: which ones they refuse, and the standard traits
//! of those that are thin over a [`Source`](crate::kernel::source).
//!
//! # Not here
//! What lending does to the object: `kernel::source`.

use std::io;
use std::os::fd::RawFd;

use crate::sys::socket;

/// Refuses what lies on a disk: nobody tells when reading it would not take long.
pub(crate) fn refuse_files(fd: RawFd) -> io::Result<()> {
    if socket::is_on_disk(fd)? {
        let message = "a regular file, a directory or a disk is always ready, also when reading \
                       it takes long: use petla::fs";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// Lends the descriptor of what has a field `source`, and gives it up. With `lent`, the object does
/// something else when it gives its descriptor up.
macro_rules! descriptor {
    ($(#[$doc:meta])* $owner:ident) => {
        $crate::io::descriptor::descriptor!(lent $(#[$doc])* $owner);

        impl From<$owner> for std::os::fd::OwnedFd {
            fn from(owner: $owner) -> std::os::fd::OwnedFd {
                owner.source.into_fd()
            }
        }
    };
    (lent $(#[$doc:meta])* $owner:ident) => {
        $(#[$doc])*
        impl std::os::fd::AsFd for $owner {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.source.lend()
            }
        }

        impl std::os::fd::AsRawFd for $owner {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.source.lend())
            }
        }
    };
}

pub(crate) use descriptor;
