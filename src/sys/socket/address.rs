//! Socket addresses in the kernel's form, as plain bytes.
//!
//! The C structures (`sockaddr_in` and its kin) share a first field, differ in the rest, and
//! are told apart by casting pointers. Bytes need no cast: each field is written and read at
//! its offset, and the assertions below compare the offsets with the C structures when this
//! is compiled. The calls in `socket` take the pointer to the bytes.
//!
//! # Invariants
//! - **Written**: the first `len` bytes are an address, as the family in the first two says;
//!   the rest is zero. (The kernel wrote them, or one of the constructors.)
//!
//! # Not here
//! Text to address (`net::addr`).
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::mem::offset_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::path::Path;

use libc::{c_int, sockaddr_in, sockaddr_in6, sockaddr_un, socklen_t};

/// Room for every address, and what the kernel calls `sockaddr_storage`.
const CAPACITY: usize = size_of::<libc::sockaddr_storage>();

const PORT: usize = 2;
const V4_IP: usize = 4;
const V6_FLOW: usize = 4;
const V6_IP: usize = 8;
const V6_SCOPE: usize = 24;
const PATH: usize = 2;

const _: () = assert!(PORT == offset_of!(sockaddr_in, sin_port));
const _: () = assert!(PORT == offset_of!(sockaddr_in6, sin6_port));
const _: () = assert!(V4_IP == offset_of!(sockaddr_in, sin_addr));
const _: () = assert!(V6_FLOW == offset_of!(sockaddr_in6, sin6_flowinfo));
const _: () = assert!(V6_IP == offset_of!(sockaddr_in6, sin6_addr));
const _: () = assert!(V6_SCOPE == offset_of!(sockaddr_in6, sin6_scope_id));
const _: () = assert!(PATH == offset_of!(sockaddr_un, sun_path));
const _: () = assert!(size_of::<sockaddr_un>() <= CAPACITY);

/// The address of one end of a socket, in the kernel's own form.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Address {
    pub(in crate::sys) bytes: [u8; CAPACITY],
    pub(in crate::sys) len: socklen_t,
}

impl Address {
    /// Room for the kernel to write an address into.
    pub(in crate::sys) const EMPTY: Address = Address {
        bytes: [0; CAPACITY],
        len: CAPACITY as socklen_t,
    };

    fn new(family: c_int, len: usize) -> Address {
        let mut address = Address {
            len: len as socklen_t,
            ..Address::EMPTY
        };
        address.put(0, &(family as u16).to_ne_bytes());
        address
    }

    /// No address of the Unix family: what a socket has before it is bound.
    pub(crate) fn unnamed() -> Address {
        Address::new(libc::AF_UNIX, PATH)
    }

    /// No address: connecting to it ends a connection.
    pub(crate) fn none() -> Address {
        Address::new(libc::AF_UNSPEC, size_of::<sockaddr_in>())
    }

