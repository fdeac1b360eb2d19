//! Looking up the addresses of a name, for those who want to see them.
//!
//! # Not here
//! The lookup itself (`resolve`); names to addresses on the way to a socket (`addr`).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::addr::{Addresses, ToAddrs};
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
