//! Binding all of the addresses that a name has, as a server does: one listener for each.
//!
//! With port 0, the port that the system gives the first one is asked for on the others. It may be
//! taken there; then another one is tried, a few times.
//!
//! # Not here
//! Binding one (`bind`); serving (`streams`).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use super::{Bind, TcpListener};
use crate::sys::socket;

/// How often a port is looked for that is free on several addresses.
const TRIES: usize = 8;

impl Bind<TcpListener> {
    /// Listens on all of the addresses, with one port for all those whose port is 0. An address
    /// that this machine does not have is passed over if another one can be had.
    pub(crate) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<TcpListener>>> {
        let mut list = Vec::new();
        for address in ready!(self.poll_addresses(cx))? {
            let address = address.to_inet()?;
            if !list.contains(&address) {
                list.push(address);
            }
        }
        if list.len() > 1 {
            // A lone [::] takes clients of IPv4 as well, beside 0.0.0.0 it must not.
            self.separate_families();
        }
        let any_port = list.iter().any(|address| address.port() == 0);
        let mut outcome = self.open_all(&list);
        for _ in 1..TRIES {
            // The port that one address was given may be taken on another one.
            let is_in_use = |error: &io::Error| error.kind() == ErrorKind::AddrInUse;
            if !any_port || !outcome.as_ref().is_err_and(is_in_use) {
                break;
            }
            outcome = self.open_all(&list);
        }
        Poll::Ready(outcome)
    }

    fn open_all(&self, list: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
        let (mut listeners, mut port, mut absent) = (Vec::new(), 0, None);
        for address in list {
            let (mut address, any_port) = (*address, address.port() == 0);
            if any_port {
                address.set_port(port);
            }
            match self.open(&address.into()) {
                Ok(listener) => {
                    if any_port {
                        port = listener.local_addr()?.port();
                    }
                    listeners.push(listener);
                }
                Err(error) => {
                    let message = format!("cannot listen on {address}: {error}");
                    let named = io::Error::new(error.kind(), message);
                    if !socket::is_absent(&error) {
                        return Err(named);
                    }
                    absent = Some(named);
                }
            }
        }
        match absent {
            Some(error) if listeners.is_empty() => Err(error),
            _ => Ok(listeners),
        }
    }
}
