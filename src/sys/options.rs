//! Socket options beyond those that every listener and stream needs: multicast, buffers, probes.
//!
//! Most are one `int`, set and read by [`socket::set`](super::socket::set) and
//! [`get`](super::socket::get); here stand their names. Groups are joined with structures.
//!
//! # Not here
//! What the values mean, and their ranges: `net`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use libc::c_int;

use super::socket::{SocketOption, get, set_words, socket_option};

const fn option(level: c_int, name: c_int) -> SocketOption {
    SocketOption { level, name }
}

pub(crate) const BROADCAST: SocketOption = socket_option(libc::SO_BROADCAST);
pub(crate) const RECV_BUFFER: SocketOption = socket_option(libc::SO_RCVBUF);
pub(crate) const SEND_BUFFER: SocketOption = socket_option(libc::SO_SNDBUF);
pub(crate) const ONLY_V6: SocketOption = option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
pub(crate) const KEEP_IDLE: SocketOption = option(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
pub(crate) const KEEP_INTERVAL: SocketOption = option(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL);
pub(crate) const KEEP_COUNT: SocketOption = option(libc::IPPROTO_TCP, libc::TCP_KEEPCNT);
pub(crate) const LOOP_V4: SocketOption = option(libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP);
pub(crate) const LOOP_V6: SocketOption = option(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP);
pub(crate) const HOPS_V4: SocketOption = option(libc::IPPROTO_IP, libc::IP_MULTICAST_TTL);
pub(crate) const HOPS_V6: SocketOption = option(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS);
const INTERFACE_V4: SocketOption = option(libc::IPPROTO_IP, libc::IP_MULTICAST_IF);
pub(crate) const INTERFACE_V6: SocketOption = option(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF);

/// Into a multicast group, or out of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    Join,
    Leave,
}

/// Joins or leaves an IPv4 group on the interface that has the address `interface`.
pub(crate) fn group_v4(
    fd: RawFd,
    change: Membership,
    group: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    let name = match change {
        Membership::Join => libc::IP_ADD_MEMBERSHIP,
        Membership::Leave => libc::IP_DROP_MEMBERSHIP,
    };
    let value = [word(group), word(interface)];
    const { assert!(size_of::<libc::ip_mreq>() == size_of::<[u32; 2]>()) };
    set_words(fd, option(libc::IPPROTO_IP, name), &value)
}

/// Joins or leaves an IPv6 group on the interface with the index `interface`; 0 is any.
pub(crate) fn group_v6(
    fd: RawFd,
    change: Membership,
    group: Ipv6Addr,
    interface: u32,
) -> io::Result<()> {
    let name = match change {
        Membership::Join => libc::IPV6_ADD_MEMBERSHIP,
        Membership::Leave => libc::IPV6_DROP_MEMBERSHIP,
    };
    let group = group.octets();
    let at = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| group[at + byte]));
    let value = [at(0), at(4), at(8), at(12), interface];
    const { assert!(size_of::<libc::ipv6_mreq>() == size_of::<[u32; 5]>()) };
    set_words(fd, option(libc::IPPROTO_IPV6, name), &value)
}

/// Sends to IPv4 groups through the interface that has this address; unspecified is any.
pub(crate) fn set_interface_v4(fd: RawFd, interface: Ipv4Addr) -> io::Result<()> {
    set_words(fd, INTERFACE_V4, &[word(interface)])
}

/// The same, read.
pub(crate) fn interface_v4(fd: RawFd) -> io::Result<Ipv4Addr> {
    let value = get(fd, INTERFACE_V4)?;
    Ok(Ipv4Addr::from(value.to_ne_bytes()))
}

/// An IPv4 address as the kernel keeps it: its bytes in their order.
fn word(addr: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(addr.octets())
}
