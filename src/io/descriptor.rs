//! The standard traits of every object that is thin over a [`Source`](crate::kernel::source).
//!
//! # Not here
//! What lending does to the object: `kernel::source`.

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
