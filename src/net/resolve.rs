//! Host names to addresses, and addresses to names, on threads.
//!
//! The system's resolver (`getaddrinfo`, behind the standard library's `ToSocketAddrs`) can
//! only block, for seconds when a name server is silent. It knows `/etc/hosts`, search
//! domains and whatever the administrator set up, so nothing takes its place here; it runs
//! where it may block. A lookup that nobody waits for any more ends by itself, unseen: there
//! is no way to stop `getaddrinfo`.
//!
//! Lookups have a limit of their own on the threads that all share: forty files that are slow to
//! read keep no connection waiting, and names that nobody answers for keep no file waiting.
//!
//! # Cost
//! Some microseconds for the thread, beside the milliseconds of most lookups.
//!
//! # Not here
//! Threads (`threads`), what is to be done with a list of addresses (`addr`).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::sys::names::name_of;
use crate::threads::{lookup_limiter, to_thread};

/// A lookup under way.
pub(super) struct Lookup<T>(Pin<Box<dyn Future<Output = io::Result<T>> + Send + Sync>>);

impl Lookup<Vec<SocketAddr>> {
    pub(super) fn addresses(host: String, port: u16) -> Self {
        Lookup::start(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            let found = found.map(Iterator::collect);
            found.map_err(|error| named(&format!("the address of {host:?}"), error))
        })
    }
}

impl Lookup<String> {
    pub(super) fn name(addr: IpAddr) -> Self {
        Lookup::start(move || {
            let found = name_of(&SocketAddr::new(addr, 0).into());
            found.map_err(|error| named(&format!("the name of {addr}"), error))
        })
    }
}

impl<T: Send + 'static> Lookup<T> {
    fn start(find: impl FnOnce() -> io::Result<T> + Send + Sync + 'static) -> Self {
        let found = to_thread(find).limiter(lookup_limiter());
        Lookup(Box::pin(async move { found.await? }))
    }
}

/// The resolver's messages do not say what it was asked.
fn named(wanted: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot find {wanted}: {error}"))
}

impl<T> Future for Lookup<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> Debug for Lookup<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}
