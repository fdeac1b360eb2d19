//! Sockets that work: what they carry, who waits for what, and what a cancellation leaves.
//!
//! All run a real loop over loopback sockets. Nothing sleeps to synchronise: a peer that must
//! come second is polled by hand or awaited. `within` bounds each test, so that a lost wake-up
//! fails instead of hanging.

mod common;

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{poll_once, tcp_pair, within_io as within};
use petla::net::{TcpListener, TcpStream, UnixStream};

/// Bytes that differ from their neighbours, so that a lost or doubled part shows.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn an_echo_server_gives_back_what_each_of_many_clients_sent() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let server = petla::spawn(async move {
            for _ in 0..20 {
                let (conn, _) = listener.accept().await?;
                drop(petla::spawn(async move {
                    let mut buf = [0; 100];
                    while let n @ 1.. = conn.read(&mut buf).await? {
                        conn.write_all(&buf[..n]).await?;
                    }
                    io::Result::Ok(())
                }));
            }
            io::Result::Ok(())
        });
        let clients: Vec<_> = (0..20_u8)
            .map(|i| {
                petla::spawn(async move {
                    let client = TcpStream::connect(addr).await?;
                    let mut back = [0; 300];
                    for round in 0..10 {
                        client.write_all(&[i ^ round; 300]).await?;
                        client.read_exact(&mut back).await?;
                        assert_eq!(back, [i ^ round; 300]);
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        for client in clients {
            client.await??;
        }
        server.await?
    });
}

#[test]
fn after_half_closing_the_other_half_goes_on() {
    within(async {
        let (client, server) = tcp_pair().await?;
        client.write_all(b"question").await?;
        client.shutdown(Shutdown::Write)?;

        let mut buf = [0; 64];
        assert_eq!(server.read(&mut buf).await?, 8);
        assert_eq!(server.read(&mut buf).await?, 0);
        assert_eq!(
            server.read(&mut buf).await?,
            0,
            "the end is there for every read"
        );

        server.write_all(b"answer").await?;
        drop(server);
        assert_eq!(client.read(&mut buf).await?, 6);
        assert_eq!(client.read(&mut buf).await?, 0);
        Ok(())
    });
}

#[test]
fn vectored_operations_use_the_buffers_in_order() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(client.write_vectored(&parts).await?, 5);
        let (mut first, mut second, mut third) = ([0; 1], [0; 3], [0; 9]);
        let mut bufs = [&mut first[..], &mut second, &mut third].map(IoSliceMut::new);
        assert_eq!(server.read_vectored(&mut bufs).await?, 5);
        assert_eq!((&first, &second, third[0]), (b"a", b"bcd", b'e'));
        Ok(())
    });
}

#[test]
fn more_buffers_than_the_kernel_takes_are_cut_and_not_taken_for_a_drained_socket() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let mut early = [0; 1];
        assert!(poll_once(&mut server.read(&mut early)).is_pending()); // registers
        let parts = vec![IoSlice::new(b"x"); 3000];
        let mut sent = 0;
        while sent < parts.len() {
            sent += client.write_vectored(&parts[sent..]).await?;
        }
        let (mut storage, mut received) = ([[0; 1]; 3000], 0);
        while received < 3000 {
            let rest = storage[received..].iter_mut();
            let mut bufs: Vec<_> = rest.map(|buf| IoSliceMut::new(buf)).collect();
            let n = server.read_vectored(&mut bufs).await?;
            assert!((1..=1024).contains(&n));
            received += n;
        }
        assert_eq!(storage, [[b'x']; 3000]);
        Ok(())
    });
}

#[test]
fn operations_on_empty_buffers_are_ready_at_once() {
    within(async {
        let (client, server) = tcp_pair().await?;
        assert!(matches!(
            poll_once(&mut server.read(&mut [])),
            Poll::Ready(Ok(0))
        ));
        assert!(matches!(
            poll_once(&mut server.peek(&mut [])),
            Poll::Ready(Ok(0))
        ));
        assert!(matches!(
            poll_once(&mut server.read_exact(&mut [])),
            Poll::Ready(Ok(()))
        ));
        assert!(matches!(
            poll_once(&mut server.read_vectored(&mut [])),
            Poll::Ready(Ok(0))
        ));
        assert!(matches!(
            poll_once(&mut client.write(&[])),
            Poll::Ready(Ok(0))
        ));
        assert!(matches!(
            poll_once(&mut client.write_all(&[])),
            Poll::Ready(Ok(()))
        ));
        assert!(matches!(
            poll_once(&mut client.write_vectored(&[])),
            Poll::Ready(Ok(0))
        ));
        Ok(())
    });
}

