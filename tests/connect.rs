//! The race of several addresses: one winner, no socket left, every error told.
//!
//! | bug | tests |
//! | --- | --- |
//! | two winners leak a socket (bug 75) | `two_attempts_that_succeed_at_once..` |
//! | a dead address costs minutes | `a_silent_address_..`, `a_refusal_..` |
//! | a lost race or a cancel leaves sockets open | `a_race_that_is_won..`, `.._given_up..` |
//!
//! An address that never answers is a listener whose queue is full: the system drops what comes.

mod common;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use common::fd::descriptors;
use common::{Bell, LONG, loop_on, poll_once, succeeds_alone, within_io as within};
use petla::net::{ConnectErrors, TcpListener, TcpStream, UdpSocket, lookup_host};
use petla::streams::{open_connection, start_server};
use petla::testing::{self, VirtualClock};

/// A listener that answers nobody until its queue is emptied.
struct Silent {
    listener: TcpListener,
    queued: Vec<TcpStream>,
}

impl Silent {
    async fn new() -> io::Result<Silent> {
        let listener = TcpListener::bind("127.0.0.1:0").backlog(0).await?;
        let mut queued = Vec::new();
        loop {
            assert!(queued.len() < 10, "the queue is never full");
            match poll_once(&mut TcpStream::connect(listener.local_addr()?)) {
                Poll::Ready(stream) => queued.push(stream?),
                Poll::Pending => return Ok(Silent { listener, queued }),
            }
        }
    }

    fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Port 1 has no listener, and no port that the system hands out can be it.
fn nobody(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 1))
}

