//! Unix streams, and descriptors of any kind.
//!
//! What they share with TCP is tested in `net.rs`; here stands what differs: names, queues that
//! are full, boundaries inside the stream, and `AsyncFd`.

mod common;

use std::fs::File;
use std::future::Future;
use std::io::{self, ErrorKind, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use common::hand::at_once;
use common::{poll_once, within_io as within};
use petla::net::{AsyncFd, UnixListener, UnixStream};

/// A waker that counts.
struct Told(AtomicU32);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A path for a socket that no other test uses; the file is removed in the end.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new() -> SocketPath {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("petla-unix-{}-{number}", std::process::id());
        SocketPath(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A pipe whose reading end does not block.
fn pipe() -> io::Result<(PipeReader, io::PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    set_nonblocking(&reader);
    Ok((reader, writer))
}

fn set_nonblocking(fd: &impl AsRawFd) {
    // SAFETY: fcntl with these arguments takes no pointer.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    // SAFETY: as above.
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    assert_eq!(set, 0);
}

/// Sends `data` together with a duplicate of standard input (SCM_RIGHTS).
fn send_with_descriptor(stream: &UnixStream, data: &[u8]) {
    #[repr(C)]
    struct Control {
        header: libc::cmsghdr,
        fd: libc::c_int,
    }
    let mut control = Control {
        header: libc::cmsghdr {
            // SAFETY: CMSG_LEN only computes.
            cmsg_len: unsafe { libc::CMSG_LEN(4) } as _,
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        },
        fd: 0,
    };
    let mut part = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    // SAFETY: a `msghdr` of zeros is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = control.header.cmsg_len;
    // SAFETY: everything that `message` points to lives until the call returns.
    let sent = unsafe { libc::sendmsg(stream.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
    assert_eq!(sent, data.len() as isize, "{}", io::Error::last_os_error());
}

#[test]
fn a_listener_at_a_path_is_reached_by_it() {
    within(async {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).await?;
        assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path.0));
        let client = UnixStream::connect(&path.0).await?;
        assert_eq!(client.peer_addr()?.as_pathname(), Some(&*path.0));
        let (server, peer) = listener.accept().await?;
        assert!(peer.is_unnamed() && server.peer_addr()?.is_unnamed());

        server.write_all(b"welcome").await?;
        let mut buf = [0; 7];
        client.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"welcome");
        Ok(())
    });
}

#[test]
fn an_abstract_name_needs_no_file() {
    within(async {
        let name = format!("petla-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name)?;
        let listener = UnixListener::bind_addr(&addr).await?;
        let _client = UnixStream::connect_addr(&addr).await?;
        listener.incoming().next().await.unwrap()?;
        assert_eq!(
            listener.local_addr()?.as_abstract_name(),
            Some(name.as_bytes())
        );
        Ok(())
    });
}

#[test]
fn the_file_of_a_dead_server_is_refused_to_both_sides() {
    within(async {
        let path = SocketPath::new();
        drop(UnixListener::bind(&path.0).await?);
        let refused = UnixStream::connect(&path.0).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let taken = UnixListener::bind(&path.0).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        std::fs::remove_file(&path.0)?;
        let missing = UnixStream::connect(&path.0).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn a_path_that_fits_no_address_is_invalid_input() {
    within(async {
        for path in ["x".repeat(108), "a\0b".to_owned()] {
            let error = UnixStream::connect(&path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let error = UnixListener::bind(&path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        Ok(())
    });
}

#[test]
fn a_connect_to_a_full_queue_waits_for_room() {
    within(async {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).backlog(0).await?;
        let first = UnixStream::connect(&path.0).await?; // the queue holds one more than it says
        let mut second = UnixStream::connect(&path.0);
        assert!(poll_once(&mut second).is_pending());
        listener.accept().await?;
        let second = second.await?;
        listener.accept().await?;
        drop((first, second));
        Ok(())
    });
}

#[test]
fn a_connect_to_a_full_queue_is_an_error_where_no_loop_could_wait() {
    let path = SocketPath::new();
    let made = petla::run(async {
        let listener = UnixListener::bind(&path.0).backlog(0).await?;
        Ok::<_, io::Error>((listener, UnixStream::connect(&path.0).await?))
    });
    let _full = made.unwrap();
    let Poll::Ready(Err(error)) = poll_once(&mut UnixStream::connect(&path.0)) else {
        panic!("it cannot wait here");
    };
    assert!(error.to_string().contains("petla::run"), "{error}");
}

#[test]
fn boundaries_made_by_sent_descriptors_do_not_stop_a_reader() {
    // The kernel ends a read at each boundary and announces the rest no second time.
    within(async {
        let (left, right) = UnixStream::pair()?;
        let mut buf = [0; 64];
        assert!(poll_once(&mut right.read(&mut buf)).is_pending()); // registers
        for data in [b"first", b"other", b"third"] {
            send_with_descriptor(&left, data);
        }
        let mut all = Vec::new();
        while all.len() < 15 {
            let n = right.read(&mut buf).await?;
            all.extend_from_slice(&buf[..n]);
        }
        assert_eq!(all, b"firstotherthird");
        Ok(())
    });
}

#[test]
fn read_exact_lets_others_run_between_many_small_pieces() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        for _ in 0..40 {
            send_with_descriptor(&left, b"piece"); // what one call reads
        }
        let mut buf = [0; 200];
        let mut read = right.read_exact(&mut buf);
        let told = Arc::new(Told(AtomicU32::new(0)));
        let waker = Waker::from(told.clone());
        let polled = Pin::new(&mut read).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let filled = read.filled();
        assert!((5..200).contains(&filled), "{filled}");
        assert_eq!(
            told.0.load(Ordering::Relaxed),
            1,
            "it wants to go on at once"
        );
        read.await?;
        assert_eq!(&buf, b"piece".repeat(40).as_slice());
        Ok(())
    });
}

#[test]
fn operations_on_empty_buffers_are_ready_at_once_and_see_no_end() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        for rest in ["", "data"] {
            left.write_all(rest.as_bytes()).await?;
            assert_eq!(at_once(right.read(&mut []))?, 0);
            assert_eq!(at_once(right.peek(&mut []))?, 0);
            at_once(right.read_exact(&mut []))?;
            assert_eq!(at_once(right.read_vectored(&mut []))?, 0);
            assert_eq!(at_once(left.write(&[]))?, 0);
            at_once(left.write_all(&[]))?;
            assert_eq!(at_once(left.write_vectored(&[]))?, 0);
        }
        let mut buf = [0; 8];
        assert_eq!(right.read(&mut buf).await?, 4, "nothing else was sent");
        assert!(poll_once(&mut right.read(&mut buf)).is_pending());

        while poll_once(&mut left.write(&[b'x'; 1 << 16])).is_ready() {}
        assert_eq!(at_once(left.write(&[]))?, 0, "though it is full");
        Ok(())
    });
}

#[test]
fn unix_streams_go_to_the_standard_library_and_back() {
    within(async {
        let (left, right) = std::os::unix::net::UnixStream::pair()?;
        let left = UnixStream::from_std(left)?;
        assert!(poll_once(&mut left.peek(&mut [0])).is_pending());
        (&right).write_all(b"text")?;
        assert_eq!(left.peek(&mut [0; 9]).await?, 4);
        let mut text = String::new();
        drop(right);
        left.into_std().read_to_string(&mut text)?;
        assert_eq!(text, "text");

        let path = SocketPath::new();
        let listener = std::os::unix::net::UnixListener::bind(&path.0)?;
        let listener = UnixListener::from_std(listener)?;
        assert!(poll_once(&mut listener.accept()).is_pending());
        UnixStream::connect(&path.0).await?;
        listener.into_std().accept()?;
        Ok(())
    });
}

#[test]
fn a_pipe_is_readable_until_it_is_empty() {
    // Level-triggered: the loop is not told what was read in between.
    within(async {
        let (reader, mut writer) = pipe()?;
        let reader = AsyncFd::new(reader)?;
        assert!(poll_once(&mut reader.readable()).is_pending());
        writer.write_all(b"abc")?;
        for _ in 0..3 {
            reader.readable().await?;
            reader.get_ref().read_exact(&mut [0])?;
        }
        assert!(poll_once(&mut reader.readable()).is_pending());
        drop(writer);
        reader.readable().await?;
        assert_eq!(reader.get_ref().read(&mut [0])?, 0);
        Ok(())
    });
}

#[test]
fn a_full_pipe_is_writable_again_when_it_is_read() {
    within(async {
        let (mut reader, writer) = io::pipe()?;
        set_nonblocking(&writer);
        let writer = AsyncFd::new(writer)?;
        writer.writable().await?;
        while writer.get_ref().write(&[0; 4096]).is_ok() {}
        assert!(poll_once(&mut writer.writable()).is_pending());
        let mut write = writer.write_with(|mut pipe| pipe.write(b"more"));
        assert!(poll_once(&mut write).is_pending());
        reader.read_exact(&mut [0; 8192])?;
        assert_eq!(write.await?, 4);
        Ok(())
    });
}

#[test]
fn read_with_runs_the_operation_until_it_does_not_block() {
    within(async {
        let (left, right) = UnixDatagram::pair()?;
        right.set_nonblocking(true)?;
        let right = AsyncFd::new(right)?;
        let (mut calls, mut buf) = (0, [0; 64]);
        let mut read = right.read_with(|socket| {
            calls += 1;
            socket.recv(&mut buf)
        });
        assert!(poll_once(&mut read).is_pending());
        left.send(b"datagram")?;
        assert_eq!(read.await?, 8);
        assert_eq!((calls, &buf[..8]), (2, &b"datagram"[..]));
        Ok(())
    });
}

#[test]
fn an_operations_own_error_comes_out() {
    within(async {
        let (reader, _writer) = pipe()?;
        let reader = AsyncFd::new(reader)?;
        let read = reader.read_with(|_| Err::<(), _>(io::Error::other("mine")));
        assert_eq!(read.await.unwrap_err().to_string(), "mine");
        Ok(())
    });
}

#[test]
fn two_objects_on_one_descriptor_are_refused() {
    within(async {
        let (reader, mut writer) = pipe()?;
        let first = AsyncFd::new(&reader)?;
        let second = AsyncFd::new(&reader)?;
        assert!(poll_once(&mut first.readable()).is_pending());
        let refused = second.readable().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        writer.write_all(b"x")?;
        first.readable().await?;
        Ok(())
    });
}

#[test]
fn a_descriptor_given_back_can_be_waited_for_again() {
    within(async {
        let (reader, mut writer) = pipe()?;
        let first = AsyncFd::new(reader)?;
        assert!(poll_once(&mut first.readable()).is_pending());
        let reader = first.into_inner();
        let dropped = AsyncFd::new(&reader)?;
        assert!(poll_once(&mut dropped.readable()).is_pending());
        drop(dropped);
        let last = AsyncFd::new(&reader)?;
        let mut readable = last.readable();
        assert!(poll_once(&mut readable).is_pending());
        writer.write_all(b"x")?;
        readable.await
    });
}

#[test]
fn files_and_directories_are_refused_with_a_clear_error() {
    for path in [std::env::current_exe().unwrap(), std::env::temp_dir()] {
        let refused = AsyncFd::new(File::open(path).unwrap()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("file"), "{refused}");
    }
}

#[test]
fn what_epoll_refuses_is_an_error_only_where_it_would_have_to_wait() {
    within(async {
        let null = AsyncFd::new(File::open("/dev/null")?)?;
        null.readable().await?;
        let blocks = null.read_with(|_| Err::<(), _>(ErrorKind::WouldBlock.into()));
        assert_eq!(blocks.await.unwrap_err().kind(), ErrorKind::Unsupported);
        Ok(())
    });
}

#[test]
fn a_closed_descriptor_is_an_error() {
    // SAFETY: as wrong as it can be, and a number to the calls that get it: none closes it.
    let closed = unsafe { BorrowedFd::borrow_raw(1_000_000) };
    let refused = AsyncFd::new(closed).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EBADF));
}

#[test]
fn the_descriptor_shows_through() {
    let file = File::open("/dev/null").unwrap();
    let number = file.as_raw_fd();
    let wrapped = AsyncFd::new(file).unwrap();
    assert_eq!(wrapped.as_fd().as_raw_fd(), number);
    assert!(format!("{wrapped:?}").starts_with("AsyncFd(File"));
}
