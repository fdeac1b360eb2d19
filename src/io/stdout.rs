//! The standard output and error, without blocking the loop.
//!
//! Nothing is gathered here: what a call was given is with the system when it returns, so the end
//! of a run, or of the process, loses nothing. Whoever has many small pieces joins them first.
//!
//! # Invariants
//! - **In order**: one call of a stream at a time, behind a lock, first come, first served. A
//!   thread that still writes for a future that was dropped is awaited by the next call.
//!
//! # Not here
//! How the bytes are put: `standard`. Colours, widths.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::LazyLock;

use super::WriteAll;
use super::standard::Way;
use crate::sync::Lock;
use crate::threads::Ferry;

/// The most that a trip to a thread copies.
const CHUNK: usize = 1 << 20;

/// A stream that the whole process shares.
#[derive(Default)]
struct Output {
    way: Option<Way<fs::File>>,
}

type Find = fn() -> io::Result<Way<fs::File>>;

static STDOUT: LazyLock<Lock<Output>> = LazyLock::new(Lock::default);
static STDERR: LazyLock<Lock<Output>> = LazyLock::new(Lock::default);

macro_rules! stream {
    ($(#[$meta:meta])* $name:ident, $function:ident, $shared:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(());

        $(#[$meta])*
        pub fn $function() -> $name {
            $name(())
        }

        impl $name {
            /// Writes the whole buffer; when this returns, the system has it.
            ///
            /// A pipe that nobody empties holds up this future, not the loop. Into a file a thread
            /// of the pool writes: join small pieces before.
            ///
            /// # Errors
            /// `BrokenPipe` when nobody can read any more, `StorageFull` and others of write(2),
            /// after an unknown part was written; no loop runs here.
            ///
            /// # Cancel safety
            /// **Loses data**: a part may be written. What a thread has begun goes on, before
            /// anything later.
            pub async fn write_all(self, data: impl AsRef<[u8]>) -> io::Result<()> {
                let find = || Way::find(io::$function().as_fd(), |file| file);
                write_all(&$shared, find, data.as_ref()).await
            }

            /// Waits until what was begun by calls that were dropped is written. What others were
            /// given is written already.
            ///
            /// # Errors
            /// None today.
            ///
            /// # Cancel safety
            /// **Strict.**
            pub async fn flush(self) -> io::Result<()> {
                if let Some(Way::OnThreads(ferry)) = &mut $shared.lock().await.way {
                    ferry.back().await;
                }
                Ok(())
            }
        }
    };
}

stream! {
    /// The standard output of the process.
    ///
    /// All handles are the same stream: a buffer given to one call is not mixed with another's.
    /// What [`print!`] gathers has an order of its own: it is written when its line ends.
    ///
    /// Terminals, pipes and sockets are not set to non-blocking mode.
    ///
    /// # asyncio
    /// `loop.connect_write_pipe(.., sys.stdout)`, which sets a terminal to non-blocking mode and
    /// refuses files.
    ///
    /// # Examples
    /// ```
    /// petla::run(async {
    ///     petla::io::stdout().write_all("a line\n").await
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    Stdout, stdout, STDOUT
}

stream! {
    /// The standard error of the process; see [`Stdout`].
    Stderr, stderr, STDERR
}

async fn write_all(shared: &'static Lock<Output>, find: Find, data: &[u8]) -> io::Result<()> {
    let mut output = shared.lock().await;
    if output.way.as_ref().is_none_or(|way| !way.is_at_home()) {
        output.way = Some(find()?);
    }
    match output.way.as_mut().expect("found above") {
        Way::Polled { source, .. } => WriteAll::new(source, data).await,
        Way::OnThreads(ferry) => write_on_threads(ferry, data).await,
    }
}

async fn write_on_threads(ferry: &mut Ferry<fs::File>, data: &[u8]) -> io::Result<()> {
    for chunk in data.chunks(CHUNK) {
        let chunk = chunk.to_vec();
        ferry.go(move |file| file.write_all(&chunk)).await??;
    }
    Ok(())
}
