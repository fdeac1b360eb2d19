//! The options of a UDP socket: broadcast, multicast, hops, buffers.
//!
//! Each is one of the kernel's, by its name in the standard library. IPv4 and IPv6 keep their own
//! for multicast, also on one socket that serves both.
//!
//! # Not here
//! Sending and receiving (`udp`).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;
use super::options::{buffers, flag, number};
use crate::sys::options::{self, Membership};
use crate::sys::socket;

impl UdpSocket {
    flag! {
        /// Whether it may send to broadcast addresses.
        broadcast,
        /// Permits sending to broadcast addresses such as 255.255.255.255. Off unless told.
        set_broadcast,
        options::BROADCAST
    }

    /// The time to live (hops) of its datagrams to single hosts.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        socket::hop_limit(self.raw())
    }

    /// Sets the time to live, 1 to 255 hops, of datagrams to single hosts.
    ///
    /// # Errors
    /// `InvalidInput` outside that range.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        socket::set_hop_limit(self.raw(), hops)
    }

    buffers!();

    /// Receives what is sent to an IPv4 multicast group, on the interface that has the address
    /// `interface`; `Ipv4Addr::UNSPECIFIED` lets the system choose one.
    ///
    /// The socket must be bound to the group's port, at `0.0.0.0` or at the group's address.
    /// Several programs that do so all set [`reuse_port`](super::Bind::reuse_port).
    ///
    /// # Errors
    /// `InvalidInput` if it is no multicast address; `AddrInUse` if the socket is in the group
    /// already; no interface has that address (`ENODEV`).
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::group_v4(self.raw(), Membership::Join, group, interface)
    }

    /// Leaves the group again. Closing the socket leaves all.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the socket is not in the group.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::group_v4(self.raw(), Membership::Leave, group, interface)
    }

    /// Receives what is sent to an IPv6 multicast group, on the interface with the index
    /// `interface`; 0 lets the system choose one.
    ///
    /// # Errors
    /// As [`join_multicast_v4`](UdpSocket::join_multicast_v4); a socket of IPv4 cannot.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::group_v6(self.raw(), Membership::Join, group, interface)
    }

    /// Leaves the group again.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the socket is not in the group.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::group_v6(self.raw(), Membership::Leave, group, interface)
    }

    flag! {
        /// Whether what it sends to IPv4 groups comes back to this machine's members.
        multicast_loop_v4,
        /// Whether what it sends to IPv4 groups comes back to the members on this machine, this
        /// socket included. On unless told.
        set_multicast_loop_v4,
        options::LOOP_V4
    }

    flag! {
        /// Whether what it sends to IPv6 groups comes back to this machine's members.
        multicast_loop_v6,
        /// Whether what it sends to IPv6 groups comes back to the members on this machine, this
        /// socket included. On unless told.
        set_multicast_loop_v6,
        options::LOOP_V6
    }

    number! {
        /// The hops that its datagrams to IPv4 groups live.
        multicast_ttl_v4,
        /// Sets the hops, 0 to 255, that datagrams to IPv4 groups live. 1 unless told: they do
        /// not leave the local network.
        set_multicast_ttl_v4, "a time to live", 0..=255,
        options::HOPS_V4
    }

    number! {
        /// The hops that its datagrams to IPv6 groups live.
        multicast_hops_v6,
        /// Sets the hops, 0 to 255, that datagrams to IPv6 groups live. 1 unless told: they do
        /// not leave the local network.
        set_multicast_hops_v6, "a hop limit", 0..=255,
        options::HOPS_V6
    }

    /// The address of the interface through which it sends to IPv4 groups; unspecified if the
    /// routes decide.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn multicast_if_v4(&self) -> io::Result<Ipv4Addr> {
        options::interface_v4(self.raw())
    }

    /// Sends to IPv4 groups through the interface that has this address;
    /// `Ipv4Addr::UNSPECIFIED` lets the routes decide.
    ///
    /// # Errors
    /// No interface has that address (`AddrNotAvailable`).
    pub fn set_multicast_if_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        options::set_interface_v4(self.raw(), interface)
    }

    number! {
        /// The index of the interface through which it sends to IPv6 groups; 0 if the routes
        /// decide.
        multicast_if_v6,
        /// Sends to IPv6 groups through the interface with this index; 0 lets the routes decide.
        set_multicast_if_v6, "an interface's index", 0..=i32::MAX as u32,
        options::INTERFACE_V6
    }
}
