//! The file that gives a Unix socket its name: what lies there, and who takes it away.
//!
//! A server that ends leaves its socket file behind, and the next one finds the name taken.
//! Whether a file is a dead one's is asked of the kernel, by connecting a *datagram* socket:
//! `ECONNREFUSED` comes only if no socket of any kind is bound there. A stream socket would be
//! refused by a server that has yet to call `listen`, and would bother one that has.
//!
//! # Invariants
//! - **Ours**: a file is removed on drop only by the process that made it, and only while it is
//!   the same inode. The socket is still open then, so that number cannot be another's.
//!
//! # Not here
//! A lock: two servers that replace the same dead file at once may both believe that it is theirs.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr as UnixAddr;
use std::path::{PathBuf, absolute};
use std::process;

use crate::sys::datagram;
use crate::sys::socket::{self, Address};

/// A socket file that goes with its socket.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
    owner: u32,
}

impl SocketFile {
    /// The file that a bind to `address` has just made; none for an abstract name.
    pub(super) fn of(address: &Address) -> io::Result<Option<SocketFile>> {
        let address = address.to_unix()?;
        let Some(path) = address.as_pathname() else {
            return Ok(None);
        };
        Ok(Some(SocketFile {
            inode: inode(&fs::symlink_metadata(path)?),
            path: absolute(path)?,
            owner: process::id(),
        }))
    }
}

/// Keeps **Ours**.
impl Drop for SocketFile {
    fn drop(&mut self) {
        let file = fs::symlink_metadata(&self.path);
        let same = file.is_ok_and(|file| inode(&file) == self.inode);
        if same && self.owner == process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Removes the file at `address` if it is a socket's that no longer lives.
///
/// # Errors
/// `AddrInUse`, with what lies there and what to do about it: always unless `replace`.
pub(super) fn make_way(address: &Address, replace: bool, taken: io::Error) -> io::Result<()> {
    let unix = address.to_unix()?;
    let Some(path) = unix.as_pathname() else {
        return Err(taken); // an abstract name has an owner that lives
    };
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let advice = if !file.file_type().is_socket() {
        "a file is there that is no socket, and left alone: choose another path"
    } else if !is_dead(address)? {
        "a socket that lives has this name: choose another path, or end that program"
    } else if !replace {
        "a program that ended has left its file: remove it, or bind with replace_stale(true)"
    } else if inode(&fs::symlink_metadata(path)?) == inode(&file) {
        return fs::remove_file(path);
    } else {
        "another program is replacing it at this moment"
    };
    Err(io::Error::new(ErrorKind::AddrInUse, advice))
}

/// Says which path could not be bound.
pub(super) fn named(address: &Address, error: io::Error) -> io::Error {
    let unix = address.to_unix();
    let Some(path) = unix.as_ref().ok().and_then(UnixAddr::as_pathname) else {
        return error;
    };
    let message = format!("cannot bind {}: {error}", path.display());
    io::Error::new(error.kind(), message)
}

fn is_dead(address: &Address) -> io::Result<bool> {
    let probe = datagram::open(address)?;
    let refused = socket::connect(probe.as_raw_fd(), address);
    Ok(refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused))
}
