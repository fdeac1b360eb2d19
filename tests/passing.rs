//! Descriptors passed through Unix sockets, and credentials: none is lost, none leaks.

mod common;

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use common::fd::{descriptors, limit_descriptors};
use common::{poll_once, succeeds_alone, within_io as within};
use petla::net::{UnixDatagram, UnixStream};

fn null() -> File {
    File::open("/dev/null").unwrap()
}

fn closes_on_exec(fd: &impl AsRawFd) -> bool {
    // SAFETY: this command takes no pointer.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
    flags & libc::FD_CLOEXEC != 0
}

#[test]
fn a_descriptor_that_was_passed_is_the_same_file() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        let (mut reader, writer) = io::pipe()?;
        let sent = left.send_with_fds(b"here", &[writer.as_fd()]).await?;
        drop(writer);
        let mut buf = [0; 16];
        let (received, fds) = right.recv_with_fds(&mut buf, 4).await?;
        assert_eq!((sent, received.len, received.lost_fds), (4, 4, false));
        let [writer] = <[OwnedFd; 1]>::try_from(fds).unwrap();
        assert!(closes_on_exec(&writer));
        File::from(writer).write_all(b"through the other process")?;
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        assert_eq!(text, "through the other process");
        Ok(())
    });
}

#[test]
fn a_receiver_that_waits_gets_data_and_descriptors_and_then_plain_data() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        let task = petla::spawn(async move {
            let mut buf = [0; 16];
            let first = right.recv_with_fds(&mut buf, 1).await?;
            let second = right.recv_with_fds(&mut buf, 1).await?;
            let end = right.recv_with_fds(&mut buf, 1).await?;
            io::Result::Ok([first, second, end].map(|(got, fds)| (got.len, fds.len())))
        });
        petla::yield_now().await;
        left.send_with_fds(b"with", &[null().as_fd()]).await?;
        left.write_all(b"without").await?;
        drop(left);
        assert_eq!(task.await??, [(4, 1), (7, 0), (0, 0)]);
        Ok(())
    });
}

#[test]
fn every_message_keeps_its_own_descriptors() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        let file = null();
        for count in 0..5 {
            let fds = vec![file.as_fd(); count];
            left.send_with_fds(b"abc", &fds).await?;
        }
        let (mut buf, mut seen) = ([0; 64], 0);
        while seen < 1 + 2 + 3 + 4 {
            let (_, fds) = right.recv_with_fds(&mut buf, 253).await?;
            seen += fds.len();
        }
        assert!(poll_once(&mut right.read(&mut buf)).is_pending());
        Ok(())
    });
}

#[test]
fn as_many_as_the_kernel_takes_go_at_once_and_no_more() {
    succeeds_alone(|| {
        within(async {
            let (left, right) = UnixDatagram::pair()?;
            let file = null();
            let most = vec![file.as_fd(); 253];
            left.send_with_fds(b"many", &most).await?;
            let (received, fds) = right.recv_with_fds(&mut [0; 8], usize::MAX).await?;
            assert_eq!((fds.len(), received.lost_fds), (253, false));

            let too_many = vec![file.as_fd(); 254];
            let error = left.send_with_fds(b"x", &too_many).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("at most 253"), "{error}");
            Ok(())
        });
    });
}

#[test]
fn what_does_not_fit_is_told_and_closed() {
    succeeds_alone(|| {
        within(async {
            let (left, right) = UnixStream::pair()?;
            let file = null();
            let before = descriptors();
            for room in 0..=5 {
                left.send_with_fds(b"five", &[file.as_fd(); 5]).await?;
                let (received, fds) = right.recv_with_fds(&mut [0; 8], room).await?;
                assert_eq!((received.len, fds.len()), (4, room));
                assert_eq!(received.lost_fds, room < 5);
                assert_eq!(descriptors(), before + room);
            }
            // A plain read closes them without a word.
            left.send_with_fds(b"five", &[file.as_fd(); 5]).await?;
            assert_eq!(right.read(&mut [0; 8]).await?, 4);
            assert_eq!(descriptors(), before);
            Ok(())
        });
    });
}

#[test]
fn a_process_without_free_numbers_is_told_what_it_lost() {
    succeeds_alone(|| {
        within(async {
            let (left, right) = UnixStream::pair()?;
            let file = null();
            left.send_with_fds(b"x", &[file.as_fd(); 5]).await?;
            let taken = File::open("/dev/null")?.as_raw_fd();
            limit_descriptors(taken + 2); // two numbers are free
            let (received, fds) = right.recv_with_fds(&mut [0; 8], 5).await?;
            assert_eq!((received.len, fds.len(), received.lost_fds), (1, 2, true));
            Ok(())
        });
    });
}

