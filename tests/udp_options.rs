//! The options of UDP sockets: shared ports, multicast, one family or both.

mod common;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use common::within_io as within;
use petla::net::UdpSocket;

const HERE: &str = "127.0.0.1:0";

#[test]
fn sockets_that_all_ask_for_it_share_a_port() {
    within(async {
        let first = UdpSocket::bind(HERE).reuse_port(true).await?;
        let address = first.local_addr()?;
        let _second = UdpSocket::bind(address).reuse_port(true).await?;
        let error = UdpSocket::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        Ok(())
    });
}

#[test]
fn options_are_those_of_the_system() {
    within(async {
        let socket = UdpSocket::bind(HERE).await?;
        assert!(!socket.broadcast()?);
        socket.set_broadcast(true)?;
        assert!(socket.broadcast()?);
        socket.set_ttl(9)?;
        assert_eq!(socket.ttl()?, 9);
        assert_eq!(socket.multicast_ttl_v4()?, 1);
        socket.set_multicast_ttl_v4(0)?;
        assert_eq!(socket.multicast_ttl_v4()?, 0);
        let error = socket.set_multicast_ttl_v4(256).unwrap_err();
        assert_eq!(error.to_string(), "a time to live is 0 to 255, not 256");
        socket.set_multicast_loop_v4(false)?;
        assert!(!socket.multicast_loop_v4()?);
        socket.set_multicast_if_v4(Ipv4Addr::LOCALHOST)?;
        assert_eq!(socket.multicast_if_v4()?, Ipv4Addr::LOCALHOST);
        socket.set_recv_buffer_size(50_000)?;
        assert!(socket.recv_buffer_size()? >= 50_000);
        socket.set_send_buffer_size(usize::MAX)?;
        assert!(socket.send_buffer_size()? > 1000);
        Ok(())
    });
}

#[test]
fn a_group_is_joined_heard_and_left() {
    within(async {
        let group = Ipv4Addr::new(239, 255, 77, 7);
        let listener = UdpSocket::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        if let Err(error) = listener.join_multicast_v4(group, Ipv4Addr::LOCALHOST) {
            println!("skipped: no multicast on this machine's loopback: {error}");
            return Ok(());
        }
        let again = listener.join_multicast_v4(group, Ipv4Addr::LOCALHOST);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);

        let sender = UdpSocket::bind("127.0.0.1:0").await?;
        sender.set_multicast_if_v4(Ipv4Addr::LOCALHOST)?;
        sender.send_to(b"to the group", (group, port)).await?;
        assert_eq!(listener.recv(&mut [0; 64]).await?.len, 12);

        listener.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
        let not_in_it = listener.leave_multicast_v4(group, Ipv4Addr::LOCALHOST);
        assert_eq!(not_in_it.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
        let no_group = listener.join_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        assert_eq!(no_group.unwrap_err().kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_broadcast_is_heard_by_all_who_share_the_port() {
    within(async {
        let first = UdpSocket::bind("0.0.0.0:0").reuse_port(true).await?;
        let port = first.local_addr()?.port();
        let second = UdpSocket::bind(("0.0.0.0", port)).reuse_port(true).await?;
        let sender = UdpSocket::bind(HERE).await?;
        sender.set_broadcast(true)?;
        let everybody = SocketAddr::from(([127, 255, 255, 255], port));
        let sent = sender.send_to(b"to all", everybody).await;
        if let Err(error) = sent {
            assert_ne!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            println!("skipped: no broadcasts on this machine's loopback: {error}");
            return Ok(());
        }
        for socket in [first, second] {
            let (received, from) = socket.recv_from(&mut [0; 64]).await?;
            assert_eq!((received.len, from), (6, sender.local_addr()?));
        }
        Ok(())
    });
}

#[test]
fn ipv6_groups_have_options_of_their_own() {
    within(async {
        let Ok(socket) = UdpSocket::bind("[::1]:0").only_v6(true).await else {
            println!("skipped: this machine has no IPv6");
            return Ok(());
        };
        socket.set_multicast_hops_v6(3)?;
        socket.set_multicast_loop_v6(false)?;
        assert_eq!(
            (socket.multicast_hops_v6()?, socket.multicast_loop_v6()?),
            (3, false)
        );
        socket.set_multicast_if_v6(1)?; // the loopback interface is always the first
        assert_eq!(socket.multicast_if_v6()?, 1);
        let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x77);
        if let Err(error) = socket.join_multicast_v6(group, 1) {
            println!("skipped: no IPv6 groups here: {error}");
            return Ok(());
        }
        socket.leave_multicast_v6(group, 1)
    });
}

#[test]
fn a_socket_for_ipv6_alone_leaves_the_port_to_ipv4() {
    within(async {
        let Ok(v6) = UdpSocket::bind("[::]:0").only_v6(true).await else {
            println!("skipped: this machine has no IPv6");
            return Ok(());
        };
        let port = v6.local_addr()?.port();
        let v4 = UdpSocket::bind(("0.0.0.0", port)).await?;
        drop((v4, v6));
        let both = UdpSocket::bind("[::]:0").only_v6(false).await?;
        let port = both.local_addr()?.port();
        let error = UdpSocket::bind(("0.0.0.0", port)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        Ok(())
    });
}
