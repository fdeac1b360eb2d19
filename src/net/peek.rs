//! Looking at what a socket has received without taking it: the future of `peek`.
//!
//! A peek empties nothing, so it concludes nothing about what is left.
//!
//! # Not here
//! The futures of reading and writing, which pipes have too (`io::ops`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::kernel::source::{Direction, Source, Wait};
use crate::sys::socket;

/// The future of `peek`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Peek<'a> {
    wait: Wait<'a>,
    buf: &'a mut [u8],
}

impl<'a> Peek<'a> {
    pub(super) fn new(source: &'a Source, buf: &'a mut [u8]) -> Peek<'a> {
        let wait = source.wait(Direction::Read);
        Peek { wait, buf }
    }
}

impl Future for Peek<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Peek { wait, buf } = &mut *self;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        wait.poll_io(cx, |fd| socket::peek(fd, buf))
    }
}