    fn put(&mut self, at: usize, field: &[u8]) {
        self.bytes[at..at + field.len()].copy_from_slice(field);
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[at..at + N]);
        field
    }

    pub(in crate::sys) fn family(&self) -> c_int {
        c_int::from(u16::from_ne_bytes(self.field(0)))
    }

    /// Whether it is an IPv4 or IPv6 address: then its socket speaks TCP.
    pub(crate) fn is_inet(&self) -> bool {
        matches!(self.family(), libc::AF_INET | libc::AF_INET6)
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.family() == libc::AF_INET6
    }

    /// A file system path, an abstract name, or (unnamed) none.
    pub(crate) fn from_unix(addr: &UnixAddr) -> Address {
        let mut name = Vec::new();
        if let Some(path) = addr.as_pathname() {
            name.extend_from_slice(path.as_os_str().as_bytes());
            name.push(0);
        } else if let Some(hidden) = addr.as_abstract_name() {
            name.push(0);
            name.extend_from_slice(hidden);
        }
        let mut address = Address::new(libc::AF_UNIX, PATH + name.len());
        address.put(PATH, &name); // 108 bytes at most: `UnixAddr` checked it
        address
    }

    /// The same as an internet address.
    pub(crate) fn to_inet(self) -> io::Result<SocketAddr> {
        let port = u16::from_be_bytes(self.field(PORT));
        match self.family() {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(self.field::<4>(V4_IP));
                Ok(SocketAddr::V4(SocketAddrV4::new(ip, port)))
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(self.field::<16>(V6_IP));
                let flow = u32::from_ne_bytes(self.field(V6_FLOW));
                let scope = u32::from_ne_bytes(self.field(V6_SCOPE));
                Ok(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
            }
            _ => Err(wrong_family("an internet")),
        }
    }

    /// The same as a Unix address. A peer may have bound itself to a path one byte longer
    /// than [`UnixAddr`] can hold; it shows as unnamed, as its connection must not be lost.
    /// Of a datagram's sender without a name the kernel writes no address at all.
    pub(crate) fn to_unix(self) -> io::Result<UnixAddr> {
        if self.len > 0 && self.family() != libc::AF_UNIX {
            return Err(wrong_family("a Unix"));
        }
        let end = (self.len as usize).clamp(PATH, CAPACITY);
        match &self.bytes[PATH..end] {
            [0, hidden @ ..] => UnixAddr::from_abstract_name(hidden),
            path => {
                let name = path.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = Path::new(OsStr::from_bytes(name));
                UnixAddr::from_pathname(name).or_else(|_| UnixAddr::from_pathname(""))
            }
        }
    }
}

fn wrong_family(wanted: &str) -> io::Error {
    let message = format!("the address of this socket is not {wanted} address");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Address {
        let mut address = match addr {
            SocketAddr::V4(v4) => {
                let mut address = Address::new(libc::AF_INET, size_of::<sockaddr_in>());
                address.put(V4_IP, &v4.ip().octets());
                address
            }
            SocketAddr::V6(v6) => {
                let mut address = Address::new(libc::AF_INET6, size_of::<sockaddr_in6>());
                address.put(V6_FLOW, &v6.flowinfo().to_ne_bytes());
                address.put(V6_IP, &v6.ip().octets());
                address.put(V6_SCOPE, &v6.scope_id().to_ne_bytes());
                address
            }
        };
        address.put(PORT, &addr.port().to_be_bytes());
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_through_the_kernels_form() {
        for text in [
            "127.0.0.1:80",
            "255.1.2.3:65535",
            "[::1]:443",
            "[fe80::1:2%7]:1",
        ] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::from(addr).to_inet().unwrap(), addr);
        }
        let flow = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 9, 77, 5));
        assert_eq!(Address::from(flow).to_inet().unwrap(), flow);
    }

    #[test]
    fn unix_names_survive_the_way_through_the_kernels_form() {
        let longest = format!("/{}", "x".repeat(106));
        for path in ["/tmp/s", "relative", &longest] {
            let addr = UnixAddr::from_pathname(path).unwrap();
            let back = Address::from_unix(&addr).to_unix().unwrap();
            assert_eq!(back.as_pathname(), Some(Path::new(path)));
        }
        let hidden = UnixAddr::from_abstract_name(b"a\0b").unwrap();
        let back = Address::from_unix(&hidden).to_unix().unwrap();
        assert_eq!(back.as_abstract_name(), Some(&b"a\0b"[..]));
        let unnamed = UnixAddr::from_pathname("").unwrap();
        assert!(Address::from_unix(&unnamed).to_unix().unwrap().is_unnamed());
    }

    #[test]
    fn a_path_without_room_for_its_nul_shows_as_unnamed() {
        let mut address = Address::new(libc::AF_UNIX, PATH + 109);
        address.put(PATH, &[b'x'; 108]);
        assert!(address.to_unix().unwrap().is_unnamed());
    }

    #[test]
    fn an_address_of_the_other_family_is_an_error() {
        let inet = Address::from(SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(
            inet.to_unix().unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        let unix = Address::from_unix(&UnixAddr::from_pathname("/a").unwrap());
        assert_eq!(
            unix.to_inet().unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
