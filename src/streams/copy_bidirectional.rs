//! [`copy_bidirectional`] and [`CopyBidirectional`]: two connections become one.
//!
//! Two copies, and the end of each passed on. Whatever is said of `copy` holds for both directions.
//!
//! # Not here
//! A limit on idle time: see [`CopyBidirectional::copied`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::copy::{Copy, copy};
use super::{StreamReader, StreamWriter};

/// Copies from each of two connections to the other, until both have come to their ends; says how
/// many bytes went from the first to the second, and from the second to the first.
///
/// The end of one direction is passed on at once ([`write_eof`](StreamWriter::write_eof)), and the
/// other goes on. An error in one direction ends both. Nothing is closed: the four halves stay the
/// caller's, who may say a last word.
///
/// # Errors
/// Those of [`copy`], of whichever direction failed first. [`CopyBidirectional::copied`] says how
/// far each had come.
///
/// # Cancel safety
/// **Strict.** As [`copy`].
///
/// # asyncio
/// None.
///
/// # Examples
/// ```
/// use petla::net::TcpListener;
/// use petla::streams::{copy_bidirectional, open_connection};
///
/// petla::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (mut r1, mut w1) = open_connection(listener.local_addr()?).await?;
///     let (client, _) = listener.accept().await?;
///     let (mut r2, mut w2) = open_connection(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///
///     client.write_all(b"question").await?;
///     client.shutdown(std::net::Shutdown::Write)?;
///     server.write_all(b"answer!").await?;
///     drop(server);
///     let both = copy_bidirectional((&mut r1, &mut w1), (&mut r2, &mut w2));
///     assert_eq!(both.await?, (8, 7));
///
///     let mut buf = [0; 7];
///     client.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"answer!");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub fn copy_bidirectional<'a>(
    first: (&'a mut StreamReader, &'a mut StreamWriter),
    second: (&'a mut StreamReader, &'a mut StreamWriter),
) -> CopyBidirectional<'a> {
    CopyBidirectional {
        there: Way::new(copy(first.0, second.1)),
        back: Way::new(copy(second.0, first.1)),
    }
}

/// The future of [`copy_bidirectional`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CopyBidirectional<'a> {
    there: Way<'a>,
    back: Way<'a>,
}

/// One direction.
#[derive(Debug)]
struct Way<'a> {
    copy: Copy<'a>,
    ended: bool,
}

impl CopyBidirectional<'_> {
    /// How many bytes the system has taken so far, from the first connection to the second and
    /// back: also after an error.
    ///
    /// Where these stand still nothing moves, by which a proxy ends what is idle:
    ///
    /// ```
    /// use petla::streams::CopyBidirectional;
    /// use std::{io, time::Duration};
    ///
    /// /// Gives up when nothing has moved for `limit`, or for at most twice that.
    /// async fn idle(mut both: CopyBidirectional<'_>, limit: Duration) -> io::Result<(u64, u64)> {
    ///     loop {
    ///         let before = both.copied();
    ///         match petla::timeout(limit, &mut both).await {
    ///             Ok(ended) => return ended,
    ///             Err(elapsed) if both.copied() == before => return Err(elapsed.into()),
    ///             Err(_) => {}
    ///         }
    ///     }
    /// }
    /// ```
    pub fn copied(&self) -> (u64, u64) {
        (self.there.copy.copied(), self.back.copy.copied())
    }
}

impl Future for CopyBidirectional<'_> {
    type Output = io::Result<(u64, u64)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Both, also when the first has to wait.
        let there = self.there.poll(cx)?;
        let back = self.back.poll(cx)?;
        if there.is_pending() || back.is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.copied()))
    }
}

impl<'a> Way<'a> {
    fn new(copy: Copy<'a>) -> Way<'a> {
        Way { copy, ended: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            ready!(Pin::new(&mut self.copy).poll(cx))?;
            self.ended = true;
            self.copy.write_eof();
        }
        Poll::Ready(Ok(()))
    }
}
