//! What may stand for an address: `ToAddrs`, and the list it becomes.
//!
//! People write addresses as `"127.0.0.1:8080"`, `("example.com", 443)` or a `SocketAddr`.
//! All of them become [`Addresses`] at once, when `bind` or `connect` is called: the future
//! then owns what it needs. A literal becomes an address by parsing alone; only a real name
//! needs a thread, when the future is first polled.
//!
//! A text that is neither is an error that says what to write instead, given by the future
//! like any other failure to open the socket.
//!
//! # Invariants
//! - **Some**: a list that is handed out has at least one address.
//!
//! # Not here
//! The lookup itself (`resolve`). An own resolver, caching. The race of addresses (`connect`).

use std::future::Future;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::resolve::Lookup;
use crate::sys::socket::Address;

/// Whatever can stand for one or several socket addresses.
///
/// | written as | example |
/// | --- | --- |
/// | a socket address | `SocketAddr`, `SocketAddrV4`, `SocketAddrV6` |
/// | an IP address and a port | `([127, 0, 0, 1], 80)`, `(Ipv4Addr::LOCALHOST, 80)` |
/// | text | `"127.0.0.1:80"`, `"[::1]:80"`, `"localhost:80"` |
/// | a host and a port | `("localhost", 80)` |
/// | several | `&[SocketAddr]`, as if one name had these addresses |
///
/// Addresses in numbers are only parsed. A host name is looked up as the system is set up to
/// (`/etc/hosts`, DNS), on a thread. The trait is sealed: no
/// type outside this crate can implement it.
///
/// # asyncio
/// `host` and `port` are two arguments there.
///
/// # Examples
/// ```
/// use petla::net::{TcpListener, TcpStream};
///
/// petla::run(async {
///     let listener = TcpListener::bind(([127, 0, 0, 1], 0)).await?;
///     let port = listener.local_addr()?.port();
///     TcpStream::connect(format!("127.0.0.1:{port}")).await?;
///     TcpStream::connect(("127.0.0.1", port)).await?;
///
///     let error = TcpStream::connect("127.0.0.1").await.unwrap_err();
///     assert!(error.to_string().contains("no port"));
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an address",
    note = "write `\"127.0.0.1:80\"`, `(\"localhost\", 80)`, `([127, 0, 0, 1], 80)`, a \
            `SocketAddr` or a `&[SocketAddr]`"
)]
pub trait ToAddrs: sealed::Named {}

mod sealed {
    use super::Addresses;

    /// The one method of [`ToAddrs`](super::ToAddrs), which only this crate can call.
    pub trait Named {
        #[doc(hidden)]
        fn addresses(self) -> Addresses;
    }
}

/// The future list of addresses. Public in name only: no path outside leads here.
#[derive(Debug)]
pub struct Addresses(State);

#[derive(Debug)]
enum State {
    Known(Vec<Address>),
    Name(String, u16),
    Looking(Lookup<Vec<SocketAddr>>),
    Wrong(io::Error),
    Gone,
}

impl Addresses {
    fn known(addresses: impl IntoIterator<Item = Address>) -> Addresses {
        Addresses(State::Known(addresses.into_iter().collect()))
    }

    pub(super) fn unix(addr: &UnixAddr) -> Addresses {
        Addresses::known([Address::from_unix(addr)])
    }

    /// A path that cannot name a socket becomes the error of the future.
    pub(super) fn path(path: &Path) -> Addresses {
        match path_address(path) {
            Ok(address) => Addresses::known([address]),
            Err(error) => Addresses(State::Wrong(error)),
        }
    }

    fn invalid(message: String) -> Addresses {
        Addresses(State::Wrong(invalid(message)))
    }

    fn one(addr: SocketAddr) -> Addresses {
        Addresses::known([addr.into()])
    }

    /// `host` is the whole text between brackets, or before the port.
    fn host(host: &str, port: u16) -> Addresses {
        if host.is_empty() {
            return Addresses::invalid(format!(
                "the address has no host: write 0.0.0.0:{port} for all interfaces, or \
                 localhost:{port}"
            ));
        }
        match host.parse::<IpAddr>() {
            Ok(ip) => Addresses::one(SocketAddr::new(ip, port)),
            Err(_) => Addresses(State::Name(host.to_owned(), port)),
        }
    }

