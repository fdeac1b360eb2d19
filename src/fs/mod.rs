//! Files and folders: the calls of [`std::fs`], made on threads.
//!
//! epoll knows no files: a read from a disk that has to turn is not "would block", it blocks. So
//! every call here is made by a thread of [`to_thread`](crate::to_thread)'s pool, and the loop goes
//! on meanwhile. The names are those of the standard library.
//!
//! # What it costs
//! The way to a thread and back is several times as long as reading a small file that is in
//! memory. **For one thread's own work this is slower than `std::fs`**, always; what it buys is
//! that the loop does not stand still when the disk is slow. So:
//! - whole files in one go: [`read`], [`write`](write()) and their like go to a thread once;
//! - piece by piece: [`File`] reads ahead and gathers writes, so that many small pieces are one
//!   trip of 128 KiB;
//! - many files, or a walk through folders: put the whole job into one `to_thread`, with `std::fs`
//!   inside.
//!
//! ```
//! use petla::to_thread;
//!
//! let sources = petla::run(to_thread(|| {
//!     let mut bytes = 0;
//!     for entry in std::fs::read_dir("src")? {
//!         bytes += entry?.metadata()?.len();
//!     }
//!     std::io::Result::Ok(bytes)
//! }))??;
//! assert!(sources > 0);
//! # std::io::Result::Ok(())
//! ```
//!
//! # Cancellation
//! A call that a thread has begun cannot be stopped: it goes on, and its result is dropped. A
//! [`File`] keeps what such a call has read or has yet to write.
//!
//! # The map
//! `whole` functions that name a path · `replace` writing a file so that nobody sees half of it ·
//! `read_dir` · `file` the cursor, over `buffered`, what travels to the threads · `options`.
//!
//! # Not here
//! Pipes, terminals and other streams, which epoll does know (`io`). Locks, watching for changes.
#![forbid(unsafe_code)]

mod buffered;
mod file;
mod options;
mod read_dir;
mod replace;
mod whole;

pub use file::File;
pub use options::OpenOptions;
pub use read_dir::{ReadDir, read_dir};
pub use replace::write_atomic;
pub use whole::{
    Operation, canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read,
    read_link, read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions,
    symlink, symlink_metadata, write,
};
