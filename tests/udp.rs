//! UDP: datagrams arrive whole, cut ones are told, errors of earlier ones come once.
//!
//! | what could go wrong | tests |
//! | --- | --- |
//! | a datagram is lost, cut or split | `a_datagram..`, `an_empty..`, `the_longest..` |
//! | a cancelled receive takes one along | `a_dropped_receive..` |
//! | an edge is missed | `every_datagram_of_a_burst..`, `a_full_send_buffer..` |
//! | an error ends the socket | `a_refusal..`, `what_cannot_be_sent..` |
//! | the other side is no petla | `a_blocking_peer..` |

mod common;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsFd;
use std::task::Poll;

use common::fd::{descriptors, limit_descriptors};
use common::{Bell, LONG, poll_once, succeeds_alone, within_io as within};
use petla::net::{UdpSocket, UnixDatagram, lookup_addr, lookup_host};

const HERE: &str = "127.0.0.1:0";

async fn connected_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (left, right) = (UdpSocket::bind(HERE).await?, UdpSocket::bind(HERE).await?);
    left.connect(right.local_addr()?).await?;
    right.connect(left.local_addr()?).await?;
    Ok((left, right))
}

/// A port that was free a moment ago and has no socket.
fn nobody() -> SocketAddr {
    StdSocket::bind(HERE).unwrap().local_addr().unwrap()
}

#[test]
fn a_datagram_comes_with_its_sender_and_can_be_looked_at_first() {
    within(async {
        let (left, right) = (UdpSocket::bind(HERE).await?, UdpSocket::bind(HERE).await?);
        assert_eq!(left.send_to(b"hello", right.local_addr()?).await?, 5);
        let mut buf = [0; 64];
        let (peeked, from) = right.peek_from(&mut buf).await?;
        assert_eq!((peeked.len, from), (5, left.local_addr()?));
        let (received, from) = right.recv_from(&mut buf).await?;
        assert_eq!(&buf[..received.len], b"hello");
        assert_eq!(from, left.local_addr()?);
        assert!(poll_once(&mut right.recv(&mut buf)).is_pending());
        Ok(())
    });
}

#[test]
fn a_receiver_that_waits_is_woken() {
    within(async {
        let (left, right) = connected_pair().await?;
        let mut buf = [0; 8];
        let bell = Bell::new();
        let mut recv = right.recv(&mut buf);
        assert!(bell.poll(&mut recv).is_pending());
        left.send(b"x").await?;
        common::yield_until(|| bell.rings() > 0).await;
        assert_eq!(recv.await?.len, 1);
        Ok(())
    });
}

#[test]
fn a_datagram_that_does_not_fit_says_how_long_it_was() {
    within(async {
        let (left, right) = connected_pair().await?;
        left.send(&[7; 1000]).await?;
        left.send(b"next").await?;
        let mut buf = [0; 100];
        let (peeked, _) = right.peek_from(&mut buf).await?;
        assert!(peeked.is_truncated());
        let cut = right.recv(&mut buf).await?;
        assert!(cut.is_truncated() && !cut.lost_fds);
        assert_eq!((cut.len, cut.full_len), (100, 1000));
        let whole = right.recv(&mut buf).await?;
        assert!(!whole.is_truncated());
        assert_eq!(&buf[..whole.len], b"next");
        Ok(())
    });
}

#[test]
fn an_empty_datagram_is_one_and_an_empty_buffer_takes_one() {
    within(async {
        let (left, right) = connected_pair().await?;
        let mut buf = [0; 8];
        assert_eq!(left.send(b"").await?, 0);
        assert_eq!(right.recv(&mut buf).await?.len, 0);
        assert!(poll_once(&mut right.recv(&mut buf)).is_pending());
        left.send(b"thrown away").await?;
        let gone = right.recv(&mut []).await?;
        assert_eq!((gone.len, gone.full_len), (0, 11));
        assert!(poll_once(&mut right.recv(&mut buf)).is_pending());
        Ok(())
    });
}

#[test]
fn a_dropped_receive_has_taken_nothing() {
    within(async {
        let (left, right) = connected_pair().await?;
        let mut buf = [0; 8];
        let bell = Bell::new();
        let mut recv = right.recv(&mut buf);
        assert!(bell.poll(&mut recv).is_pending());
        left.send(b"kept").await?;
        common::yield_until(|| bell.rings() > 0).await;
        drop(recv);
        assert!(!bell.is_kept());
        assert_eq!(right.recv(&mut buf).await?.len, 4);
        Ok(())
    });
}