    fn text(text: &str) -> Addresses {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Addresses::one(addr);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Addresses::invalid(format!(
                "the address {text:?} has no port, or no brackets: write [{text}]:80"
            ));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Addresses::invalid(format!(
                "the address {text:?} has no port: write {text}:80, or (host, port)"
            ));
        };
        let Ok(port) = port.parse::<u16>() else {
            return Addresses::invalid(format!(
                "the port of the address {text:?} is not a number from 0 to 65535"
            ));
        };
        match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(Some(host)) => Addresses::host(host, port),
            None if !host.contains([':', '[', ']']) => Addresses::host(host, port),
            _ => Addresses::invalid(format!(
                "the address {text:?} is unclear: write an IPv6 address as [::1]:{port}"
            )),
        }
    }
}

impl Addresses {
    /// Waits for the list. To be asked again only while it is pending.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Address>>> {
        loop {
            match &mut self.0 {
                State::Looking(lookup) => {
                    let found = ready!(Pin::new(lookup).poll(cx))?;
                    self.0 = State::Known(found.into_iter().map(Address::from).collect());
                }
                other => match mem::replace(other, State::Gone) {
                    State::Known(list) => return Poll::Ready(some(list)),
                    State::Name(host, port) => {
                        *other = State::Looking(Lookup::addresses(host, port));
                    }
                    State::Wrong(error) => return Poll::Ready(Err(error)),
                    State::Looking(_) | State::Gone => panic!("a future was polled after its end"),
                },
            }
        }
    }
}

/// What `attempt` makes of the first address that it succeeds with, or the error of the last.
pub(super) fn first<T>(
    list: &[Address],
    attempt: impl FnMut(&Address) -> io::Result<T>,
) -> io::Result<T> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into()); // by Some it is replaced
    for tried in list.iter().map(attempt) {
        outcome = tried;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The address of a Unix socket's file.
pub(super) fn path_address(path: &Path) -> io::Result<Address> {
    let bytes = path.as_os_str().as_bytes();
    match UnixAddr::from_pathname(path) {
        Ok(_) if bytes.is_empty() => Err(invalid("the path of the socket is empty".to_owned())),
        Ok(addr) => Ok(Address::from_unix(&addr)),
        Err(_) if bytes.contains(&0) => {
            Err(invalid(format!("the path {path:?} has a NUL byte inside")))
        }
        Err(_) => Err(invalid(format!(
            "the path {path:?} has {} bytes, and a socket's path 107 at most: use a relative \
             path, or an abstract name",
            bytes.len()
        ))),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Keeps **Some**.
fn some(list: Vec<Address>) -> io::Result<Vec<Address>> {
    if list.is_empty() {
        let message = "the list of addresses is empty: give at least one";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(list)
}

macro_rules! to_addrs {
    ($($kind:ty => |$value:ident| $addresses:expr;)+) => { $(
        impl ToAddrs for $kind {}
        impl sealed::Named for $kind {
            fn addresses(self) -> Addresses {
                let $value = self;
                $addresses
            }
        }
    )+ };
}

to_addrs! {
    SocketAddr => |addr| Addresses::one(addr);
    &SocketAddr => |addr| Addresses::one(*addr);
    SocketAddrV4 => |addr| Addresses::one(addr.into());
    SocketAddrV6 => |addr| Addresses::one(addr.into());
    (IpAddr, u16) => |pair| Addresses::one(pair.into());
    (Ipv4Addr, u16) => |pair| Addresses::one(pair.into());
    (Ipv6Addr, u16) => |pair| Addresses::one(pair.into());
    ([u8; 4], u16) => |pair| Addresses::one(pair.into());
    &str => |text| Addresses::text(text);
    &String => |text| Addresses::text(text);
    String => |text| Addresses::text(&text);
    (&str, u16) => |pair| Addresses::host(pair.0, pair.1);
    (String, u16) => |pair| Addresses::host(&pair.0, pair.1);
    &[SocketAddr] => |list| Addresses::known(list.iter().map(|addr| Address::from(*addr)));
}