#[test]
fn peek_leaves_the_data_where_they_are() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let mut buf = [0; 64];
        assert!(poll_once(&mut server.peek(&mut buf)).is_pending());
        client.write_all(b"data").await?;
        assert_eq!(server.peek(&mut buf).await?, 4);
        assert_eq!(server.peek(&mut buf[..2]).await?, 2);
        assert_eq!(server.read(&mut buf).await?, 4);
        assert_eq!(&buf[..4], b"data");
        Ok(())
    });
}

#[test]
fn after_a_short_read_tcp_waits_without_asking_unless_it_was_lent() {
    within(async {
        for lent in [false, true] {
            let (client, server) = tcp_pair().await?;
            let mut buf = [0; 8];
            let mut first = server.read(&mut buf);
            assert!(poll_once(&mut first).is_pending()); // registers
            client.write_all(b"short").await?;
            assert_eq!(first.await?, 5);
            if lent {
                let _ = server.as_fd();
            }
            client.write_all(b"more").await?; // arrived, but the loop has not looked since
            let mut second = server.read(&mut buf);
            assert!(poll_once(&mut second).is_pending());
            assert_eq!(second.await?, 4, "the event comes");

            client.write_all(b"last").await?;
            let now = poll_once(&mut server.read(&mut buf));
            assert_eq!(now.is_ready(), lent, "lent, only the kernel's word counts");
        }
        Ok(())
    });
}

#[test]
fn a_megabyte_reaches_a_slow_reader_whole() {
    within(async {
        for fast_buffer in [1 << 10, 1 << 20] {
            let (client, server) = tcp_pair().await?;
            let writer = petla::spawn(async move { client.write_all(&pattern(1 << 20)).await });
            let (mut all, mut buf) = (Vec::new(), vec![0; fast_buffer]);
            while let n @ 1.. = server.read(&mut buf).await? {
                all.extend_from_slice(&buf[..n]);
                petla::yield_now().await;
            }
            assert!(all == pattern(1 << 20));
            writer.await??;
        }
        Ok(())
    });
}

#[test]
fn a_megabyte_reaches_a_thread_that_reads_as_fast_as_it_can() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        let right = right.into_std();
        right.set_nonblocking(false)?;
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            (&right).read_to_end(&mut all).map(|_| all)
        });
        left.write_all(&pattern(1 << 20)).await?;
        left.shutdown(Shutdown::Write)?;
        assert!(left.read(&mut [0]).await? == 0, "the reader has closed");
        assert!(reader.join().unwrap()? == pattern(1 << 20));
        Ok(())
    });
}

#[test]
fn every_one_of_several_readers_of_a_socket_is_served() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let server = Rc::new(server);
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let server = server.clone();
                petla::spawn(async move {
                    let mut byte = [0];
                    server.read_exact(&mut byte).await.map(|()| byte[0])
                })
            })
            .collect();
        petla::yield_now().await; // all of them wait now
        client.write_all(&[1, 2, 3, 4, 5, 6, 7, 8]).await?;
        let mut bytes = Vec::new();
        for reader in readers {
            bytes.push(reader.await??);
        }
        bytes.sort_unstable();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
        Ok(())
    });
}

#[test]
fn one_task_reads_while_another_writes_the_same_socket() {
    within(async {
        let (left, right) = tcp_pair().await?;
        let ends = [left, right].map(Rc::new);
        let tasks = ends.each_ref().map(|end| {
            let (reader, writer) = (end.clone(), end.clone());
            let write = petla::spawn(async move { writer.write_all(&pattern(1 << 19)).await });
            let read = petla::spawn(async move {
                let mut all = vec![0; 1 << 19];
                reader.read_exact(&mut all).await.map(|()| all)
            });
            (write, read)
        });
        for (write, read) in tasks {
            write.await??;
            assert!(read.await?? == pattern(1 << 19));
        }
        Ok(())
    });
}

#[test]
fn a_read_that_is_given_up_takes_nothing_from_the_next_one() {
    // Also: the waker of the dropped read must not be the only one that is told.
    within(async {
        let (client, server) = tcp_pair().await?;
        for round in 0..3 {
            let mut buf = [0; 8];
            let mut given_up = server.read(&mut buf);
            assert!(poll_once(&mut given_up).is_pending());
            let mut other = [0; 8];
            let mut next = server.read(&mut other);
            assert!(poll_once(&mut next).is_pending());
            drop(given_up);
            client.write_all(&[round; 5]).await?;
            assert_eq!(next.await?, 5);
            assert_eq!(&other[..5], [round; 5]);
        }
        Ok(())
    });
}

#[test]
fn a_read_dropped_after_its_wake_up_leaves_the_data() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let mut buf = [0; 8];
        let mut woken = server.read(&mut buf);
        let now = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut woken).poll(cx))).await;
        assert!(now.is_pending());
        client.write_all(b"data").await?;
        petla::yield_now().await;
        drop(woken);
        assert_eq!(server.read(&mut buf).await?, 4);
        Ok(())
    });
}

