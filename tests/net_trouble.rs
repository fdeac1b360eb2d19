//! Sockets in trouble: peers that refuse, reset or break off, descriptors that run out or are
//! duplicated. Each gets a typed error or goes on; nothing hangs.
//!
//! Tests that change what belongs to the whole process (its limit of descriptors, its signal
//! handling, its lowest free descriptor) run in a process of their own: see `alone`.

mod common;

use std::future::Future;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::process::Command;
use std::task::Poll;
use std::time::{Duration, Instant};

use common::fd::{descriptors, limit_descriptors};
use common::{poll_once, tcp_pair, within_io as within};
use petla::net::{TcpListener, TcpStream};

/// Runs the body of the test `name` in a process of its own and returns what that wrote to
/// stderr; in that process, runs the body and returns nothing.
fn alone(name: &str, body: impl FnOnce()) -> Option<String> {
    const MARK: &str = "PETLA_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        body();
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    Some(stderr)
}

/// The same with a blocking end, to send what our own streams cannot.
async fn half_std_pair() -> io::Result<(std::net::TcpStream, TcpStream)> {
    let (client, server) = tcp_pair().await?;
    let client = client.into_std();
    client.set_nonblocking(false)?;
    Ok((client, server))
}

/// Port 1 has no listener, and no port that the system hands out can be it.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

#[test]
fn a_refused_connection_says_so() {
    within(async {
        let refused = TcpStream::connect(nobody()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn of_several_addresses_the_last_error_comes_out() {
    within(async {
        let broadcast = SocketAddr::from(([255, 255, 255, 255], 80));
        let error = TcpStream::connect(&[broadcast, nobody()][..]).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0)); // no address of any machine
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        TcpListener::bind(&[elsewhere, free][..]).await?;
        let error = TcpListener::bind(&[free, elsewhere][1..])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        Ok(())
    });
}

#[test]
fn a_text_that_is_no_address_says_what_to_write() {
    within(async {
        for (text, advice) in [
            ("example.com", "no port: write example.com:80"),
            ("127.0.0.1", "no port: write 127.0.0.1:80"),
            ("::1", "write [::1]:80"),
            (":80", "no host"),
            ("[]:80", "no host"),
            ("localhost:http", "not a number from 0 to 65535"),
            ("localhost:65536", "not a number from 0 to 65535"),
            ("localhost:-1", "not a number from 0 to 65535"),
            ("1:2:zz:80", "write an IPv6 address as [::1]:80"),
            ("[::1:80", "write an IPv6 address as [::1]:80"),
            ("", "no port"),
        ] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}: {error}");
            assert!(error.to_string().contains(advice), "{text}: {error}");
        }
        for error in [
            TcpListener::bind(("", 80)).await.unwrap_err(),
            TcpListener::bind(&[][..]).await.unwrap_err(),
            TcpListener::bind("nul\0byte:80").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
        Ok(())
    });
}

#[test]
fn a_reset_ends_the_reads_that_wait() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let reader = petla::spawn(async move { client.read(&mut [0; 8]).await });
        petla::yield_now().await; // it waits now
        server.set_linger(Some(Duration::ZERO))?; // closing resets
        drop(server);
        let error = reader.await?.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn a_reset_ends_a_write_that_waits() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let writer = petla::spawn(async move { client.write_all(&vec![0; 64 << 20]).await });
        server.read_exact(&mut [0; 1000]).await?;
        drop(server); // with unread data: a reset
        let error = writer.await?.unwrap_err();
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{error}");
        Ok(())
    });
}

#[test]
fn writing_to_a_closed_stream_is_an_error_and_no_signal() {
    let body = || {
        // SAFETY: the default action, which the test harness had replaced.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        within(async {
            let (client, _server) = tcp_pair().await?;
            client.shutdown(Shutdown::Write)?;
            let broken = client.write(b"x").await.unwrap_err();
            assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
            let parts = [io::IoSlice::new(b"x")];
            let broken = client.write_vectored(&parts).await.unwrap_err();
            assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
            Ok(())
        });
    };
    alone("writing_to_a_closed_stream_is_an_error_and_no_signal", body);
}