#[test]
fn every_datagram_of_a_burst_arrives_in_order() {
    within(async {
        let (left, right) = connected_pair().await?;
        let mut buf = [0; 8];
        assert!(poll_once(&mut right.recv(&mut buf)).is_pending()); // registers
        for round in 0..20_u8 {
            for number in 0..10 {
                left.send(&[round, number]).await?;
            }
            for number in 0..10 {
                assert_eq!(right.recv(&mut buf).await?.len, 2);
                assert_eq!(buf[..2], [round, number]);
            }
        }
        Ok(())
    });
}

#[test]
fn nothing_waits_where_it_was_asked_not_to() {
    within(async {
        let (left, right) = connected_pair().await?;
        let mut buf = [0; 8];
        let error = right.try_recv(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(poll_once(&mut right.recv(&mut buf)).is_pending()); // registers
        let error = right.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(left.try_send(b"a")?, 1);
        assert_eq!(left.try_send_to(b"bc", right.local_addr()?)?, 2);
        assert_eq!(right.recv(&mut buf).await?.len, 1);
        let (second, from) = right.try_recv_from(&mut buf)?;
        assert_eq!((second.len, from), (2, left.local_addr()?));
        Ok(())
    });
}

#[test]
fn a_refusal_comes_once_and_the_socket_lives_on() {
    within(async {
        let client = UdpSocket::bind(HERE).await?;
        client.connect(nobody()).await?;
        client.send(b"anybody?").await?;
        let refused = client.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(poll_once(&mut client.recv(&mut [0; 8])).is_pending());

        let server = UdpSocket::bind(HERE).await?;
        client.connect(server.local_addr()?).await?;
        assert_eq!(client.peer_addr()?, server.local_addr()?);
        client.send(b"again").await?;
        assert_eq!(server.recv(&mut [0; 8]).await?.len, 5);
        Ok(())
    });
}

#[test]
fn a_refusal_wakes_a_receive_that_waits() {
    within(async {
        let client = UdpSocket::bind(HERE).await?;
        client.connect(nobody()).await?;
        let mut buf = [0; 8];
        let mut recv = client.recv(&mut buf);
        assert!(poll_once(&mut recv).is_pending());
        client.send(b"anybody?").await?;
        assert_eq!(recv.await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn an_unconnected_socket_hears_of_no_refusal() {
    within(async {
        let client = UdpSocket::bind(HERE).await?;
        let gone = nobody();
        client.send_to(b"anybody?", gone).await?;
        client.send_to(b"anybody?", gone).await?;
        assert!(poll_once(&mut client.recv(&mut [0; 8])).is_pending());
        Ok(())
    });
}

#[test]
fn what_cannot_be_sent_says_why() {
    within(async {
        let socket = UdpSocket::bind(HERE).await?;
        let target = socket.local_addr()?;
        let error = socket.send_to(&vec![0; 70_000], target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("70000 bytes is too long"),
            "{error}"
        );

        let error = socket.send(b"to whom?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(error.to_string().contains("call connect first"), "{error}");

        let everybody = SocketAddr::from(([255, 255, 255, 255], 9));
        let error = socket.send_to(b"all", everybody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("set_broadcast(true)"), "{error}");

        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
        let error = socket.send_to(b"six", v6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("another family"), "{error}");

        assert_eq!(socket.send_to(b"still alive", target).await?, 11);
        Ok(())
    });
}

#[test]
fn the_longest_datagram_arrives_whole() {
    within(async {
        let (left, right) = connected_pair().await?;
        let longest = vec![5; 65_507];
        assert_eq!(left.send(&longest).await?, longest.len());
        let mut buf = vec![0; 65_536];
        assert_eq!(right.recv(&mut buf).await?.len, longest.len());
        assert!(buf[..65_507] == longest);
        Ok(())
    });
}

#[test]
fn a_socket_receives_on_one_task_while_it_sends_on_another() {
    within(async {
        let (left, right) = connected_pair().await?;
        let echo = async {
            let mut buf = [0; 8];
            for _ in 0..50 {
                let n = right.recv(&mut buf).await?.len;
                right.send(&buf[..n]).await?;
            }
            io::Result::Ok(())
        };
        let send = async {
            for number in 0..50_u8 {
                left.send(&[number]).await?;
                petla::yield_now().await;
            }
            io::Result::Ok(())
        };
        let receive = async {
            let mut buf = [0; 8];
            for number in 0..50_u8 {
                left.recv(&mut buf).await?;
                assert_eq!(buf[0], number);
            }
            io::Result::Ok(())
        };
        let (a, b, c) = petla::gather!(echo, send, receive).await;
        a.and(b).and(c)
    });
}

#[test]
fn a_blocking_peer_on_a_thread_is_answered() {
    within(async {
        let server = UdpSocket::bind(HERE).await?;
        let address = server.local_addr()?;
        let peer = std::thread::spawn(move || {
            let socket = StdSocket::bind(HERE)?;
            socket.set_read_timeout(Some(LONG))?;
            let mut buf = [0; 64];
            for _ in 0..100 {
                socket.send_to(b"ping", address)?;
                let (n, from) = socket.recv_from(&mut buf)?;
                assert_eq!((&buf[..n], from), (&b"ping"[..], address));
            }
            io::Result::Ok(())
        });
        let mut buf = [0; 64];
        for _ in 0..100 {
            let (received, from) = server.recv_from(&mut buf).await?;
            server.send_to(&buf[..received.len], from).await?;
        }
        peer.join().unwrap()
    });
}

#[test]
fn a_socket_goes_to_the_standard_library_and_back() {
    within(async {
        let socket = StdSocket::bind(HERE)?;
        let address = socket.local_addr()?;
        let socket = UdpSocket::from_std(socket)?;
        assert!(poll_once(&mut socket.recv(&mut [0; 8])).is_pending());
        socket.send_to(b"to myself", address).await?;
        let socket = socket.into_std();
        assert_eq!(socket.recv(&mut [0; 64])?, 9);
        let error = socket.recv(&mut [0; 64]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let socket = UdpSocket::from_std(socket)?;
        assert!(socket.as_fd().try_clone_to_owned().is_ok());
        Ok(())
    });
}

#[test]
fn names_are_looked_up_for_datagrams_too() {
    within(async {
        let server = UdpSocket::bind(HERE).await?;
        let port = server.local_addr()?.port();
        let found = lookup_host(("localhost", port)).await?;
        assert!(found.contains(&server.local_addr()?), "{found:?}");
        assert_eq!(lookup_host("[::1]:5").await?, ["[::1]:5".parse().unwrap()]);
        let error = lookup_host("no port").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);

        let client = UdpSocket::bind(HERE).await?;
        client.connect(("localhost", port)).await?;
        client.send(b"by name").await?;
        assert_eq!(server.recv(&mut [0; 64]).await?.len, 7);
        Ok(())
    });
}

#[test]
fn an_address_has_a_name_or_an_error_that_says_whose() {
    within(async {
        match lookup_addr(Ipv4Addr::LOCALHOST).await {
            Ok(name) => assert!(lookup_host((name, 1)).await.is_ok()),
            Err(error) => assert!(error.to_string().contains("127.0.0.1"), "{error}"),
        }
        Ok(())
    });
}

#[test]
fn no_free_descriptor_is_an_error_that_leaves_nothing_open() {
    succeeds_alone(|| {
        within(async {
            let before = descriptors();
            let enough = limit_descriptors(3);
            let refused = [
                UdpSocket::bind(HERE).await.map(drop),
                UnixDatagram::unbound().map(drop),
                UnixDatagram::pair().map(drop),
            ];
            limit_descriptors(enough);
            for refused in refused {
                assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EMFILE));
            }
            assert_eq!(descriptors(), before);
            Ok(())
        });
    });
}

#[test]
fn what_fails_to_open_is_closed_again() {
    succeeds_alone(|| {
        within(async {
            let taken = UdpSocket::bind(HERE).await?;
            let before = descriptors();
            for _ in 0..10 {
                UdpSocket::bind(taken.local_addr()?).await.unwrap_err();
                UnixDatagram::bind("/no/such/folder/socket")
                    .await
                    .unwrap_err();
                UnixDatagram::bind("/")
                    .replace_stale(true)
                    .await
                    .unwrap_err();
            }
            assert_eq!(descriptors(), before);
            Ok(())
        });
    });
}

#[test]
fn sockets_and_their_futures_are_send() {
    fn shared<T: Send + Sync>(_: &T) {}
    fn sent<T: Send>(_: T) {}
    within(async {
        let socket = UdpSocket::bind(HERE).await?;
        shared(&socket);
        sent(socket.recv_from(&mut [0; 1]));
        sent(socket.send(b""));
        sent(socket.connect("example.com:80"));
        sent(lookup_host("example.com:80"));
        Ok(())
    });
}

#[test]
fn a_full_send_buffer_makes_the_sender_wait() {
    // Loopback delivers at once, so only a sender that is refused by its buffer can wait; what
    // is shown is that no send is lost and none hangs.
    within(async {
        let (left, right) = connected_pair().await?;
        left.set_send_buffer_size(1)?;
        right.set_recv_buffer_size(1 << 20)?;
        let (data, mut buf) = (vec![1; 4096], vec![0; 4096]);
        for _ in 0..100 {
            let mut send = left.send(&data);
            let sent = match poll_once(&mut send) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => send.await?,
            };
            assert_eq!(sent, 4096);
            assert_eq!(right.recv(&mut buf).await?.len, 4096);
        }
        Ok(())
    });
}
