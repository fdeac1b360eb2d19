//! [`OpenOptions`]: how a file is opened.
//!
//! The standard library's, which are plain data; only opening goes to a thread.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::file::File;
use super::whole::{Operation, owned};

/// How a file is opened; from [`File::options`] or from [`std::fs::OpenOptions`].
///
/// # Examples
/// ```
/// use petla::fs::File;
///
/// petla::run(async {
///     let path = std::env::temp_dir().join(format!("petla-log-{}", std::process::id()));
///     for line in ["one\n", "two\n"] {
///         let mut log = File::options().append(true).create(true).open(&path).await?;
///         log.write_all(line.as_bytes()).await?;
///         log.close().await?;
///     }
///     assert_eq!(petla::fs::read(&path).await?, b"one\ntwo\n");
///     petla::fs::remove_file(&path).await
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options open nothing: call open()"]
pub struct OpenOptions(fs::OpenOptions);

macro_rules! switches {
    ($($(#[$meta:meta])* $name:ident: $value:ty;)*) => {
        $(
            $(#[$meta])*
            pub fn $name(mut self, $name: $value) -> OpenOptions {
                self.0.$name($name);
                self
            }
        )*
    };
}

impl OpenOptions {
    /// All off.
    #[allow(
        clippy::new_without_default,
        reason = "options that open nothing are no default"
    )]
    pub fn new() -> OpenOptions {
        OpenOptions(fs::OpenOptions::new())
    }

    switches! {
        /// For reading.
        read: bool;
        /// For writing, from the beginning.
        write: bool;
        /// For writing, each time at the end: also behind what others have written meanwhile.
        append: bool;
        /// Empties the file.
        truncate: bool;
        /// Makes the file if it is not there.
        create: bool;
        /// Makes the file, and fails if it is there.
        create_new: bool;
        /// The permissions of a file that is made, less the process's mask; 0o666 unless set.
        mode: u32;
        /// Further flags of open(2), such as `O_NOFOLLOW`.
        custom_flags: i32;
    }

    /// Opens the file.
    ///
    /// A FIFO that nobody has opened on the other side keeps a thread waiting until somebody does.
    ///
    /// # Errors
    /// Those of open(2); `InvalidInput` if the options contradict each other.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Operation<File> {
        let (options, path) = (self.0.clone(), owned(path));
        Operation::new(move || options.open(path).map(File::from_std))
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
