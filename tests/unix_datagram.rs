//! Unix datagrams: what differs from UDP. Names, queues that are full, peers that are gone.

mod common;

use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdSocket};
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Bell, loop_on, poll_once, within_io as within, yield_until};
use petla::net::{UnixDatagram, UnixListener};
use petla::testing::VirtualClock;

/// A path that no other test uses; the file is removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("petla-datagram-{name}-{}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Sends until the receiver's queue is full, and says how often that went.
fn fill(mut send: impl FnMut() -> io::Result<usize>) -> usize {
    let mut sent = 0;
    loop {
        match send() {
            Ok(_) => sent += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 100_000, "the queue is never full");
    }
}

#[test]
fn a_pair_sends_whole_datagrams_both_ways_in_order() {
    within(async {
        let (left, right) = UnixDatagram::pair()?;
        left.send(b"one").await?;
        left.send(b"").await?;
        left.send(&[3; 300]).await?;
        let mut buf = [0; 100];
        assert_eq!(right.recv(&mut buf).await?.len, 3);
        assert_eq!(right.recv(&mut buf).await?.len, 0);
        let (cut, from) = right.recv_from(&mut buf).await?;
        assert_eq!((cut.len, cut.full_len), (100, 300));
        assert!(cut.is_truncated() && from.is_unnamed());
        right.send(b"back").await?;
        assert_eq!(left.recv(&mut buf).await?.len, 4);
        Ok(())
    });
}

#[test]
fn a_receiver_that_waits_is_woken_also_when_the_peer_goes() {
    within(async {
        let (left, right) = UnixDatagram::pair()?;
        let task = petla::spawn(async move {
            let first = right.recv(&mut [0; 8]).await;
            (first, right.send(b"x").await)
        });
        petla::yield_now().await;
        left.send(b"there").await?;
        drop(left);
        let (first, gone) = task.await?;
        assert_eq!(first?.len, 5);
        let kinds = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&gone.unwrap_err().kind()));
        Ok(())
    });
}

#[test]
fn a_sender_with_a_name_can_be_answered() {
    within(async {
        let (here, there) = (Place::new("here"), Place::new("there"));
        let server = UnixDatagram::bind(&here.0).await?;
        let client = UnixDatagram::bind(&there.0).await?;
        client.connect(&here.0)?;
        assert_eq!(client.peer_addr()?.as_pathname(), Some(&*here.0));
        client.send(b"question").await?;
        let mut buf = [0; 64];
        let (peeked, _) = server.peek_from(&mut buf).await?;
        assert_eq!(peeked.len, 8);
        let (_, from) = server.recv_from(&mut buf).await?;
        assert_eq!(from.as_pathname(), Some(&*there.0));
        server.send_to_addr(b"answer", &from).await?;
        assert_eq!(client.recv(&mut buf).await?.len, 6);
        Ok(())
    });
}

#[test]
fn an_abstract_name_needs_no_file_and_the_system_can_choose_one() {
    within(async {
        let name = format!("petla-datagram-{}", std::process::id());
        let name = SocketAddr::from_abstract_name(name)?;
        let server = UnixDatagram::bind_addr(&name).await?;
        let unnamed = SocketAddr::from_pathname("")?;
        let client = UnixDatagram::bind_addr(&unnamed).await?;
        assert!(client.local_addr()?.as_abstract_name().is_some());
        client.connect_addr(&name)?;
        client.send(b"hello").await?;
        let (_, from) = server.recv_from(&mut [0; 8]).await?;
        assert_eq!(
            from.as_abstract_name(),
            client.local_addr()?.as_abstract_name()
        );
        let taken = UnixDatagram::bind_addr(&name).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        Ok(())
    });
}

#[test]
fn a_receivers_full_queue_makes_a_connected_sender_wait_for_room() {
    within(async {
        let place = Place::new("full");
        let server = UnixDatagram::bind(&place.0).await?;
        let client = UnixDatagram::unbound()?;
        client.connect(&place.0)?;
        let queued = fill(|| client.try_send(b"x"));
        let mut last = client.send(b"last");
        let bell = Bell::new();
        assert!(bell.poll(&mut last).is_pending());
        for _ in 0..300 {
            petla::yield_now().await; // the loop looks at its descriptors meanwhile
        }
        assert_eq!(bell.rings(), 0, "it spins");
        let drain = async {
            let mut buf = [0; 8];
            for _ in 0..queued {
                assert_eq!(server.recv(&mut buf).await?.len, 1);
            }
            assert_eq!(server.recv(&mut buf).await?.len, 4);
            io::Result::Ok(())
        };
        let (sent, drained) = petla::gather!(last, drain).await;
        assert_eq!(sent?, 4);
        drained
    });
}

#[test]
fn a_full_send_buffer_makes_one_of_a_pair_wait_for_room() {
    within(async {
        let (left, right) = UnixDatagram::pair()?;
        let queued = fill(|| left.try_send(&[1; 1000]));
        let task = petla::spawn(async move { left.send(b"last").await });
        petla::yield_now().await;
        let mut buf = [0; 1000];
        for _ in 0..queued {
            assert_eq!(right.recv(&mut buf).await?.len, 1000);
        }
        assert_eq!(right.recv(&mut buf).await?.len, 4);
        assert_eq!(task.await??, 4);
        Ok(())
    });
}