#[test]
fn a_silent_address_delays_the_next_by_a_quarter_of_a_second() {
    testing::run(async {
        let silent = [Silent::new().await?, Silent::new().await?];
        let good = TcpListener::bind("127.0.0.1:0").await?;
        let begin = petla::now();
        let list = [silent[0].addr()?, silent[1].addr()?, good.local_addr()?];
        let stream = TcpStream::connect(&list[..]).await?;
        assert_eq!(petla::now() - begin, Duration::from_millis(500));
        assert_eq!(stream.peer_addr()?, list[2]);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_refusal_lets_the_next_begin_at_once() {
    testing::run(async {
        let good = TcpListener::bind("127.0.0.1:0").await?;
        let begin = petla::now();
        let list = [nobody(1), nobody(2), good.local_addr()?];
        TcpStream::connect(&list[..]).await?;
        assert_eq!(petla::now(), begin);

        // Also while an attempt is under way that does not answer.
        let silent = Silent::new().await?;
        let list = [silent.addr()?, nobody(1), nobody(2), good.local_addr()?];
        TcpStream::connect(&list[..]).await?;
        assert_eq!(petla::now() - begin, Duration::from_millis(250));
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn the_first_address_that_answers_is_the_only_one_that_is_asked() {
    within(async {
        let first = TcpListener::bind("127.0.0.1:0").await?;
        let second = TcpListener::bind("127.0.0.1:0").await?;
        let list = [first.local_addr()?, second.local_addr()?];
        let stream = TcpStream::connect(&list[..]).await?;
        assert_eq!(stream.peer_addr()?, list[0]);
        assert!(poll_once(&mut second.accept()).is_pending());
        Ok(())
    });
}

#[test]
fn if_all_fail_the_error_names_each_address() {
    within(async {
        let broadcast = SocketAddr::from(([255, 255, 255, 255], 80));
        let list = [broadcast, nobody(1), nobody(2)];
        let error = TcpStream::connect(&list[..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused); // the last one's
        let text = error.to_string();
        assert!(text.starts_with("none of 3 addresses answers: "), "{text}");
        for part in ["255.255.255.255:80: ", "; 127.0.0.1:1: Connection refused"] {
            assert!(text.contains(part), "{text}");
        }
        let errors = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ConnectErrors>());
        let attempts = errors.unwrap().attempts();
        assert_eq!(
            attempts.iter().map(|(addr, _)| *addr).collect::<Vec<_>>(),
            list
        );
        assert_eq!(attempts[2].1.raw_os_error(), Some(libc::ECONNREFUSED));

        let error = TcpStream::connect(nobody(1)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED)); // one: as it came
        Ok(())
    });
}

#[test]
fn a_race_that_is_won_closes_the_sockets_of_the_others() {
    succeeds_alone(|| {
        testing::run(async {
            let (one, two) = (Silent::new().await?, Silent::new().await?);
            let good = TcpListener::bind("127.0.0.1:0").await?;
            let list = [one.addr()?, two.addr()?, good.local_addr()?];
            let before = descriptors();
            let stream = TcpStream::connect(&list[..]).await?;
            assert_eq!(descriptors(), before + 1);
            drop(stream);
            assert_eq!(descriptors(), before);
            io::Result::Ok(())
        })
        .unwrap();
    });
}

#[test]
fn a_race_that_is_given_up_closes_all_sockets() {
    succeeds_alone(|| {
        testing::run(async {
            let silent = [
                Silent::new().await?,
                Silent::new().await?,
                Silent::new().await?,
            ];
            let list = [silent[0].addr()?, silent[1].addr()?, silent[2].addr()?];
            let before = descriptors();
            for limit in [0, 1, 249, 250, 251, 499, 500, 501, 10_000] {
                let mut connect = TcpStream::connect(&list[..]);
                assert!(poll_once(&mut connect).is_pending());
                assert_eq!(descriptors(), before + 1);
                let late = petla::timeout(Duration::from_millis(limit), &mut connect).await;
                assert!(late.is_err());
                let under_way = 1 + (limit / 250).min(2) as usize;
                // At the very moment, the timer that was armed first goes first.
                let open = descriptors() - before;
                assert!(open == under_way || limit % 250 == 0, "{limit}: {open}");
                drop(connect);
                assert_eq!(descriptors(), before);
            }
            io::Result::Ok(())
        })
        .unwrap();
    });
}

#[test]
fn a_large_write_right_after_the_connect_arrives() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let all = vec![7; 8 << 20];
        let write = async { client.write_all(&all).await };
        let read = async {
            let (peer, _) = listener.accept().await?;
            let mut got = vec![0; all.len()];
            peer.read_exact(&mut got).await?;
            io::Result::Ok(got == all)
        };
        let (written, read) = petla::gather!(write, read).await;
        written?;
        assert!(read?);
        Ok(())
    });
}

#[test]
fn two_attempts_that_succeed_at_once_have_one_winner() {
    succeeds_alone(|| {
        let clock = VirtualClock::manual();
        let event_loop = loop_on(&clock);
        let main = async {
            let (mut one, mut two) = (Silent::new().await?, Silent::new().await?);
            let list = [one.addr()?, two.addr()?];
            let mut connect = TcpStream::connect(&list[..]);
            let bell = Bell::new();
            assert!(bell.poll(&mut connect).is_pending());
            clock.advance(Duration::from_millis(250));
            common::yield_until(|| bell.rings() > 0).await;
            assert!(bell.poll(&mut connect).is_pending());

            // With room in the queues both are answered, when the system asks again.
            for silent in [&mut one, &mut two] {
                for _ in 0..silent.queued.len() {
                    silent.listener.accept().await?;
                }
                silent.queued.clear();
            }
            let (first, second) =
                petla::gather!(one.listener.accept(), two.listener.accept()).await;
            let ((first, _), (second, _)) = (first?, second?);
            let before = descriptors();
            let Poll::Ready(winner) = bell.poll(&mut connect) else {
                panic!("both are connected");
            };
            let winner = winner?;
            assert_eq!(descriptors(), before - 1, "the loser is closed");
            assert_eq!(winner.peer_addr()?, list[0]);
            drop(connect);
            assert_eq!(second.read(&mut [0; 1]).await?, 0);
            winner.write_all(b"x").await?;
            assert_eq!(first.read(&mut [0; 1]).await?, 1);
            io::Result::Ok(())
        };
        event_loop.run_until_complete(main).unwrap().unwrap();
    });
}

#[test]
fn families_take_turns() {
    testing::run(async {
        let Ok(v6) = TcpListener::bind("[::1]:0").await else {
            println!("skipped: this machine has no IPv6");
            return Ok(());
        };
        // Two of IPv4 come first, and IPv6 has its turn after one of them.
        let (one, two) = (Silent::new().await?, Silent::new().await?);
        let list = [one.addr()?, two.addr()?, v6.local_addr()?];
        let begin = petla::now();
        let stream = TcpStream::connect(&list[..]).await?;
        assert_eq!(petla::now() - begin, Duration::from_millis(250));
        assert!(stream.peer_addr()?.is_ipv6());
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_connection_can_come_from_an_address_of_choice() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let from = SocketAddr::from(([127, 0, 0, 9], 0));
        let stream = TcpStream::connect(here).local_addr(from).await?;
        assert_eq!(stream.local_addr()?.ip(), IpAddr::from([127, 0, 0, 9]));
        let (_, peer) = listener.accept().await?;
        assert_eq!(peer, stream.local_addr()?);

        let elsewhere = (Ipv4Addr::new(192, 0, 2, 1), 0); // no address of any machine
        let error = TcpStream::connect(here)
            .local_addr(elsewhere)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        let v6: SocketAddr = "[::1]:0".parse().unwrap();
        let error = TcpStream::connect(here).local_addr(v6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("the other family"), "{error}");
        Ok(())
    });
}

#[test]
fn a_name_with_two_families_reaches_the_one_that_listens() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let stream = petla::timeout(LONG, TcpStream::connect(("localhost", port))).await??;
        assert_eq!(stream.peer_addr()?.port(), port);
        Ok(())
    });
}

