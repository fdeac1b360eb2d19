//! tokio's traits of input and output. They need no runtime of tokio's.
//!
//! # Invariants
//! - **Only bytes**: the uninitialised part of a `ReadBuf` goes to a [`Room`], which writes nothing
//!   but bytes, and counts them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::polled::{PollRead, PollWrite, write_methods};
use crate::io::{PipeReader, PipeWriter};
use crate::net::{TcpStream, UnixStream};
use crate::streams::{StreamReader, StreamWriter};
use crate::sys::room::Room;

fn read_into(
    object: &mut impl PollRead,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    // SAFETY: Only bytes.
    let mut room = Room::new(unsafe { buf.unfilled_mut() });
    ready!(object.poll_read(cx, &mut room))?;
    let n = room.filled();
    // SAFETY: Only bytes: `n` of them were written.
    unsafe { buf.assume_init(n) };
    buf.advance(n);
    Poll::Ready(Ok(()))
}

macro_rules! read {
    ($($object:ident)*) => {$(
        impl AsyncRead for $object {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                read_into(&mut *self, cx, buf)
            }
        }
    )*};
}

macro_rules! write {
    ($($object:ident)*) => {$(
        impl AsyncWrite for $object {
            write_methods!(poll_shutdown);

            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    )*};
}

read!(TcpStream UnixStream PipeReader StreamReader);
write!(TcpStream UnixStream PipeWriter StreamWriter);

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().poll_buffered(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        StreamReader::consume(&mut self, n);
    }
}
