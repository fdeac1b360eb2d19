//! Sockets as plain data: sent to threads, used on other loops or on none, dropped anywhere.

mod common;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::task::Poll;

use common::{poll_once, tcp_pair, within_io as within};
use petla::net::{AsyncFd, TcpListener, TcpStream, UnixListener, UnixStream};
use petla::{LoopHandle, RemoteTask};

/// Does `act` on another thread. When the task is done, which that thread asks for afterwards, the
/// loop has also done whatever `act` asked of it.
fn elsewhere<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> (T, RemoteTask<()>) {
    let handle = LoopHandle::current();
    let thread = std::thread::spawn(move || (act(), handle.spawn(async || ())));
    thread.join().unwrap()
}

#[test]
fn sockets_and_their_futures_are_plain_data() {
    fn plain<T: Send + Sync + Unpin + 'static>() {}
    fn send<T: Send + Unpin>(_: T) {}
    plain::<TcpListener>();
    plain::<TcpStream>();
    plain::<UnixListener>();
    plain::<UnixStream>();
    plain::<AsyncFd<OwnedFd>>();
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    send(TcpStream::connect(addr));
    send(TcpListener::bind(addr));
    let (left, _right) = UnixStream::pair().unwrap();
    send(left.read(&mut []));
    send(left.read_exact(&mut []));
    send(left.read_vectored(&mut []));
    send(left.peek(&mut []));
    send(left.write(&[]));
    send(left.write_all(&[]));
    send(left.write_vectored(&[]));
    let (reader, _writer) = io::pipe().unwrap();
    send(AsyncFd::new(&reader).unwrap().read_with(|_| Ok(())));
}

