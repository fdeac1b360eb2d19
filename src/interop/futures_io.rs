//! The traits of futures-io: smol's, and those of all crates that belong to no runtime.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::polled::{PollRead, PollWrite, write_methods};
use crate::io::{PipeReader, PipeWriter};
use crate::net::{TcpStream, UnixStream};
use crate::streams::{StreamReader, StreamWriter};
use crate::sys::room::Room;

macro_rules! read {
    ($($object:ident)*) => {$(
        impl AsyncRead for $object {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let mut room = Room::of(buf);
                PollRead::poll_read(&mut *self, cx, &mut room).map_ok(|()| room.filled())
            }
        }
    )*};
}

macro_rules! write {
    ($($object:ident)*) => {$(
        impl AsyncWrite for $object {
            write_methods!(poll_close);
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