#[test]
fn an_accept_that_is_given_up_loses_no_connection() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut given_up = listener.accept();
        assert!(poll_once(&mut given_up).is_pending());
        let first = TcpStream::connect(listener.local_addr()?).await?;
        petla::yield_now().await;
        drop(given_up); // its event has come, or will

        let second = TcpStream::connect(listener.local_addr()?).await?;
        for client in [first, second] {
            let (_, peer) = listener.accept().await?;
            assert_eq!(peer, client.local_addr()?);
        }
        Ok(())
    });
}

#[test]
fn incoming_gives_the_connections_in_their_order() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut incoming = pin!(listener.incoming());
        for _ in 0..3 {
            let client = TcpStream::connect(listener.local_addr()?).await?;
            let (_, peer) = incoming.next().await.unwrap()?;
            assert_eq!(peer, client.local_addr()?);
        }
        Ok(())
    });
}

#[test]
fn every_form_of_an_address_connects() {
    within(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let port = addr.port();
        TcpStream::connect(addr).await?;
        TcpStream::connect(addr).await?;
        TcpStream::connect(addr.to_string()).await?;
        TcpStream::connect(addr.to_string()).await?;
        TcpStream::connect(addr.to_string().as_str()).await?;
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        TcpStream::connect((addr.ip(), port)).await?;
        TcpStream::connect(([127, 0, 0, 1], port)).await?;
        TcpStream::connect(("127.0.0.1", port)).await?;
        TcpStream::connect(("127.0.0.1".to_owned(), port)).await?;
        TcpStream::connect(("localhost", port)).await?;
        TcpStream::connect(format!("localhost:{port}")).await?;
        let refused = SocketAddr::from(([127, 0, 0, 1], 1));
        TcpStream::connect(&[refused, addr][..]).await?;
        Ok(())
    });
}

#[test]
fn ipv6_works_where_the_machine_has_it() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // no IPv6 here: nothing to test
    }
    within(async {
        let listener = TcpListener::bind("[::1]:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (server, peer) = listener.accept().await?;
        assert_eq!(peer, client.local_addr()?);
        server.set_ttl(9)?;
        assert_eq!((server.ttl()?, client.ttl()? != 9), (9, true));
        let (mut hops, mut len) = (0_i32, 4);
        let (level, name) = (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS);
        let value = (&raw mut hops).cast();
        // SAFETY: `hops` and `len` live, and `len` is the size of `hops`.
        unsafe { libc::getsockopt(server.as_raw_fd(), level, name, value, &mut len) };
        assert_eq!(hops, 9, "IPv6 has an option of its own");
        Ok(())
    });
}

#[test]
fn listeners_share_a_port_only_if_both_ask_for_it() {
    within(async {
        let bind = |addr| TcpListener::bind(addr);
        let shared = bind("127.0.0.1:0".to_owned()).reuse_port(true).await?;
        let addr = shared.local_addr()?.to_string();
        bind(addr.clone()).reuse_port(true).backlog(1).await?;
        let refused = bind(addr).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        Ok(())
    });
}

#[test]
fn options_are_set_and_read_back() {
    within(async {
        let (client, _server) = tcp_pair().await?;
        assert!(!client.nodelay()? && !client.keepalive()?);
        client.set_nodelay(true)?;
        client.set_keepalive(true)?;
        client.set_ttl(42)?;
        assert!(client.nodelay()? && client.keepalive()?);
        assert_eq!(client.ttl()?, 42);
        assert_eq!(client.linger()?, None);
        client.set_linger(Some(Duration::from_millis(1500)))?;
        assert_eq!(client.linger()?, Some(Duration::from_secs(2)), "rounded up");
        client.set_linger(None)?;
        assert_eq!(client.linger()?, None);
        assert!(client.take_error()?.is_none());
        assert_eq!(
            client.set_ttl(0).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            client.set_ttl(256).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        Ok(())
    });
}

#[test]
fn sockets_go_to_the_standard_library_and_back() {
    within(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?; // blocking
        let listener = TcpListener::from_std(listener)?;
        assert!(poll_once(&mut listener.accept()).is_pending());
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept().await?;
        let client = TcpStream::from_std(client)?;
        assert!(poll_once(&mut client.read(&mut [0; 1])).is_pending()); // registers

        let mut back = client.into_std();
        let unread = back.read(&mut [0; 1]).unwrap_err();
        assert_eq!(
            unread.kind(),
            ErrorKind::WouldBlock,
            "it is still non-blocking"
        );
        back.write_all(b"via std")?;
        let mut buf = [0; 7];
        server.read_exact(&mut buf).await?;

        let again = TcpStream::from_std(back)?;
        assert!(
            poll_once(&mut again.read(&mut buf)).is_pending(),
            "registered anew"
        );
        server.write_all(b"and back").await?;
        assert_eq!(again.read(&mut buf).await?, 7);
        let _: OwnedFd = again.into();
        drop(listener.into_std());
        Ok(())
    });
}
