//! The traits by which other crates use a runtime: futures-io's, tokio's, hyper's.
//!
//! Each is an optional feature, and directly on petla's own types: a socket goes as it is to
//! whatever asks for such a trait. Nothing of those crates runs in here, and no other thread.
//!
//! | feature | traits | on |
//! | --- | --- | --- |
//! | `futures-io` | `AsyncRead`, `AsyncWrite` | sockets, pipes, [`streams`](crate::streams) |
//! | | `AsyncBufRead` | [`StreamReader`] |
//! | `tokio-io` | the same of tokio | the same |
//! | `hyper` | `rt::{Read, Write}` | [`TcpStream`], [`UnixStream`] |
//! | | `rt::{Executor, Timer, Sleep}` | `LoopExecutor`, `LoopTimer`, [`Sleep`] |
//!
//! An object's own methods win over those of extension traits: `stream.read(..)` is petla's,
//! whatever is imported. To use the other, name it: `AsyncReadExt::read(&mut stream, ..)`.
//!
//! What asks for a `Send` *future* gets one by [`send_local`](crate::send_local).
//!
//! # What polling means here
//! - One task reads and one writes at a time (the traits take `&mut self`); whoever polled last is
//!   woken. Ordinary futures of the same socket may wait beside them.
//! - Dropping a future of such a trait loses nothing at the socket. It leaves its waker, which the
//!   next event of that direction wakes in vain.
//! - `poll_flush` of a [`StreamWriter`] waits until the system has everything; of a socket it has
//!   nothing to do.
//! - `poll_close` and `poll_shutdown` end the sending direction and nothing else, after what was
//!   written. A pipe ends when it is dropped.
//! - What can go on at once does so, without a hidden budget such as tokio's: a foreign loop that
//!   never pauses (a copy, HTTP/2 from a peer that floods) is one long poll. Put a
//!   [`yield_now`](crate::yield_now) between its steps, or a limit into it.
//!
//! # Not here
//! Reading or writing through `&TcpStream`: two tasks would take each other's wake-ups. TLS,
//! compression, HTTP itself. tokio's timers, sockets and `spawn`, which need tokio's runtime.
//!
//! [`TcpStream`]: crate::net::TcpStream
//! [`UnixStream`]: crate::net::UnixStream
//! [`Sleep`]: crate::Sleep
//! [`StreamReader`]: crate::streams::StreamReader
//! [`StreamWriter`]: crate::streams::StreamWriter

#[cfg(feature = "futures-io")]
mod futures_io;
#[cfg(feature = "hyper")]
#[allow(unsafe_code)]
mod hyper;
mod polled;
#[cfg(feature = "tokio-io")]
#[allow(unsafe_code)]
mod tokio_io;

#[cfg(feature = "hyper")]
pub use self::hyper::{LoopExecutor, LoopTimer};