#[test]
fn a_stream_that_ends_early_says_how_far_it_came() {
    within(async {
        let (client, server) = tcp_pair().await?;
        client.write_all(b"four").await?;
        drop(client);
        let mut buf = [0; 8];
        let mut read = server.read_exact(&mut buf);
        let error = Pin::new(&mut read).await.unwrap_err();
        assert_eq!(read.filled(), 4);
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("4 of 8"), "{error}");
        Ok(())
    });
}

#[test]
fn a_write_that_is_given_up_knows_how_much_it_wrote() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let data = vec![7; 64 << 20];
        let mut write = client.write_all(&data);
        assert!(poll_once(&mut write).is_pending());
        let written = write.written();
        drop(write);
        drop(client);
        let (mut arrived, mut buf) = (0, vec![0; 1 << 16]);
        while let n @ 1.. = server.read(&mut buf).await? {
            arrived += n;
        }
        assert_eq!(arrived, written);
        Ok(())
    });
}

#[test]
fn data_around_urgent_data_reach_the_reader() {
    // A read stops at the urgent mark though more is there, and no event says so.
    within(async {
        for early in [true, false] {
            let (client, server) = half_std_pair().await?;
            let mut buf = [0; 64];
            assert!(poll_once(&mut server.read(&mut buf)).is_pending()); // registers
            (&client).write_all(b"abc")?;
            if early {
                petla::yield_now().await;
            }
            // SAFETY: one byte, which lives.
            let sent =
                unsafe { libc::send(client.as_raw_fd(), b"X".as_ptr().cast(), 1, libc::MSG_OOB) };
            assert_eq!(sent, 1);
            (&client).write_all(b"def")?;
            let mut all = Vec::new();
            while all.len() < 6 {
                let n = server.read(&mut buf).await?;
                all.extend_from_slice(&buf[..n]);
            }
            assert_eq!(all, b"abcdef");
        }
        Ok(())
    });
}

#[test]
fn the_end_that_comes_with_the_last_data_is_seen() {
    within(async {
        for yields in 0..4 {
            let (client, server) = half_std_pair().await?;
            let mut buf = [0; 64];
            assert!(poll_once(&mut server.read(&mut buf)).is_pending()); // registers
            (&client).write_all(b"bye")?;
            for _ in 0..yields {
                petla::yield_now().await;
            }
            drop(client);
            assert_eq!(server.read(&mut buf).await?, 3);
            assert_eq!(server.read(&mut buf).await?, 0);
        }
        Ok(())
    });
}

#[test]
fn accepting_survives_a_lack_of_descriptors() {
    let body = || {
        within(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let addr = listener.local_addr()?;
            let clients = [(); 3].map(|()| std::net::TcpStream::connect(addr).unwrap());
            let old = limit_descriptors(lowest_free());
            let began = Instant::now();

            let mut given_up = listener.accept();
            assert!(poll_once(&mut given_up).is_pending());
            drop(given_up);

            // A helper of the loop may be made on first use: no descriptor is left for it either.
            let (mut accept, mut polls) = (listener.accept(), 0);
            let accepted = std::future::poll_fn(|cx| {
                polls += 1;
                if polls == 3 {
                    limit_descriptors(old);
                }
                Pin::new(&mut accept).poll(cx)
            });
            let (_, peer) = accepted.await?;
            assert_eq!(
                peer,
                clients[0].local_addr()?,
                "none is lost, the order is kept"
            );
            assert_eq!(polls, 3, "it tries again only after a pause");
            assert!(began.elapsed() >= Duration::from_millis(10 + 20));
            for client in &clients[1..] {
                assert_eq!(listener.accept().await?.1, client.local_addr()?);
            }
            Ok(())
        });
    };
    if let Some(stderr) = alone("accepting_survives_a_lack_of_descriptors", body) {
        assert_eq!(
            stderr.matches("cannot accept connections").count(),
            1,
            "{stderr}"
        );
    }
}

