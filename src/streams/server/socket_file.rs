//! [`SocketFile`]: the name of a Unix server, which outlives the server that made it.
//!
//! A server that was killed leaves its socket file behind, and bind(2) refuses a name that exists.
//! Whether somebody listens there is told by connecting: a socket without a listener refuses.
//!
//! # Invariants
//! - **Ours**: only the file that this server made is removed at its end: another one may have
//!   taken the name meanwhile.
//!
//! # Cost
//! A few calls to the file system at both ends of a server, without a thread: they take
//! microseconds, on a disk of this machine.
//!
//! # Not here
//! Two servers that find the same dead file at the same moment: both may remove it, and the later
//! one has the name then. No system call removes a file only if it is a certain one.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::sys::socket::{self, Address};

/// See the module.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    /// The file that a bind has just made.
    pub(super) fn made(path: &Path) -> io::Result<SocketFile> {
        // The process may be elsewhere when the file is to be removed.
        let path = std::path::absolute(path)?;
        let inode = inode(&fs::symlink_metadata(&path)?);
        Ok(SocketFile { path, inode })
    }

    /// Removes it, if it is still there.
    pub(super) fn remove(self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| inode(&found) == self.inode) {
            // Fails if the directory is not writable any more: then the file stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Removes the file in the way of a bind, if it is a socket that nobody listens on.
pub(super) fn remove_dead(path: &Path) -> io::Result<()> {
    let in_use = |why| {
        let message = format!("cannot listen on {}: {why}", path.display());
        io::Error::new(ErrorKind::AddrInUse, message)
    };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(in_use("a file is there that is no socket: remove it first"));
    }
    if !is_dead(path)? {
        return Err(in_use("somebody else does"));
    }
    let still = fs::symlink_metadata(path);
    if still.is_ok_and(|still| inode(&still) == inode(&found)) {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn is_dead(path: &Path) -> io::Result<bool> {
    let address = Address::from_unix(&SocketAddr::from_pathname(path)?);
    let probe = socket::open(&address)?;
    match socket::connect(probe.as_raw_fd(), &address) {
        Err(error) => Ok(error.kind() == ErrorKind::ConnectionRefused),
        // Connected, or its queue is full.
        Ok(_) => Ok(false),
    }
}
