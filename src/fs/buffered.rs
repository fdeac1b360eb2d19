//! [`Buffered`]: a file with what was read ahead of its user and what is yet to be written.
//!
//! This is what travels to the threads and back, so that a trip that nobody waits for any more
//! leaves its data in a place where the next call finds them. The upper half of the functions
//! runs on the loop and touches memory alone, the lower half runs on threads.
//!
//! ```text
//!   the file:   ······ read by the user │ input, read ahead │ ······
//!                                       │ output goes here  │ ◄ the system's cursor
//! ```
//!
//! # Invariants
//! - **One cursor**: before output is written to a file that can seek, the system's cursor goes
//!   back to the user's, and what was read ahead is forgotten. Reading writes all output first.
//! - **Two streams**: what cannot seek (a FIFO, a terminal) has no cursor; no input is forgotten.
//! - **Written**: output leaves memory when the system has taken it. A drop that finds some left
//!   has it written: by a clean-up that the loop waits for when it is closed, or at once where no
//!   loop would be held up.
//!
//! # Not here
//! Waiting: `file`.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::panic::Location;
use std::sync::Arc;

use crate::kernel::Kernel;
use crate::task::report;
use crate::threads::to_thread;

/// What is read ahead, and the most output that is gathered. Copying so much takes about as long as
/// the trip, so that larger blocks would gain little.
pub(super) const BLOCK: usize = 128 << 10;
/// The most that one system call reads for a large request.
const READ_MAX: usize = 2 << 20;

const _: () = assert!(BLOCK <= READ_MAX);

/// See the module.
#[derive(Debug)]
pub(super) struct Buffered {
    pub(super) file: Arc<fs::File>,
    /// Read ahead, from `start` on.
    input: Vec<u8>,
    start: usize,
    output: Vec<u8>,
    can_seek: bool,
}

// ---- On the loop

impl Buffered {
    pub(super) fn new(file: Arc<fs::File>) -> Buffered {
        Buffered {
            can_seek: (&*file).stream_position().is_ok(),
            file,
            input: Vec::new(),
            start: 0,
            output: Vec::new(),
        }
    }

    /// Whether this many bytes can be taken at once.
    pub(super) fn has(&self, wanted: usize) -> bool {
        let in_order = self.output.is_empty() || !self.can_seek;
        in_order && self.ahead() >= wanted
    }

    /// How much was read ahead.
    pub(super) fn ahead(&self) -> usize {
        self.input.len() - self.start
    }

    /// Moves out what was read ahead, as much as `into` has room for.
    pub(super) fn take(&mut self, into: &mut [u8]) -> usize {
        let data = &self.input[self.start..];
        let n = data.len().min(into.len());
        into[..n].copy_from_slice(&data[..n]);
        self.start += n;
        if self.start == self.input.len() {
            self.forget_input();
        }
        n
    }

    /// The same with all of it, into a vector that grows.
    pub(super) fn take_all(&mut self, into: &mut Vec<u8>) -> usize {
        let n = self.ahead();
        if into.is_empty() && self.start == 0 {
            *into = std::mem::take(&mut self.input);
        } else {
            into.extend_from_slice(&self.input[self.start..]);
        }
        self.forget_input();
        n
    }

    /// A large request leaves no large buffer behind.
    fn forget_input(&mut self) {
        self.start = 0;
        if self.input.capacity() > BLOCK {
            self.input = Vec::new();
        } else {
            self.input.clear();
        }
    }

    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= BLOCK
    }

    /// Copies what there is room for.
    pub(super) fn accept(&mut self, data: &[u8]) -> usize {
        let n = data.len().min(BLOCK - self.output.len());
        self.output.extend_from_slice(&data[..n]);
        n
    }

    pub(super) fn forget_output(&mut self) {
        self.output = Vec::new();
    }
}

// ---- On a thread

impl Buffered {
    /// One successful read, of about `room` bytes; 0 is the end. Not more: a thread that waits for
    /// the rest of what nobody wants any more would keep what has come from the next call.
    pub(super) fn fill(&mut self, room: usize) -> io::Result<usize> {
        if self.can_seek {
            self.write_out()?;
        }
        self.input.drain(..self.start);
        self.start = 0;
        let old = self.input.len();
        self.input.resize(old + room.clamp(BLOCK, READ_MAX), 0);
        let read = loop {
            match (&*self.file).read(&mut self.input[old..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.input.truncate(old + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Writes all output; what the system does not take stays.
    pub(super) fn write_out(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.go_back()?;
        write_out(&self.file, &mut self.output)
    }

    /// Brings the system's cursor to where the user's is, for calls that depend on it.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.go_back()
    }

    /// **One cursor**.
    fn go_back(&mut self) -> io::Result<()> {
        if self.can_seek && self.ahead() > 0 {
            (&*self.file).seek(SeekFrom::Current(-(self.ahead() as i64)))?;
            self.forget_input();
        }
        Ok(())
    }
}

/// Takes out of `output` what was written.
fn write_out(mut file: &fs::File, output: &mut Vec<u8>) -> io::Result<()> {
    let mut written = 0;
    let result = loop {
        if written == output.len() {
            break Ok(());
        }
        match file.write(&output[written..]) {
            Ok(0) => break Err(ErrorKind::WriteZero.into()),
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    output.drain(..written);
    result
}

impl Drop for Buffered {
    fn drop(&mut self) {
        if self.output.is_empty() {
            return;
        }
        let cursor = self.go_back();
        let mut rest = Some(Rest {
            file: Arc::clone(&self.file),
            output: std::mem::take(&mut self.output),
        });
        if let Err(error) = cursor {
            rest.iter_mut().for_each(|rest| rest.output.clear());
            report_lost(&error);
        }
        let here = Location::caller();
        Kernel::with(|kernel| {
            kernel.spawn_cleaner(&mut rest, here, |rest| async move {
                let written = to_thread(move || rest.write()).await;
                // A rest that was refused is dropped, and so written here.
                if let Ok(Err(error)) = written {
                    report_lost(&error);
                }
            });
        });
    }
}

/// Output whose file was dropped; its own drop writes it.
struct Rest {
    file: Arc<fs::File>,
    output: Vec<u8>,
}

impl Rest {
    fn write(mut self) -> io::Result<()> {
        let written = write_out(&self.file, &mut self.output);
        self.output.clear();
        written
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Err(error) = write_out(&self.file, &mut self.output) {
            report_lost(&error);
        }
    }
}

fn report_lost(error: &io::Error) {
    let message = "what was written to a file before it was dropped could not be stored";
    report::report(message, None, Some(error));
}
