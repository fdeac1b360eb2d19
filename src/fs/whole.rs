//! Functions that name a path: each is one call of [`std::fs`], on a thread.
//!
//! # Not here
//! What needs several calls with something kept in between: [`File`](super::File),
//! [`ReadDir`](super::ReadDir).

use std::fmt::{self, Debug, Formatter};
use std::fs::{self, Metadata, Permissions};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::threads::{ToThread, to_thread};

type Call<T> = Box<dyn FnOnce() -> io::Result<T> + Send>;

/// The future of the functions of this module: a call that a thread makes.
///
/// # Cancel safety
/// **Not cancellable** once a thread has begun: it goes on, and only the result is dropped. Before
/// that, when all threads of the pool are busy, nothing happens.
#[must_use = "futures do nothing unless awaited"]
pub struct Operation<T> {
    call: Pin<Box<ToThread<Call<T>, io::Result<T>>>>,
}

impl<T: Send + 'static> Operation<T> {
    #[track_caller]
    pub(super) fn new(call: impl FnOnce() -> io::Result<T> + Send + 'static) -> Operation<T> {
        let call: Call<T> = Box::new(call);
        let call = Box::pin(to_thread(call));
        Operation { call }
    }
}

impl<T: Send + 'static> Future for Operation<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.call.as_mut().poll(cx).map(|result| result?)
    }
}

impl<T> Debug for Operation<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}

pub(super) fn owned(path: impl AsRef<Path>) -> PathBuf {
    path.as_ref().to_owned()
}

/// Reads a whole file. See [`std::fs::read`].
///
/// # Errors
/// `NotFound`, `PermissionDenied`, `IsADirectory` and others of open(2) and read(2).
///
/// # Examples
/// ```
/// petla::run(async {
///     assert!(petla::fs::read("Cargo.toml").await?.starts_with(b"[package]"));
///     let error = petla::fs::read("no such file").await.unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Operation<Vec<u8>> {
    let path = owned(path);
    Operation::new(move || fs::read(path))
}

/// Reads a whole file of text. See [`std::fs::read_to_string`].
///
/// # Errors
/// As [`read`]; `InvalidData` if it is not UTF-8.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Operation<String> {
    let path = owned(path);
    Operation::new(move || fs::read_to_string(path))
}

/// Makes a file, or empties the one that is there, and writes `contents` into it. See
/// [`std::fs::write`].
///
/// Others may see it empty or half written, also after a crash:
/// [`write_atomic`](super::write_atomic) has no such moment.
///
/// # Errors
/// Those of open(2) and write(2), such as `StorageFull`; a part may be written then.
///
/// # Examples
/// ```
/// petla::run(async {
///     let path = std::env::temp_dir().join(format!("petla-write-{}", std::process::id()));
///     petla::fs::write(&path, "three words here").await?;
///     assert_eq!(petla::fs::read_to_string(&path).await?, "three words here");
///     petla::fs::remove_file(&path).await
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn write(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> Operation<()> {
    let (path, contents) = (owned(path), contents.into());
    Operation::new(move || fs::write(path, contents))
}

/// Copies a file's contents and permissions, and says how many bytes. See [`std::fs::copy`].
///
/// # Errors
/// As [`read`] and [`write`](write()).
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Operation<u64> {
    let (from, to) = (owned(from), owned(to));
    Operation::new(move || fs::copy(from, to))
}

/// Gives a file another name, replacing what has that name. See [`std::fs::rename`].
///
/// # Errors
/// Those of rename(2): `CrossesDevices`, for example.
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Operation<()> {
    let (from, to) = (owned(from), owned(to));
    Operation::new(move || fs::rename(from, to))
}

/// Gives a file a second name. See [`std::fs::hard_link`].
///
/// # Errors
/// Those of link(2).
#[track_caller]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Operation<()> {
    let (original, link) = (owned(original), owned(link));
    Operation::new(move || fs::hard_link(original, link))
}

/// Makes a symbolic link at `link` that points to `original`. See
/// [`std::os::unix::fs::symlink`].
///
/// # Errors
/// Those of symlink(2).
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Operation<()> {
    let (original, link) = (owned(original), owned(link));
    Operation::new(move || std::os::unix::fs::symlink(original, link))
}

/// Sets who may read, write and execute a file. See [`std::fs::set_permissions`].
///
/// # Errors
/// Those of chmod(2).
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> Operation<()> {
    let path = owned(path);
    Operation::new(move || fs::set_permissions(path, permissions))
}

macro_rules! of_a_path {
    ($($(#[$meta:meta])* $name:ident -> $output:ty;)*) => {
        $(
            $(#[$meta])*
            #[track_caller]
            pub fn $name(path: impl AsRef<Path>) -> Operation<$output> {
                let path = owned(path);
                Operation::new(move || fs::$name(path))
            }
        )*
    };
}

of_a_path! {
    /// Removes a file. See [`std::fs::remove_file`].
    ///
    /// # Errors
    /// Those of unlink(2).
    remove_file -> ();
    /// Makes a folder. See [`std::fs::create_dir`].
    ///
    /// # Errors
    /// Those of mkdir(2): `AlreadyExists`, `NotFound` if its parent is missing.
    create_dir -> ();
    /// Makes a folder and the parents that it lacks. See [`std::fs::create_dir_all`].
    ///
    /// # Errors
    /// Those of mkdir(2), but not `AlreadyExists` for a folder.
    create_dir_all -> ();
    /// Removes an empty folder. See [`std::fs::remove_dir`].
    ///
    /// # Errors
    /// Those of rmdir(2): `DirectoryNotEmpty`, for example.
    remove_dir -> ();
    /// Removes a folder and all that is in it; follows no link. See [`std::fs::remove_dir_all`].
    ///
    /// # Errors
    /// Those of unlink(2) and rmdir(2); a part may be removed then.
    remove_dir_all -> ();
    /// What the system knows of a file: its size, kind, times, permissions. See
    /// [`std::fs::metadata`].
    ///
    /// # Errors
    /// Those of stat(2).
    metadata -> Metadata;
    /// The same of a symbolic link itself. See [`std::fs::symlink_metadata`].
    ///
    /// # Errors
    /// Those of lstat(2).
    symlink_metadata -> Metadata;
    /// The absolute path without links. See [`std::fs::canonicalize`].
    ///
    /// # Errors
    /// Those of realpath(3).
    canonicalize -> PathBuf;
    /// Where a symbolic link points. See [`std::fs::read_link`].
    ///
    /// # Errors
    /// Those of readlink(2): `InvalidInput` if it is no link.
    read_link -> PathBuf;
    /// Whether there is something at a path. See [`std::fs::exists`].
    ///
    /// # Errors
    /// If that cannot be told: `PermissionDenied`, for example.
    exists -> bool;
}
