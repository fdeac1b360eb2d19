//! Sockets: TCP and Unix streams, their listeners, and any other descriptor.
//!
//! A socket here is plain data: a descriptor and the key of its registration. It is
//! `Send + Sync`, belongs to no loop until it first has to wait, and every operation takes
//! `&self`. So two tasks share one socket without splitting it (one reads, the other writes,
//! or both read), and a socket may be built in one place and used in another. Its futures,
//! in contrast to tasks, are `Send` too.
//!
//! Each operation tries its system call first and asks the loop to watch the descriptor only
//! when the call would block: a connection whose data is already there costs accept, read,
//! write and close, and no call besides. A socket that has waited on one loop can wait on
//! that one only; on another it gets an [`io::Error`](std::io::Error) that says so.
//!
//! # Cancellation
//! Dropping a future of this module never loses data, a connection or somebody else's
//! wake-up, with two exceptions that are inherent: [`write_all`](TcpStream::write_all) and
//! [`read_exact`](TcpStream::read_exact) may have moved a part. They can say how much.
//!
//! # Fairness
//! An operation that can go on at once does so, without a hidden budget: a loop that
//! reads from a peer who never pauses is one long poll. Put a
//! [`yield_now`](crate::yield_now) into such a loop.
//!
//! # The map
//! `addr` what may stand for an address · `resolve` names, on a thread · `open` the futures of
//! `bind` and `connect` · `accept` · `peek` · `tcp_listener`, `tcp_stream`, `unix`, `async_fd` the
//! objects, each thin. The futures of reading and writing are those of [`io`](crate::io).
//!
//! # Not here
//! Buffers, lines and servers (`streams`); UDP; TLS. Options beyond the usual ones: every
//! object implements `AsFd`, so crates such as `socket2` and `rustix` can set them.
#![forbid(unsafe_code)]

mod accept;
mod addr;
mod async_fd;
mod open;
mod peek;
mod resolve;
mod tcp_listener;
mod tcp_stream;
mod unix;

pub use accept::{Accept, Incoming};
pub use addr::ToAddrs;
pub use async_fd::{AsyncFd, Ready, TryIo};
pub use open::{Bind, Connect};
pub use peek::Peek;
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use unix::{UnixListener, UnixStream};

pub(crate) use crate::io::ops::{CALLS_A_POLL, ended_early, poll_read, poll_write, try_write};
pub use crate::io::{Read, ReadExact, ReadVectored, Write, WriteAll, WriteVectored};
