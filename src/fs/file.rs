//! [`File`]: an open file, read and written piece by piece.
//!
//! Each operation first waits until the file is back from the thread of an earlier one that was
//! given up, and does with memory alone whatever it can.
//!
//! # Not here
//! The buffers and their rules: `buffered`. Lines: read the file as a whole, or a pipe.

use std::fmt::{self, Debug, Formatter};
use std::fs::{self, Metadata, Permissions};
use std::future::Future;
use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt as _;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::buffered::Buffered;
use super::options::OpenOptions;
use super::whole::Operation;
use crate::kernel::Kernel;
use crate::threads::{Ferry, to_thread};

/// An open file with a cursor, over the threads of the pool.
///
/// It reads ahead and gathers what is written, 128 KiB each: many small pieces are one trip to a
/// thread. **Nobody else sees what was written before [`flush`](File::flush)**, and the end of the
/// disk shows at a later call than the one that wrote. [`close`](File::close) says whether all went
/// well.
///
/// A file that is dropped with output has it written all the same: by a clean-up that
/// [the end of the loop](mod@crate::event_loop) waits for, 5 s at most unless set. Its errors are
/// reported; whoever must know calls `close`.
///
/// Whatever is read here can also be a FIFO or a device. A read that waits keeps a thread of the
/// pool: [`PipeReader`](crate::io::PipeReader) needs none.
///
/// # asyncio
/// None.
///
/// # Examples
/// ```
/// use petla::fs::{self, File};
/// use std::io::SeekFrom;
///
/// petla::run(async {
///     let path = std::env::temp_dir().join(format!("petla-file-{}", std::process::id()));
///     let mut file = File::options().read(true).write(true).create(true).open(&path).await?;
///     for word in ["one ", "two ", "three"] {
///         file.write_all(word.as_bytes()).await?; // no trip
///     }
///     file.seek(SeekFrom::Start(4)).await?; // writes, then seeks: one trip
///     let mut word = [0; 3];
///     file.read_exact(&mut word).await?;
///     assert_eq!(&word, b"two");
///     file.close().await?;
///     fs::remove_file(&path).await
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct File {
    raw: Arc<fs::File>,
    /// `None` only while it is dropped.
    ferry: Option<Ferry<Buffered>>,
    /// Whether a thread that has it may still have to write.
    dirty: bool,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Those of open(2). A folder can be opened; reading it is `IsADirectory`.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Operation<File> {
        File::options().read(true).open(path)
    }

    /// Makes a file, or empties the one that is there, for writing.
    ///
    /// # Errors
    /// Those of open(2).
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Operation<File> {
        let options = File::options().write(true).create(true).truncate(true);
        options.open(path)
    }

    /// How else to open a file.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file of the standard library.
    ///
    /// It shares its cursor with duplicates of its descriptor, which will see it jump. If it is in
    /// non-blocking mode (a FIFO, for example), `WouldBlock` is an error as any other here.
    pub fn from_std(file: fs::File) -> File {
        let raw = Arc::new(file);
        let ferry = Some(Ferry::new(Buffered::new(Arc::clone(&raw))));
        let dirty = false;
        File { raw, ferry, dirty }
    }

    fn ferry(&mut self) -> &mut Ferry<Buffered> {
        self.ferry.as_mut().expect("it is there until the drop")
    }

    /// Gives the file to the standard library: all output written, the cursor where it is here.
    ///
    /// What was read ahead from a FIFO or a terminal, which cannot seek back, is lost.
    ///
    /// # Errors
    /// As [`flush`](File::flush); the file is dropped then.
    ///
    /// # Cancel safety
    /// **Not cancellable**: the file is dropped, its output written in the background.
    pub async fn into_std(mut self) -> io::Result<fs::File> {
        self.settled(|_| Ok(())).await?;
        let raw = Arc::clone(&self.raw);
        drop(self);
        Arc::try_unwrap(raw).or_else(|raw| raw.try_clone())
    }

    /// Reads some bytes, at least one, and says how many; 0 at the end of the file.
    ///
    /// # Errors
    /// Those of read(2). If there is output, it is written first: also those of write(2).
    ///
    /// # Cancel safety
    /// **Strict.** What a thread reads after the future was dropped is there for the next read.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.fill(1, buf.len()).await?;
        Ok(self.ferry().back().await.take(buf))
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; the bytes that there were are left to be read. Else
    /// as [`read`](File::read).
    ///
    /// # Cancel safety
    /// **Strict.** Nothing is taken before all is there.
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.fill(buf.len(), buf.len()).await?;
        let buffered = self.ferry().back().await;
        if !buffered.has(buf.len()) {
            let message = format!("the file ended within the {} bytes to read", buf.len());
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        buffered.take(buf);
        Ok(())
    }

    /// Reads to the end, behind what `into` holds already, and says how many bytes came.
    ///
    /// # Errors
    /// As [`read`](File::read). What came before the error is left to be read.
    ///
    /// # Cancel safety
    /// **Strict.** Nothing is taken before all is there.
    pub async fn read_to_end(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        // Rooms as large as what is there already: the trips of a large file are few.
        let fill = |buffered: &mut Buffered| buffered.fill(buffered.ahead());
        while self.ferry().go(fill).await?? > 0 {}
        Ok(self.ferry().back().await.take_all(into))
    }

    async fn fill(&mut self, wanted: usize, room: usize) -> io::Result<()> {
        while !self.ferry().back().await.has(wanted) {
            let fill = move |buffered: &mut Buffered| buffered.fill(room);
            if self.ferry().go(fill).await?? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Notes some bytes for writing, at least one, and says how many.
    ///
    /// They are written when 128 KiB have come together, by [`flush`](File::flush), by what needs
    /// to see them (reading, seeking), or when the file is dropped.
    ///
    /// # Errors
    /// Those of write(2), for what was noted before: that is kept, and tried again by the next
    /// call. `buf` was not taken.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has taken nothing.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.ferry().back().await.is_full() {
            self.ferry().go(Buffered::write_out).await??;
        }
        self.dirty = true;
        Ok(self.ferry().back().await.accept(buf))
    }

    /// Notes the whole buffer for writing; see [`write`](File::write).
    ///
    /// # Errors
    /// As [`write`](File::write), after an unknown part was taken.
    ///
    /// # Cancel safety
    /// **Loses data**: a part may be taken, unless `buf` has less than 128 KiB and the file was
    /// flushed before: then all of it is, at once.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = self.write(buf).await?;
            buf = &buf[n..];
        }
        Ok(())
    }

    /// Gives everything that was written to the system, for all to see. It may not be on the disk
    /// yet: see [`sync_all`](File::sync_all).
    ///
    /// # Errors
    /// Those of write(2), such as `StorageFull`. What was not taken is kept, and tried again by
    /// the next call.
    ///
    /// # Cancel safety
    /// **Strict.** The thread goes on with it.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.ferry().back().await.has_output() {
            self.ferry().go(Buffered::write_out).await??;
        }
        self.dirty = false;
        Ok(())
    }

    /// Flushes and closes the file.
    ///
    /// # Errors
    /// As [`flush`](File::flush); what was not taken is lost.
    ///
    /// # Cancel safety
    /// **Not cancellable**: what is left is written in the background, as for any file that is
    /// dropped.
    pub async fn close(mut self) -> io::Result<()> {
        let flushed = self.flush().await;
        self.ferry().back().await.forget_output();
        flushed
    }

    /// Moves the cursor, and says where it is now, in bytes from the beginning.
    ///
    /// # Errors
    /// `InvalidInput` before the beginning; `NotSeekable` for a FIFO or a terminal; as
    /// [`flush`](File::flush).
    ///
    /// # Cancel safety
    /// **Loses place**: the cursor may be the old one or the new one.
    pub async fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.settled(move |mut file| file.seek(to)).await
    }

    /// Flushes, and waits until contents and metadata are on the disk.
    ///
    /// # Errors
    /// Those of fsync(2); as [`flush`](File::flush).
    ///
    /// # Cancel safety
    /// **Strict.** The thread goes on with it.
    pub async fn sync_all(&mut self) -> io::Result<()> {
        self.settled(fs::File::sync_all).await
    }

    /// The same without metadata that reading does not need.
    ///
    /// # Errors
    /// Those of fdatasync(2); as [`flush`](File::flush).
    ///
    /// # Cancel safety
    /// **Strict.** The thread goes on with it.
    pub async fn sync_data(&mut self) -> io::Result<()> {
        self.settled(fs::File::sync_data).await
    }

    /// Flushes, then cuts the file off at `size`, or extends it with zeros. The cursor stays.
    ///
    /// # Errors
    /// Those of ftruncate(2); as [`flush`](File::flush).
    ///
    /// # Cancel safety
    /// **Not cancellable** once a thread has begun.
    pub async fn set_len(&mut self, size: u64) -> io::Result<()> {
        self.settled(move |file| file.set_len(size)).await
    }

    /// Flushes, then asks what the system knows of the file.
    ///
    /// # Errors
    /// Those of fstat(2); as [`flush`](File::flush).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub async fn metadata(&mut self) -> io::Result<Metadata> {
        self.settled(fs::File::metadata).await
    }

    /// Sets who may read, write and execute it.
    ///
    /// # Errors
    /// Those of fchmod(2).
    ///
    /// # Cancel safety
    /// **Not cancellable** once a thread has begun.
    pub async fn set_permissions(&mut self, permissions: Permissions) -> io::Result<()> {
        self.settled(move |file| file.set_permissions(permissions))
            .await
    }

    /// A call that depends on what was written and on where the cursor is, in one trip.
    async fn settled<R: Send + 'static>(
        &mut self,
        call: impl FnOnce(&fs::File) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let call = move |buffered: &mut Buffered| {
            buffered.settle()?;
            call(&buffered.file)
        };
        let result = self.ferry().go(call).await?;
        self.dirty &= result.is_err();
        result
    }

    /// Reads at a place, whatever the cursor, and says how many bytes; 0 at the end of the file.
    ///
    /// One trip to a thread each, several at the same time if you like. It does not see output
    /// that was not [flushed](File::flush).
    ///
    /// # Errors
    /// Those of pread(2): `NotSeekable` for a FIFO, for example.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # Examples
    /// ```
    /// use petla::{fs::File, gather};
    ///
    /// petla::run(async {
    ///     let file = File::open("Cargo.toml").await?;
    ///     let (mut first, mut second) = ([0; 4], [0; 4]);
    ///     let both = [(&mut first, 1), (&mut second, 5)];
    ///     gather(both.map(|(buf, at)| file.read_exact_at(buf, at))).await;
    ///     assert_eq!((&first, &second), (b"pack", b"age]"));
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn read_at<'b>(
        &self,
        buf: &'b mut [u8],
        offset: u64,
    ) -> impl Future<Output = io::Result<usize>> + Send + use<'b> {
        let (file, room) = (Arc::clone(&self.raw), buf.len());
        let call = to_thread(move || {
            let mut data = vec![0; room];
            let n = file.read_at(&mut data, offset)?;
            data.truncate(n);
            io::Result::Ok(data)
        });
        async move {
            let data = call.await??;
            buf[..data.len()].copy_from_slice(&data);
            Ok(data.len())
        }
    }

    /// Fills the buffer from a place, whatever the cursor; see [`read_at`](File::read_at).
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; as [`read_at`](File::read_at).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn read_exact_at<'b>(
        &self,
        buf: &'b mut [u8],
        offset: u64,
    ) -> impl Future<Output = io::Result<()>> + Send + use<'b> {
        let (file, room) = (Arc::clone(&self.raw), buf.len());
        let call = to_thread(move || {
            let mut data = vec![0; room];
            file.read_exact_at(&mut data, offset)?;
            io::Result::Ok(data)
        });
        async move {
            buf.copy_from_slice(&call.await??);
            Ok(())
        }
    }

    /// Writes at a place, whatever the cursor, and at once: past what was noted by
    /// [`write`](File::write).
    ///
    /// What was read ahead is not corrected by it: [`seek`](File::seek) has that read again.
    ///
    /// # Errors
    /// Those of pwrite(2), after an unknown part was written.
    ///
    /// # Cancel safety
    /// **Not cancellable** once a thread has begun.
    #[track_caller]
    pub fn write_all_at(&self, data: impl Into<Vec<u8>>, offset: u64) -> Operation<()> {
        let (file, data) = (Arc::clone(&self.raw), data.into());
        Operation::new(move || file.write_all_at(&data, offset))
    }
}

impl Drop for File {
    /// What is here has a drop of its own. What a thread has, and may have to be written, is
    /// awaited by the end of the loop.
    fn drop(&mut self) {
        let mut ferry = self.ferry.take();
        let away = ferry.as_mut().is_some_and(|ferry| ferry.here().is_none());
        if away && self.dirty {
            let here = Location::caller();
            Kernel::with(|kernel| {
                kernel.spawn_cleaner(&mut ferry, here, |mut ferry| async move {
                    ferry.back().await;
                });
            });
        }
    }
}

impl Debug for File {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("fd", &self.raw.as_raw_fd())
            .finish_non_exhaustive()
    }
}

/// Lends the descriptor: for locks and the like, not for its cursor.
impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.raw.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.raw.as_raw_fd()
    }
}
