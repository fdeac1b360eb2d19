//! [`write_atomic`]: a file is the old one or the new one, at every moment.
//!
//! ```text
//!   a new file beside it ─► contents ─► permissions ─► fsync ─► rename over it ─► fsync the folder
//!         └────────── an error: the new file is removed, the old one is as it was
//! ```
//!
//! # Not here
//! Owners, extended attributes, hard links: the new file is a new file.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::whole::{Operation, owned};

/// Names that were taken by others are skipped; nobody takes so many.
const NAMES_MAX: u32 = 100;

/// Replaces a file's contents as a whole, or makes the file.
///
/// Whoever opens it meanwhile reads the old contents or the new, never a part and never nothing;
/// so does the machine after it has crashed. When this returns without an error, the new contents
/// are on the disk.
///
/// A symbolic link is followed: the file that it points to is replaced. Permissions are kept; the
/// owner is this process, and hard links keep the old contents.
///
/// # Errors
/// Those of [`write`](super::write()), and of rename(2) and fsync(2): writing needs permission for
/// the folder. `InvalidInput` for a pipe, a socket or a device: none is replaced as a whole. The
/// old file is as it was, unless it is the fsync of the folder that failed: then the new one is
/// there, and a crash may undo that.
///
/// # Cancel safety
/// **Not cancellable** once a thread has begun.
///
/// # Examples
/// ```
/// petla::run(async {
///     let path = std::env::temp_dir().join(format!("petla-atomic-{}", std::process::id()));
///     petla::fs::write_atomic(&path, "first").await?;
///     petla::fs::write_atomic(&path, "second").await?;
///     assert_eq!(petla::fs::read(&path).await?, b"second");
///     petla::fs::remove_file(&path).await
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn write_atomic(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> Operation<()> {
    let (path, contents) = (owned(path), contents.into());
    Operation::new(move || replace(&path, &contents))
}

fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        target => target?,
    };
    let name = target.file_name().ok_or(ErrorKind::InvalidInput)?;
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let old = match fs::metadata(&target) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        old => Some(permissions_of(&old?)?),
    };
    // Until it has the old one's permissions it is nobody else's to read.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let (new, at) = beside(folder, &name.to_string_lossy(), mode)?;
    let written = fill(&new, contents, old).and_then(|()| fs::rename(&at, &target));
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = fs::remove_file(&at);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Of a file that another can take the place of. (A folder is refused by rename(2).)
fn permissions_of(old: &Metadata) -> io::Result<Permissions> {
    if old.is_file() || old.is_dir() {
        return Ok(old.permissions());
    }
    let message = "a pipe, socket or device cannot be replaced as a whole: use fs::write";
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

/// A new file in `folder`, and where it is.
fn beside(folder: &Path, name: &str, mode: u32) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut names = 0..NAMES_MAX;
    loop {
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // A name may have 255 bytes, and the old one may have them all.
        let short: String = name.chars().take(32).collect();
        let at = folder.join(format!(".{short}.{process}-{number}.tmp"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        match options.open(&at) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && names.next().is_some() => {}
            made => return made.map(|new| (new, at)),
        }
    }
}

fn fill(mut new: &File, contents: &[u8], old: Option<Permissions>) -> io::Result<()> {
    new.write_all(contents)?;
    if let Some(permissions) = old {
        new.set_permissions(permissions)?;
    }
    new.sync_all()
}
