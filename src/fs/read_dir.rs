//! [`ReadDir`]: what is in a folder, fetched in batches.
//!
//! The standard library's iterator makes a system call now and then, and nobody can tell when. It
//! goes to a thread for 64 entries at a time and waits here until these are taken.
//!
//! # Not here
//! Walking through a tree: do that in one `to_thread`.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::whole::{Operation, owned};
use crate::threads::Ferry;

/// Entries a trip: a folder of ordinary size is one.
const BATCH: usize = 64;

/// Opens a folder, to list what is in it. See [`std::fs::read_dir`].
///
/// # Errors
/// `NotFound`, `NotADirectory`, `PermissionDenied` and others of opendir(3).
///
/// # Examples
/// ```
/// petla::run(async {
///     let mut entries = petla::fs::read_dir("src").await?;
///     let mut names = Vec::new();
///     while let Some(entry) = entries.next().await {
///         names.push(entry?.file_name());
///     }
///     assert!(names.contains(&"lib.rs".into()));
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> Operation<ReadDir> {
    let path = owned(path);
    Operation::new(move || {
        let mut listing = Listing {
            entries: fs::read_dir(path)?,
            batch: VecDeque::new(),
            ended: false,
        };
        listing.fetch();
        let ferry = Ferry::new(listing);
        Ok(ReadDir { ferry })
    })
}

struct Listing {
    entries: fs::ReadDir,
    batch: VecDeque<io::Result<DirEntry>>,
    ended: bool,
}

impl Listing {
    /// On a thread. What an abandoned trip has fetched is there for the next.
    fn fetch(&mut self) {
        while self.batch.len() < BATCH && !self.ended {
            match self.entries.next() {
                Some(entry) => self.batch.push_back(entry),
                None => self.ended = true,
            }
        }
    }

    /// On the loop: the next entry or the end, if that is known without another trip.
    fn next(&mut self) -> Option<Option<io::Result<DirEntry>>> {
        match self.batch.pop_front() {
            Some(entry) => Some(Some(entry)),
            None => self.ended.then_some(None),
        }
    }
}

/// What is in a folder; from [`read_dir`].
///
/// The entries are those of the standard library: their names are at hand, and mostly their
/// [`file_type`](DirEntry::file_type); [`metadata`](DirEntry::metadata) is a system call, on the
/// thread that asks.
#[must_use = "streams do nothing unless polled"]
pub struct ReadDir {
    ferry: Ferry<Listing>,
}

impl ReadDir {
    /// The next entry; `None` at the end. The order is the system's.
    ///
    /// # Errors
    /// Those of readdir(3).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub async fn next(&mut self) -> Option<io::Result<DirEntry>> {
        loop {
            if let Some(next) = self.ferry.back().await.next() {
                return next;
            }
            if let Err(error) = self.ferry.go(Listing::fetch).await {
                return Some(Err(error.into()));
            }
        }
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Err(error) = ready!(self.ferry.poll_back(cx)) {
                return Poll::Ready(Some(Err(error.into())));
            }
            let listing = self.ferry.here().expect("it is back");
            if let Some(next) = listing.next() {
                return Poll::Ready(next);
            }
            self.ferry.send(Listing::fetch);
        }
    }
}

impl Debug for ReadDir {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").finish_non_exhaustive()
    }
}