/// A space is in no host's name: the system's resolver says so without asking anybody.
#[test]
fn a_name_that_nobody_has_is_an_error_that_says_which_it_was() {
    const NAME: &str = "no such host:80";
    let handler = async |_reader, _writer| io::Result::Ok(());
    within(async {
        for error in [
            TcpStream::connect(NAME).await.unwrap_err(),
            TcpListener::bind(NAME).await.unwrap_err(),
            UdpSocket::bind(NAME).await.unwrap_err(),
            lookup_host(NAME).await.unwrap_err(),
            open_connection(NAME).await.unwrap_err(),
            start_server(NAME, handler).await.unwrap_err(),
        ] {
            let text = error.to_string();
            let which = "cannot find the address of \"no such host\": ";
            assert!(text.starts_with(which), "{text}");
        }
        Ok(())
    });
}

#[test]
fn probes_and_buffers_of_a_connection_can_be_set() {
    within(async {
        let (client, _server) = common::tcp_pair().await?;
        client.set_keepalive(true)?;
        client.set_keepalive_idle(60)?;
        client.set_keepalive_interval(5)?;
        client.set_keepalive_probes(3)?;
        let times = [
            client.keepalive_idle()?,
            client.keepalive_interval()?,
            client.keepalive_probes()?,
        ];
        assert_eq!(times, [60, 5, 3]);
        for error in [
            client.set_keepalive_idle(0).unwrap_err(),
            client.set_keepalive_interval(40_000).unwrap_err(),
            client.set_keepalive_probes(128).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        client.set_recv_buffer_size(100_000)?;
        assert!(client.recv_buffer_size()? >= 100_000);
        Ok(())
    });
}

#[test]
fn a_listener_for_ipv6_alone_leaves_the_port_to_ipv4() {
    within(async {
        let Ok(v6) = TcpListener::bind("[::]:0").only_v6(true).await else {
            println!("skipped: this machine has no IPv6");
            return Ok(());
        };
        let port = v6.local_addr()?.port();
        let v4 = TcpListener::bind(("0.0.0.0", port)).only_v6(true).await?;
        let first = TcpStream::connect(([127, 0, 0, 1], port)).await?;
        let second = TcpStream::connect(format!("[::1]:{port}")).await?;
        assert_eq!(v4.accept().await?.1, first.local_addr()?);
        assert_eq!(v6.accept().await?.1, second.local_addr()?);
        Ok(())
    });
}
