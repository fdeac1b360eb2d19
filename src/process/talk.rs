//! The futures that feed a program, read it to its end, or bring it to an end.
//!
//! Each is one allocation, which is nothing beside a process.
//!
//! # Invariants
//! - **No deadlock**: input is fed and both outputs are read side by side. A program that waits
//!   until its output is read, or never reads its input, is not waited for with the other hand.
//! - **Kept**: what was read is in `Child::collected` at once.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{self, ExitStatus};
use std::task::{Context, Poll};
use std::time::Duration;

use super::child::Child;
use crate::combinators::try_gather_tuple;
use crate::io::{PipeReader, PipeWriter};
use crate::time::timeout;

/// What a program has said so far.
#[derive(Default)]
pub(super) struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

macro_rules! boxed {
    ($(#[$meta:meta])* $name:ident [$($life:lifetime)?] => $output:ty) => {
        $(#[$meta])*
        #[must_use = "futures do nothing unless awaited"]
        pub struct $name$(<$life>)? {
            work: boxed!(@dyn $output $(, $life)?),
        }

        impl$(<$life>)? Future for $name$(<$life>)? {
            type Output = io::Result<$output>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                self.work.as_mut().poll(cx)
            }
        }

        impl$(<$life>)? Debug for $name$(<$life>)? {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
    (@dyn $output:ty) => { Pin<Box<dyn Future<Output = io::Result<$output>> + Send>> };
    (@dyn $output:ty, $life:lifetime) => {
        Pin<Box<dyn Future<Output = io::Result<$output>> + Send + $life>>
    };
}

boxed! {
    /// The future of [`Child::stop`].
    Stop['a] => ExitStatus
}

boxed! {
    /// The future of [`Child::communicate`].
    Communicate['a] => process::Output
}

boxed! {
    /// The future of [`Command::output`](super::Command::output) and
    /// [`Child::wait_with_output`]. It owns the child.
    Collect[] => process::Output
}

boxed! {
    /// The future of [`Command::status`](super::Command::status). It owns the child.
    Run[] => ExitStatus
}

impl<'a> Stop<'a> {
    pub(super) fn new(child: &'a Child, grace: Duration) -> Stop<'a> {
        let work = Box::pin(async move {
            child.terminate()?;
            match timeout(grace, child.wait()).await {
                Ok(status) => status,
                Err(_) => {
                    child.kill()?;
                    child.wait().await
                }
            }
        });
        Stop { work }
    }
}

impl<'a> Communicate<'a> {
    pub(super) fn new(child: &'a mut Child, input: &'a [u8]) -> Communicate<'a> {
        let work = Box::pin(communicate(child, input));
        Communicate { work }
    }
}

impl Collect {
    pub(super) fn new(child: io::Result<Child>) -> Collect {
        let work = Box::pin(async move { communicate(&mut child?, &[]).await });
        Collect { work }
    }
}

impl Run {
    pub(super) fn new(child: io::Result<Child>) -> Run {
        let work = Box::pin(async move {
            let mut child = child?;
            // Nobody will use them, and the program shall not wait for that.
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        });
        Run { work }
    }
}

async fn communicate(child: &mut Child, input: &[u8]) -> io::Result<process::Output> {
    if child.stdin.is_none() && !input.is_empty() {
        let message = "there is no pipe for the input: say Command::stdin(Stdio::piped())";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let Child {
        stdin,
        stdout,
        stderr,
        collected,
        ..
    } = child;
    try_gather_tuple((
        feed(stdin, input),
        read(stdout, &mut collected.stdout),
        read(stderr, &mut collected.stderr),
    ))
    .await?;
    let status = child.wait().await?;
    let Collected { stdout, stderr } = std::mem::take(&mut child.collected);
    Ok(process::Output {
        status,
        stdout,
        stderr,
    })
}

/// Writes all of `input` and closes the pipe; a program that does not want it is no error.
async fn feed(pipe: &mut Option<PipeWriter>, input: &[u8]) -> io::Result<()> {
    if let Some(writer) = pipe {
        match writer.write_all(input).await {
            Err(error) if is_refusal(&error) => {}
            written => written?,
        }
    }
    drop(pipe.take());
    Ok(())
}

fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset)
}

/// Reads to the end and closes the pipe.
async fn read(pipe: &mut Option<PipeReader>, into: &mut Vec<u8>) -> io::Result<()> {
    if let Some(reader) = pipe {
        reader.read_to_end(into).await?;
    }
    drop(pipe.take());
    Ok(())
}
