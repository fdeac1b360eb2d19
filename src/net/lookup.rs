//! Looking up the addresses of a name, and the name of an address.
//!
//! # Not here
//! How a name is looked up (`resolve`), also on the way to a socket (`addr`).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::addr::{Addresses, ToAddrs};
use super::resolve::Lookup;
use crate::sys::socket::Address;

/// Looks up a host: all its addresses, in the order in which the system prefers them.
///
/// Names are looked up as the system is set up to (`/etc/hosts`, DNS), on a thread; addresses in
/// numbers cost nothing. The port comes back in each address.
///
/// # Errors
/// - `InvalidInput`: the text is not an address; the message says what to write.
/// - The resolver's, which names the host.
///
/// # Cancel safety
/// **Strict.** A lookup that nobody waits for any more ends by itself.
///
/// # asyncio
/// `loop.getaddrinfo`, for streams and datagrams alike.
///
/// # Examples
/// ```
/// petla::run(async {
///     let found = petla::net::lookup_host(("localhost", 80)).await?;
///     assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80));
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[doc(alias = "getaddrinfo")]
pub fn lookup_host<A: ToAddrs>(host: A) -> LookupHost {
    let addresses = host.addresses();
    LookupHost { addresses }
}

/// The future of [`lookup_host`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct LookupHost {
    addresses: Addresses,
}

impl Future for LookupHost {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found = ready!(self.addresses.poll(cx))?;
        Poll::Ready(found.into_iter().map(Address::to_inet).collect())
    }
}

/// Looks up the name of the host that has this address.
///
/// It is whatever the owner of the address has written down, and proves nothing about him: look
/// the name up in turn, and see whether the address is among those it has.
///
/// # Errors
/// `NotFound` if it has no name; `TimedOut` if no name server answers.
///
/// # Cancel safety
/// **Strict.** A lookup that nobody waits for any more ends by itself.
///
/// # asyncio
/// `loop.getnameinfo`, which gives the address in numbers if it has no name.
///
/// # Examples
/// ```
/// petla::run(async {
///     match petla::net::lookup_addr([127, 0, 0, 1]).await {
///         Ok(name) => assert!(!name.is_empty()), // "localhost", on most machines
///         Err(error) => assert!(error.to_string().contains("127.0.0.1")),
///     }
/// });
/// ```
#[doc(alias = "getnameinfo")]
pub fn lookup_addr(addr: impl Into<IpAddr>) -> LookupAddr {
    let name = Lookup::name(addr.into());
    LookupAddr { name }
}

/// The future of [`lookup_addr`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct LookupAddr {
    name: Lookup<String>,
}

impl Future for LookupAddr {
    type Output = io::Result<String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.name).poll(cx)
    }
}
