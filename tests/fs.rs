//! Files: whole ones and pieces, errors of the system, calls that are given up.

mod common;

#[path = "fs/given_up.rs"]
mod given_up;
#[path = "fs/model.rs"]
mod model;
#[path = "fs/pieces.rs"]
mod pieces;
#[path = "fs/trouble.rs"]
mod trouble;
#[path = "fs/whole.rs"]
mod whole;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("petla-fs-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// A file in it with this inside.
    fn file(&self, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join("file");
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// A FIFO in it.
    fn fifo(&self) -> PathBuf {
        let path = self.join("fifo");
        let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
        // SAFETY: `name` is valid for the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
