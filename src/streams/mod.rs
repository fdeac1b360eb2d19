//! Connections with buffers: lines and messages come in, writes go out without waiting.
//!
//! [`open_connection`] gives a [`StreamReader`] and a [`StreamWriter`] that share one
//! [`TcpStream`], as asyncio's streams do, and [`start_server`] gives them to a handler for each
//! client. They belong to the thread that opened them. Use the socket itself where a buffer is in
//! the way: to read from two tasks, to write without a copy, to move a connection to another loop.
//!
//! # Cancellation
//! No future of this module loses data, whenever it is dropped. (A
//! [`send_file`](StreamWriter::send_file) may have sent a part, and says how much.)
//!
//! # Fairness
//! A read or write that can go on at once does so. A loop that reads from a peer who never
//! pauses is one long poll: put a [`yield_now`](crate::yield_now) into it.
//!
//! # The map
//! `buffer` bytes in, bytes out · `search` separators across pieces · `input` what was received ·
//! `reader`, `reads`, `lines` its public face · `link` the descriptor · `connection` the link, and
//! what is to be sent · `writer` its public face · `convert` from sockets and pipes, and back ·
//! `copy`, `copy_bidirectional` from one connection to another · `send_file` from a file ·
//! `outlet` their way out · `polled` both halves for `interop` · `server` listening, and a task for
//! each connection · `error`.
//!
//! # Not here
//! TLS.
#![forbid(unsafe_code)]

mod buffer;
mod connection;
mod convert;
mod copy;
mod copy_bidirectional;
mod error;
mod input;
mod lines;
mod link;
mod outlet;
#[cfg(feature = "_polled")]
mod polled;
mod reader;
mod reads;
mod search;
mod send_file;
mod server;
mod writer;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

pub use copy::{Copy, copy};
pub use copy_bidirectional::{CopyBidirectional, copy_bidirectional};
pub use error::ReadError;
pub use lines::Lines;
pub use reader::StreamReader;
pub use reads::{Read, ReadExact, ReadLine, ReadUntil};
pub use send_file::SendFile;
pub use server::{Listeners, Server, StartServer, serve, start_server, start_unix_server};
pub use writer::{Drain, StreamWriter, WaitClosed};

use crate::net::{Connect, TcpStream, ToAddrs, UnixStream};
use connection::Connection;

/// Connects to the first of the addresses that answers, and gives the two halves.
///
/// Small writes are sent at once (`TCP_NODELAY`). There is no limit in time but the system's,
/// minutes: put a [`timeout`](crate::timeout) around it.
///
/// # Errors
/// Those of [`TcpStream::connect`].
///
/// # Cancel safety
/// **Strict.** The socket of an attempt under way is closed.
///
/// # asyncio
/// `open_connection(host, port)`.
///
/// # Examples
/// ```
/// use petla::streams::open_connection;
///
/// async fn title(host: &str) -> std::io::Result<String> {
///     let (mut reader, mut writer) = open_connection((host, 80)).await?;
///     writer.write(b"GET / HTTP/1.0\r\n\r\n");
///     writer.drain().await?;
///     Ok(reader.read_line().await?.unwrap_or("").to_owned())
/// }
///
/// petla::run(async {
///     let refused = open_connection("127.0.0.1:1").await.unwrap_err();
///     assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
/// });
/// ```
pub fn open_connection<A: ToAddrs>(addr: A) -> OpenConnection {
    OpenConnection {
        connect: TcpStream::connect(addr),
        finish: |stream| {
            stream.set_nodelay(true)?;
            Ok(stream.into_streams())
        },
    }
}

/// Connects to the Unix socket at `path`, and gives the two halves.
///
/// # Errors
/// Those of [`UnixStream::connect`].
///
/// # Cancel safety
/// **Strict.**
///
/// # asyncio
/// `open_unix_connection(path)`.
pub fn open_unix_connection(path: impl AsRef<Path>) -> OpenConnection<UnixStream> {
    OpenConnection {
        connect: UnixStream::connect(path),
        finish: |stream| Ok(stream.into_streams()),
    }
}

/// The future of [`open_connection`] and [`open_unix_connection`].
#[must_use = "futures do nothing unless awaited"]
pub struct OpenConnection<S = TcpStream> {
    connect: Connect<S>,
    finish: fn(S) -> io::Result<(StreamReader, StreamWriter)>,
}

impl<S> Future for OpenConnection<S> {
    type Output = io::Result<(StreamReader, StreamWriter)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = ready!(Pin::new(&mut self.connect).poll(cx))?;
        Poll::Ready((self.finish)(stream))
    }
}

impl<S> Debug for OpenConnection<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection").finish_non_exhaustive()
    }
}

fn halves(connection: Rc<Connection>) -> (StreamReader, StreamWriter) {
    let reader = StreamReader::new(Rc::clone(&connection));
    (reader, StreamWriter::new(connection))
}
