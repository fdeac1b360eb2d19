//! Host names to addresses, by a thread for each lookup.
//!
//! The system's resolver (`getaddrinfo`, behind the standard library's `ToSocketAddrs`) can
//! only block, for seconds when a name server is silent. It knows `/etc/hosts`, search
//! domains and whatever the administrator set up, so nothing takes its place here; it runs
//! where it may block. A lookup that nobody waits for any more ends by itself, unseen: there
//! is no way to stop `getaddrinfo`.
//!
//! # Invariants
//! - **Handed over once**: the thread puts its answer under the lock and then wakes whoever
//!   was noted there; the future notes itself under the same lock only while there is no
//!   answer. So one of the two sees the other.
//! - Wakers are called and dropped after the lock is released: they are foreign code.
//!
//! # Cost
//! A thread, some 30 µs, beside the milliseconds of most lookups.
//!
//! # Not here
//! A limit on the lookups at once: they end in seconds, and `connect` has few callers at once.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::rt::{Arc, Mutex, lock};

type Answer = io::Result<Vec<SocketAddr>>;

/// A lookup under way.
#[derive(Debug)]
pub(super) struct Lookup(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    answer: Option<Answer>,
    waiter: Option<Waker>,
}

impl Lookup {
    /// Fails if the system refuses another thread.
    pub(super) fn start(host: String, port: u16) -> io::Result<Lookup> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let lookup = Lookup(shared.clone());
        thread::Builder::new()
            .name("petla-lookup".to_owned())
            .spawn(move || {
                let found = (host.as_str(), port).to_socket_addrs();
                answer(&shared, named(&host, found.map(Iterator::collect)));
            })?;
        Ok(lookup)
    }
}

/// The resolver's messages do not say which name it was.
fn named(host: &str, answer: Answer) -> Answer {
    answer.map_err(|error| {
        let message = format!("cannot find the address of {host:?}: {error}");
        io::Error::new(error.kind(), message)
    })
}

fn answer(shared: &Mutex<Shared>, answer: Answer) {
    let waiter = {
        let mut shared = lock(shared);
        shared.answer = Some(answer);
        shared.waiter.take()
    };
    if let Some(waiter) = waiter {
        waiter.wake();
    }
}

impl Future for Lookup {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let waker = cx.waker().clone();
        let (answer, _old) = {
            let mut shared = lock(&self.0);
            match shared.answer.take() {
                Some(answer) => (Some(answer), None),
                None => (None, shared.waiter.replace(waker)),
            }
        };
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}