#[test]
fn every_socket_is_non_blocking_and_closed_on_exec() {
    within(async {
        let check = |fd: RawFd| {
            // SAFETY: the call takes numbers.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
            assert_ne!(flags & libc::O_NONBLOCK, 0);
            // SAFETY: as above.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
            assert_ne!(flags & libc::FD_CLOEXEC, 0);
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (server, _) = listener.accept().await?;
        let (left, right) = UnixStream::pair()?;
        let path = std::env::temp_dir().join(format!("petla-flags-{}", std::process::id()));
        let unix = UnixListener::bind(&path).await?;
        std::fs::remove_file(&path)?;
        check(listener.as_raw_fd());
        check(client.as_raw_fd());
        check(server.as_raw_fd());
        check(left.as_raw_fd());
        check(right.as_raw_fd());
        check(unix.as_raw_fd());
        Ok(())
    });
}

#[test]
fn what_must_wait_outside_a_loop_is_an_error() {
    let (client, server) = petla::run(tcp_pair()).unwrap();
    assert!(matches!(
        poll_once(&mut client.write(b"x")),
        Poll::Ready(Ok(1))
    ));
    assert!(matches!(
        poll_once(&mut server.read(&mut [0; 8])),
        Poll::Ready(Ok(1))
    ));
    let Poll::Ready(Err(error)) = poll_once(&mut server.read(&mut [0; 8])) else {
        panic!("there is no loop to wait on");
    };
    assert!(error.to_string().contains("loop"), "{error}");
}

#[test]
fn a_socket_of_another_loop_is_an_error_and_stays_usable_at_home() {
    within(async {
        let (client, server) = tcp_pair().await?;
        assert!(poll_once(&mut server.read(&mut [0; 8])).is_pending()); // at home here
        let server = std::thread::spawn(move || {
            petla::run(async {
                let error = server.read(&mut [0; 8]).await.unwrap_err();
                assert!(error.to_string().contains("another event loop"), "{error}");
            });
            server
        });
        let server = server.join().unwrap();
        let mut buf = [0; 8];
        let mut read = server.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        client.write_all(b"home").await?;
        assert_eq!(read.await?, 4);
        Ok(())
    });
}

#[test]
fn a_socket_moves_on_when_its_loop_has_ended() {
    let (client, server) = petla::run(async {
        let pair = tcp_pair().await.unwrap();
        assert!(poll_once(&mut pair.1.read(&mut [0; 8])).is_pending());
        pair
    });
    within(async {
        let mut buf = [0; 8];
        let mut read = server.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        client.write_all(b"again").await?;
        assert_eq!(read.await?, 5);
        Ok(())
    });
}

#[test]
fn a_socket_dropped_on_another_thread_is_closed() {
    within(async {
        for lend in [false, true] {
            let (client, server) = tcp_pair().await?;
            assert!(poll_once(&mut server.read(&mut [0; 8])).is_pending()); // registers
            if lend {
                let _ = server.as_fd();
            }
            std::thread::spawn(move || drop(server)).join().unwrap();
            assert_eq!(client.read(&mut [0; 8]).await?, 0);
        }
        Ok(())
    });
}

#[test]
fn an_object_given_back_on_another_thread_can_be_waited_for_again() {
    within(async {
        let (reader, mut writer) = io::pipe()?;
        let away = AsyncFd::new(reader)?;
        assert!(poll_once(&mut away.readable()).is_pending()); // registers
        let (reader, heard) = elsewhere(move || away.into_inner());
        heard.await?;
        let again = AsyncFd::new(reader)?;
        let mut readable = again.readable();
        assert!(poll_once(&mut readable).is_pending());
        writer.write_all(b"x")?;
        readable.await
    });
}

#[test]
fn an_object_dropped_on_another_thread_does_not_silence_the_next_owner_of_its_number() {
    within(async {
        // Other tests run beside this one and may take the number: so, until it comes back.
        for _ in 0..1000 {
            let (reader, _writer) = io::pipe()?;
            let number = reader.as_raw_fd();
            let away = AsyncFd::new(reader)?;
            assert!(poll_once(&mut away.readable()).is_pending()); // registers
            let ((), heard) = elsewhere(move || drop(away));

            let (next, peer) = UnixStream::pair()?;
            let same = next.as_raw_fd() == number;
            let mut buf = [0; 8];
            let mut read = next.read(&mut buf);
            assert!(poll_once(&mut read).is_pending());
            heard.await?;
            peer.write_all(b"data").await?;
            assert_eq!(read.await?, 4);
            if same {
                return Ok(());
            }
        }
        panic!("the number never came back");
    });
}

#[test]
fn a_socket_taken_apart_on_another_thread_can_be_waited_for_again() {
    within(async {
        let (client, server) = tcp_pair().await?;
        assert!(poll_once(&mut server.read(&mut [0; 8])).is_pending()); // registers
        let (server, heard) = elsewhere(move || server.into_std());
        heard.await?;
        let server = TcpStream::from_std(server)?;
        let mut buf = [0; 8];
        let mut read = server.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        client.write_all(b"data").await?;
        assert_eq!(read.await?, 4);
        Ok(())
    });
}

#[test]
fn a_future_dropped_on_another_thread_leaves_the_others_waiting() {
    within(async {
        let (client, server) = tcp_pair().await?;
        let mut buf = [0; 8];
        let mut first = server.read(&mut buf);
        assert!(poll_once(&mut first).is_pending());
        let mut other = [0; 8];
        let mut second = server.read(&mut other);
        assert!(poll_once(&mut second).is_pending());
        std::thread::scope(|scope| {
            scope.spawn(move || drop(first));
        });
        client.write_all(b"data").await?;
        assert_eq!(second.await?, 4);
        Ok(())
    });
}

#[test]
fn a_listener_given_up_between_two_runs_waits_again_in_the_same_loop() {
    let event_loop = petla::EventLoop::new().unwrap();
    let listener = event_loop.run_until_complete(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert!(poll_once(&mut listener.accept()).is_pending());
        listener
    });
    let listener = TcpListener::from_std(listener.unwrap().into_std()).unwrap();
    let accepted = event_loop.run_until_complete(async {
        assert!(poll_once(&mut listener.accept()).is_pending());
        let _client = TcpStream::connect(listener.local_addr()?).await?;
        listener.accept().await.map(drop)
    });
    accepted.unwrap().unwrap();
}
