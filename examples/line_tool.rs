//! A filter: numbers the lines of its input, and says on a terminal how far it is.
//!
//! ```text
//! $ ls src | cargo run -q --release --example line_tool
//!      1  clock
//!      2  clock.rs
//!      ..
//! 34 lines, 301 bytes
//! $ cargo run -q --release --example line_tool        # a terminal: type, and end it with Ctrl-D
//! ```
//!
//! It works the same way with a pipe, a terminal and a file on either side, blocks nowhere, and
//! leaves the terminal as it found it. Ctrl-C ends it in order, in the middle of a line too: a read
//! that waits keeps no process from ending.

use petla::{
    EventLoop,
    event_loop::RunError,
    io::{stderr, stdin, stdout},
    sleep, spawn,
};
use std::{cell::Cell, error::Error, io, rc::Rc, time::Duration};

/// Lines that are written together: a write into a file is a trip to a thread.
const TOGETHER: usize = 32 << 10;

#[derive(Default)]
struct Count {
    lines: Cell<usize>,
    bytes: Cell<usize>,
}

impl Count {
    fn report(&self) -> String {
        format!("{} lines, {} bytes\n", self.lines.get(), self.bytes.get())
    }
}

async fn number_lines(count: &Count) -> io::Result<()> {
    let (mut lines, mut out) = (stdin().lines(), String::new());
    while let Some(line) = lines.next().await {
        let line = line?;
        count.lines.set(count.lines.get() + 1);
        count.bytes.set(count.bytes.get() + line.len() + 1);
        out += &format!("{:6}  {line}\n", count.lines.get());
        if out.len() >= TOGETHER || io::IsTerminal::is_terminal(&io::stdin()) {
            stdout().write_all(&out).await?;
            out.clear();
        }
    }
    stdout().write_all(&out).await
}

async fn filter() -> io::Result<()> {
    let count = Rc::new(Count::default());
    let progress = spawn({
        let count = Rc::clone(&count);
        async move {
            loop {
                sleep(Duration::from_secs(5)).await;
                if stderr().write_all(count.report()).await.is_err() {
                    return; // nobody looks
                }
            }
        }
    });
    let done = number_lines(&count).await;
    progress.cancel("the input has ended");
    stderr().write_all(count.report()).await?;
    match done {
        // Whoever reads our output has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::builder().sigint(true).build()?;
    match event_loop.run_until_complete(filter()) {
        Err(RunError::Interrupted) => Err("interrupted".into()),
        done => Ok(done??),
    }
}