#[test]
fn a_duplicate_that_outlives_its_stream_can_take_its_number() {
    // A registration belongs to the number and the open file: left behind, it would refuse
    // the duplicate under the old number.
    let body = || {
        within(async {
            let (client, server) = half_std_pair().await?;
            let mut buf = [0; 64];
            assert!(poll_once(&mut server.read(&mut buf)).is_pending()); // registers
            let old_number = server.as_raw_fd();
            let duplicate = server.as_fd().try_clone_to_owned()?;
            drop(server);
            let again = duplicate.try_clone()?;
            assert_eq!(again.as_raw_fd(), old_number);
            let again = TcpStream::from_std(again.into())?;
            let mut read = again.read(&mut buf);
            assert!(poll_once(&mut read).is_pending());
            (&client).write_all(b"data")?;
            assert_eq!(read.await?, 4);
            Ok(())
        });
    };
    alone(
        "a_duplicate_that_outlives_its_stream_can_take_its_number",
        body,
    );
}

#[test]
fn a_stream_from_the_standard_library_may_have_duplicates() {
    let body = || {
        within(async {
            let (client, server) = half_std_pair().await?;
            let twin = client.try_clone()?;
            let old_number = client.as_raw_fd();
            let adopted = TcpStream::from_std(client)?;
            assert!(poll_once(&mut adopted.read(&mut [0; 8])).is_pending()); // registers
            drop(adopted);
            let again = twin.try_clone()?;
            assert_eq!(again.as_raw_fd(), old_number);
            let again = TcpStream::from_std(again)?;
            let mut buf = [0; 8];
            let mut read = again.read(&mut buf);
            assert!(poll_once(&mut read).is_pending());
            server.write_all(b"data").await?;
            assert_eq!(read.await?, 4);
            Ok(())
        });
    };
    alone(
        "a_stream_from_the_standard_library_may_have_duplicates",
        body,
    );
}

#[test]
fn a_number_that_is_used_again_gets_its_own_events() {
    let body = || {
        within(async {
            let mut numbers = Vec::new();
            for round in 0..100 {
                let (client, server) = half_std_pair().await?;
                numbers.push(server.as_fd().as_raw_fd());
                let mut buf = [0; 64];
                let mut read = server.read(&mut buf);
                assert!(poll_once(&mut read).is_pending());
                (&client).write_all(&[round])?;
                if round % 2 == 0 {
                    assert_eq!(read.await?, 1);
                } // else its event comes when the number is somebody else's
            }
            numbers.dedup();
            assert!(numbers.len() < 100, "the test is about numbers used again");
            Ok(())
        });
    };
    alone("a_number_that_is_used_again_gets_its_own_events", body);
}

#[test]
fn a_connect_that_is_given_up_closes_its_socket() {
    let body = || {
        within(async {
            // A queue that is full leaves further connections unanswered.
            let listener = TcpListener::bind("127.0.0.1:0").backlog(0).await?;
            let mut connected = Vec::new();
            let pending = loop {
                assert!(connected.len() < 10, "the queue is never full");
                let mut connect = TcpStream::connect(listener.local_addr()?);
                match poll_once(&mut connect) {
                    Poll::Ready(stream) => connected.push(stream?),
                    Poll::Pending => break connect,
                }
            };
            let before = descriptors();
            drop(pending);
            assert_eq!(descriptors(), before - 1);
            Ok(())
        });
    };
    alone("a_connect_that_is_given_up_closes_its_socket", body);
}

/// The number that the next descriptor would get.
fn lowest_free() -> RawFd {
    std::fs::File::open("/dev/null").unwrap().as_raw_fd()
}
