//! Sockets: TCP, UDP and Unix, and any other descriptor that can be waited for.
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
//! - Addresses: `addr` what may stand for one, `resolve` names, on a thread, `lookup`.
//! - Opening: `bind`, `socket_file` the names of Unix sockets, `connect` the race of addresses,
//!   `accept`; `pauses` between the tries of whatever the kernel has no event for.
//! - Moving bytes: the futures of [`io`](crate::io), `peek`, `datagram`, `passing` descriptors.
//! - The objects, each thin: `tcp_listener`, `tcp_stream`, `udp` and `udp_options`,
//!   `unix_listener`, `unix_stream`, `unix_datagram`, `async_fd`.
//!
//! # Not here
//! Buffers, lines and servers (`streams`); TLS. Options beyond the usual ones: every object
//! implements `AsFd`, so crates such as `socket2` and `rustix` can set them.
#![forbid(unsafe_code)]

mod accept;
mod addr;
mod async_fd;
mod bind;
mod bind_all;
mod connect;
mod datagram;
mod lookup;
mod options;
mod passing;
mod pauses;
mod peek;
mod resolve;
mod socket_file;
mod tcp_listener;
mod tcp_stream;
mod udp;
mod udp_options;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use accept::{Accept, Incoming};
pub use addr::ToAddrs;
pub use async_fd::{AsyncFd, Ready, TryIo};
pub use bind::Bind;
pub use connect::{Connect, ConnectErrors};
pub use datagram::{Received, Recv, SendDatagram};
pub use lookup::{LookupAddr, LookupHost, lookup_addr, lookup_host};
pub use passing::{PeerCred, RecvWithFds, SendWithFds};
pub use peek::Peek;
pub(crate) use socket_file::SocketFile;
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use udp::{ConnectDatagram, UdpSocket};
pub use unix_datagram::UnixDatagram;
pub use unix_listener::UnixListener;
pub use unix_stream::UnixStream;

pub use crate::io::{Read, ReadExact, ReadVectored, Write, WriteAll, WriteVectored};