#[test]
fn a_receivers_full_queue_is_tried_again_after_a_pause_by_a_sender_without_a_peer() {
    // The kernel announces no room to such a socket, and an event after each refusal.
    let clock = VirtualClock::manual();
    let main = async {
        let place = Place::new("stranger");
        let server = UnixDatagram::bind(&place.0).await?;
        let client = UnixDatagram::unbound()?;
        let std_client = StdSocket::unbound()?;
        std_client.set_nonblocking(true)?;
        let queued = fill(|| std_client.send_to(b"x", &place.0));
        let bell = Bell::new();
        let mut last = client.send_to(b"last", &place.0);
        assert!(bell.poll(&mut last).is_pending());
        for (tries, pause) in [(1, 1), (2, 2), (3, 4)] {
            for _ in 0..300 {
                petla::yield_now().await; // the loop looks at its descriptors meanwhile
            }
            assert_eq!(bell.rings(), tries - 1, "it spins");
            clock.advance(Duration::from_millis(pause));
            yield_until(|| bell.rings() == tries).await;
            if tries < 3 {
                assert!(bell.poll(&mut last).is_pending());
            }
        }
        let mut buf = [0; 8];
        for _ in 0..queued {
            assert_eq!(server.recv(&mut buf).await?.len, 1);
        }
        assert!(matches!(bell.poll(&mut last), Poll::Ready(Ok(4))));
        assert_eq!(server.recv(&mut buf).await?.len, 4);
        io::Result::Ok(())
    };
    loop_on(&clock).run_until_complete(main).unwrap().unwrap();
}

#[test]
fn a_send_given_up_at_a_full_queue_has_sent_nothing() {
    within(async {
        let place = Place::new("given-up");
        let server = UnixDatagram::bind(&place.0).await?;
        let client = UnixDatagram::unbound()?;
        client.connect(&place.0)?;
        let queued = fill(|| client.try_send(b"x"));
        assert!(poll_once(&mut client.send(b"connected")).is_pending());
        let stranger = UnixDatagram::unbound()?;
        assert!(poll_once(&mut stranger.send_to(b"stranger", &place.0)).is_pending());
        let mut buf = [0; 16];
        for _ in 0..queued {
            assert_eq!(server.recv(&mut buf).await?.len, 1);
        }
        assert!(poll_once(&mut server.recv(&mut buf)).is_pending());
        Ok(())
    });
}

#[test]
fn what_cannot_be_sent_says_why() {
    within(async {
        let place = Place::new("why");
        let client = UnixDatagram::unbound()?;
        let error = client.send(b"to whom?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        let error = client.send_to(b"x", &place.0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        drop(StdSocket::bind(&place.0)?); // its file stays
        let error = client.send_to(b"x", &place.0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = client.connect(&place.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

        let stream = Place::new("stream");
        let _listener = UnixListener::bind(&stream.0).await?;
        let error = client.send_to(b"x", &stream.0).await.unwrap_err();
        assert!(error.to_string().contains("no datagram socket"), "{error}");

        let (left, _right) = UnixDatagram::pair()?;
        let error = left.send(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("is too long"), "{error}");
        Ok(())
    });
}

#[test]
fn a_path_that_cannot_name_a_socket_says_what_is_wrong_with_it() {
    within(async {
        let client = UnixDatagram::unbound()?;
        for (path, advice) in [
            (
                "x".repeat(108),
                "108 bytes, and a socket's path 107 at most",
            ),
            ("a\0b".to_owned(), "has a NUL byte inside"),
            (String::new(), "is empty"),
        ] {
            for error in [
                client.send_to(b"x", &path).await.unwrap_err(),
                client.connect(&path).unwrap_err(),
                UnixDatagram::bind(&path).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains(advice), "{error}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_socket_goes_to_the_standard_library_and_back() {
    within(async {
        let (left, right) = UnixDatagram::pair()?;
        assert!(poll_once(&mut right.recv(&mut [0; 8])).is_pending());
        let right = right.into_std();
        left.send(b"x").await?;
        assert_eq!(right.recv(&mut [0; 8])?, 1);
        let right = UnixDatagram::from_std(right)?;
        left.send(b"yz").await?;
        assert_eq!(right.try_recv(&mut [0; 8])?.len, 2);
        left.set_send_buffer_size(100_000)?;
        assert!(left.send_buffer_size()? >= 100_000);
        Ok(())
    });
}

#[test]
fn a_send_outside_a_loop_works_until_it_would_have_to_wait() {
    let (left, right) = UnixDatagram::pair().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let sent = pin!(left.send(b"x")).poll(&mut context);
    assert!(matches!(sent, Poll::Ready(Ok(1))));
    assert_eq!(right.try_recv(&mut [0; 8]).unwrap().len, 1);
    let waits = pin!(right.recv(&mut [0; 8])).poll(&mut context);
    let Poll::Ready(Err(error)) = waits else {
        panic!("it waits for ever");
    };
    assert!(error.to_string().contains("petla::run"), "{error}");
}

#[test]
fn a_full_receiver_is_an_error_where_no_loop_could_wait_for_it() {
    let name = SocketAddr::from_abstract_name(format!("petla-full-{}", std::process::id()));
    let name = name.unwrap();
    let (_receiver, sender) = petla::run(async {
        let receiver = UnixDatagram::bind_addr(&name).await.unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        while poll_once(&mut sender.send_to_addr(b"x", &name)).is_ready() {}
        (receiver, sender)
    });
    let Poll::Ready(Err(error)) = poll_once(&mut sender.send_to_addr(b"x", &name)) else {
        panic!("it cannot wait here");
    };
    assert!(error.to_string().contains("petla::run"), "{error}");
}
