//! The lines of a reader as a stream.

use std::future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::error::ReadError;
use super::input::Input;
use super::reads::{poll_line, take_line};
use crate::kernel::source::Wait;

/// The lines of a reader; from [`StreamReader::lines`](super::StreamReader::lines).
///
/// Each is a `String` without its `\n` or `\r\n`. The first error ends the stream; what it says of
/// the data is that of [`read_line`](super::StreamReader::read_line).
///
/// # Examples
/// ```
/// # use petla::{net::TcpListener, streams::open_connection};
/// petla::run(async {
///     # let listener = TcpListener::bind("127.0.0.1:0").await?;
///     # let (mut reader, _writer) = open_connection(listener.local_addr()?).await?;
///     # let (peer, _) = listener.accept().await?;
///     peer.write_all(b"one\r\n\ntwo").await?;
///     drop(peer);
///     let (mut lines, mut all) = (reader.lines(), Vec::new());
///     while let Some(line) = lines.next().await {
///         all.push(line?);
///     }
///     assert_eq!(all, ["one", "", "two"]);
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Lines<'a> {
    wait: Wait<'a>,
    input: &'a mut Input,
    searched: usize,
    failed: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(input: &'a mut Input, wait: Wait<'a>) -> Lines<'a> {
        Lines {
            wait,
            input,
            searched: 0,
            failed: false,
        }
    }

    /// The next line; `None` at the end of the stream, and after an error.
    ///
    /// # Errors
    /// Those of [`StreamReader::read_line`](super::StreamReader::read_line).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub async fn next(&mut self) -> Option<Result<String, ReadError>> {
        future::poll_fn(|cx| self.poll_line(cx)).await
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<String, ReadError>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let line = ready!(poll_line(
            self.input,
            &mut self.wait,
            cx,
            &mut self.searched
        ));
        self.searched = 0;
        let line = line.and_then(|line| take_line(self.input, line));
        let line = line.map(|line| line.map(str::to_owned)).transpose();
        self.failed = matches!(line, Some(Err(_)));
        Poll::Ready(line)
    }
}

impl Stream for Lines<'_> {
    type Item = Result<String, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_line(cx)
    }
}
