//! Host names to addresses, on threads.
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
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::threads::{lookup_limiter, to_thread};

type Answer = io::Result<Vec<SocketAddr>>;

/// A lookup under way.
pub(super) struct Lookup(Pin<Box<dyn Future<Output = Answer> + Send + Sync>>);

impl Lookup {
    pub(super) fn start(host: String, port: u16) -> Lookup {
        let find = move || {
            let found = (host.as_str(), port).to_socket_addrs();
            named(&host, found.map(Iterator::collect))
        };
        let found = to_thread(find).limiter(lookup_limiter());
        Lookup(Box::pin(async move { found.await? }))
    }
}

/// The resolver's messages do not say which name it was.
fn named(host: &str, answer: Answer) -> Answer {
    answer.map_err(|error| {
        let message = format!("cannot find the address of {host:?}: {error}");
        io::Error::new(error.kind(), message)
    })
}

impl Future for Lookup {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        self.0.as_mut().poll(cx)
    }
}

impl Debug for Lookup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}