/// Asks for credentials with each message, as somebody may by an option of the socket.
fn ask_for_credentials(socket: &UnixStream) {
    let on: libc::c_int = 1;
    let (value, fd) = ((&raw const on).cast(), socket.as_raw_fd());
    // SAFETY: the value lives and has the length that is given.
    let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_PASSCRED, value, 4) };
    assert_eq!(set, 0);
}

#[test]
fn other_messages_beside_them_take_no_descriptors_room() {
    succeeds_alone(|| {
        within(async {
            let (left, right) = UnixStream::pair()?;
            ask_for_credentials(&right);
            let file = null();
            let before = descriptors();
            for (sent, max) in [(0, 0), (1, 0), (1, 1), (3, 1), (3, 2), (3, 3), (253, 253)] {
                left.send_with_fds(b"x", &vec![file.as_fd(); sent]).await?;
                let (received, fds) = right.recv_with_fds(&mut [0; 8], max).await?;
                assert_eq!((fds.len(), received.lost_fds), (max, sent > max));
                assert_eq!(descriptors(), before + max);
            }
            Ok(())
        });
    });
}

#[test]
fn other_messages_beside_them_do_not_hide_descriptors() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        ask_for_credentials(&right);
        left.send_with_fds(b"x", &[null().as_fd()]).await?;
        let (_, fds) = right.recv_with_fds(&mut [0; 8], 64).await?;
        assert_eq!(fds.len(), 1);
        Ok(())
    });
}

#[test]
fn a_stream_needs_a_byte_to_carry_descriptors_and_a_datagram_does_not() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        let file = null();
        let error = left.send_with_fds(b"", &[file.as_fd()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("at least one byte"), "{error}");
        let error = right.recv_with_fds(&mut [], 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);

        let (left, right) = UnixDatagram::pair()?;
        left.send_with_fds(b"", &[file.as_fd()]).await?;
        let (received, fds) = right.recv_with_fds(&mut [], 1).await?;
        assert_eq!((received.len, fds.len()), (0, 1));
        Ok(())
    });
}

#[test]
fn a_cut_datagram_still_gives_its_descriptors() {
    within(async {
        let (left, right) = UnixDatagram::pair()?;
        left.send_with_fds(&[1; 100], &[null().as_fd()]).await?;
        let (received, fds) = right.recv_with_fds(&mut [0; 10], 1).await?;
        assert_eq!((received.len, received.full_len), (10, 100));
        assert!(received.is_truncated() && fds.len() == 1);
        Ok(())
    });
}

#[test]
fn dropped_futures_leave_no_descriptor_behind() {
    succeeds_alone(|| {
        within(async {
            let (left, right) = UnixStream::pair()?;
            let file = null();
            let fds = [file.as_fd()];
            let before = descriptors();
            for _ in 0..10 {
                let mut buf = [0; 8];
                assert!(poll_once(&mut right.recv_with_fds(&mut buf, 1)).is_pending());
                drop(left.send_with_fds(b"never polled", &fds));
                left.send_with_fds(b"x", &fds).await?;
                let (_, got) = right.recv_with_fds(&mut buf, 1).await?;
                assert_eq!(got.len(), 1);
                drop(got);
                assert_eq!(descriptors(), before);
            }
            // Sent, never received: closed with the sockets.
            left.send_with_fds(b"x", &fds).await?;
            drop((left, right));
            assert_eq!(descriptors(), before - 2);
            Ok(())
        });
    });
}

#[test]
fn both_ends_of_a_pair_were_made_by_this_process() {
    within(async {
        let (left, _right) = UnixStream::pair()?;
        let peer = left.peer_cred()?;
        assert_eq!(peer.pid, Some(std::process::id() as i32));
        // SAFETY: the call takes nothing.
        assert_eq!(peer.uid, unsafe { libc::geteuid() });
        // SAFETY: the call takes nothing.
        assert_eq!(peer.gid, unsafe { libc::getegid() });
        let (left, _right) = UnixDatagram::pair()?;
        assert_eq!(left.peer_cred()?, peer);
        assert_eq!(UnixDatagram::unbound()?.peer_cred()?.pid, None);
        Ok(())
    });
}

#[test]
fn the_futures_are_send() {
    fn sent<T: Send>(_: T) {}
    let (left, right) = UnixStream::pair().unwrap();
    let fds: [BorrowedFd<'_>; 0] = [];
    sent(left.send_with_fds(b"x", &fds));
    sent(right.recv_with_fds(&mut [0; 1], 1));
}
