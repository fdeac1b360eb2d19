//! Pipes, and the descriptors from elsewhere that are read and written like them.
//!
//! | what could go wrong | tests |
//! | --- | --- |
//! | bytes or the end are lost, or come twice | `what_is_..`, `a_dropped..`, `read_to_end..` |
//! | an edge is missed | `a_full..`, `marks_inside..`, `everything_goes_through..` |
//! | the other end goes away | `a_reader_that_leaves..`, `nobody_can_write..` |
//! | it is no pipe | `files_on_a_disk..`, `a_descriptor_that..`, `devices..`, `sockets..` |
//! | the mode of a shared description | `an_end_for_a_child..`, and `terminals.rs` |

mod common;

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process::{Command, Stdio};

use common::fd::{descriptors, is_nonblocking, limit_descriptors};
use common::{Bell, poll_once, succeeds_alone, within_io as within};
use petla::io::{PipeReader, PipeWriter, pipe};

/// Fills a pipe to the brim, and says how much went in.
fn fill(writer: &PipeWriter) -> usize {
    let mut sent = 0;
    for piece in [4096, 1] {
        while let std::task::Poll::Ready(n) = poll_once(&mut writer.write(&vec![7; piece])) {
            sent += n.unwrap();
        }
    }
    sent
}

#[test]
fn what_is_written_comes_out_and_then_the_end_again_and_again() {
    within(async {
        let (reader, writer) = pipe()?;
        assert_eq!(writer.write(b"first").await?, 5);
        let parts = [IoSlice::new(b", second"), IoSlice::new(b", third")];
        assert_eq!(writer.write_vectored(&parts).await?, 15);
        let (mut head, mut rest) = ([0; 5], [0; 64]);
        let mut bufs = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut rest)];
        assert_eq!(reader.read_vectored(&mut bufs).await?, 20);
        assert_eq!((&head, &rest[..15]), (b"first", &b", second, third"[..]));
        drop(writer);
        assert_eq!(reader.read(&mut rest).await?, 0);
        assert_eq!(reader.read(&mut rest).await?, 0);
        Ok(())
    });
}

#[test]
fn nothing_to_move_is_done_at_once() {
    within(async {
        let (reader, writer) = pipe()?;
        assert_eq!(reader.read(&mut []).await?, 0);
        reader.read_exact(&mut []).await?;
        assert_eq!(writer.write(&[]).await?, 0);
        writer.write_all(&[]).await?;
        assert_eq!(writer.write_vectored(&[IoSlice::new(b"")]).await?, 0);
        fill(&writer);
        assert_eq!(writer.write(&[]).await?, 0);
        Ok(())
    });
}

#[test]
fn a_reader_that_waits_is_woken_by_data_and_by_the_end() {
    within(async {
        let (reader, writer) = pipe()?;
        let task = petla::spawn(async move {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await?;
            io::Result::Ok(all)
        });
        for byte in b"slowly" {
            petla::yield_now().await;
            writer.write_all(&[*byte]).await?;
        }
        petla::yield_now().await;
        drop(writer);
        assert_eq!(task.await??, b"slowly");
        Ok(())
    });
}

#[test]
fn nobody_can_write_any_more_is_an_early_end_for_read_exact() {
    within(async {
        let (reader, writer) = pipe()?;
        writer.write_all(b"half").await?;
        drop(writer);
        let mut buf = [0; 8];
        let mut read = reader.read_exact(&mut buf);
        let error = Pin::new(&mut read).await.unwrap_err();
        assert_eq!((error.kind(), read.filled()), (ErrorKind::UnexpectedEof, 4));
        assert!(error.to_string().contains("4 of 8"), "{error}");
        Ok(())
    });
}

#[test]
fn a_full_pipe_makes_the_writer_wait_until_there_is_room() {
    within(async {
        let (reader, writer) = pipe()?;
        let held = fill(&writer);
        assert!(held >= 4096, "{held}");
        let bell = Bell::new();
        let mut write = writer.write(b"more");
        assert!(bell.poll(&mut write).is_pending());
        let mut buf = vec![0; 4096];
        reader.read_exact(&mut buf).await?;
        common::yield_until(|| bell.rings() > 0).await;
        assert_eq!(write.await?, 4);
        Ok(())
    });
}

#[test]
fn everything_goes_through_in_order_however_much_it_is() {
    within(async {
        let (reader, writer) = pipe()?;
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let sent = data.clone();
        let writing = petla::spawn(async move { writer.write_all(&sent).await });
        let mut all = Vec::new();
        assert_eq!(reader.read_to_end(&mut all).await?, data.len());
        writing.await??;
        assert!(all == data);
        Ok(())
    });
}

#[test]
fn marks_inside_a_pipe_hide_nothing_behind_them() {
    // In packet mode a read ends with its packet, and no event tells of the next one.
    within(async {
        let (reader, writer) = pipe()?;
        let fd = writer.as_raw_fd();
        // SAFETY: these commands take no pointer.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        // SAFETY: as above.
        let set = unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_DIRECT) };
        if set == -1 {
            println!("skipped: this kernel has no packet mode");
            return Ok(());
        }
        let mut buf = [0; 64];
        assert!(poll_once(&mut reader.read(&mut buf)).is_pending()); // registers
        writer.write(b"one").await?;
        writer.write(b"three").await?;
        assert_eq!(reader.read(&mut buf).await?, 3);
        assert_eq!(reader.read(&mut buf).await?, 5);
        Ok(())
    });
}

#[test]
fn a_reader_that_leaves_ends_the_writes_with_an_error_also_one_that_waits() {
    within(async {
        let (reader, writer) = pipe()?;
        fill(&writer);
        let task = petla::spawn(async move {
            let waited = writer.write_all(b"x").await;
            (waited, writer.write(b"x").await, writer)
        });
        petla::yield_now().await;
        drop(reader);
        let (waited, next, writer) = task.await?;
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(next.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let parts = [IoSlice::new(b"x")];
        let vectored = writer.write_vectored(&parts).await;
        assert_eq!(vectored.unwrap_err().kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_dropped_read_has_read_nothing() {
    within(async {
        let (reader, writer) = pipe()?;
        let mut buf = [0; 8];
        for _ in 0..3 {
            let bell = Bell::new();
            let mut read = reader.read(&mut buf);
            assert!(bell.poll(&mut read).is_pending());
            drop(read);
            assert!(!bell.is_kept());
        }
        let mut given_up = Box::pin(reader.read(&mut buf));
        assert!(poll_once(&mut given_up).is_pending());
        writer.write_all(b"kept").await?;
        petla::sleep(std::time::Duration::ZERO).await; // its event has come
        drop(given_up);
        assert_eq!(reader.read(&mut buf).await?, 4);
        Ok(())
    });
}

#[test]
fn read_to_end_given_up_keeps_what_it_read_and_goes_on() {
    within(async {
        let (reader, writer) = pipe()?;
        let mut all = b"before ".to_vec();
        writer.write_all(b"first ").await?;
        assert!(poll_once(&mut reader.read_to_end(&mut all)).is_pending());
        assert_eq!(all, b"before first ");
        writer.write_all(b"second").await?;
        drop(writer);
        assert_eq!(reader.read_to_end(&mut all).await?, 6);
        assert_eq!(all, b"before first second");
        Ok(())
    });
}

#[test]
fn two_readers_share_a_pipe_and_both_see_its_end() {
    within(async {
        let (reader, writer) = pipe()?;
        let read = async || reader.read(&mut [0; 8]).await;
        let end = async {
            petla::yield_now().await;
            drop(writer);
        };
        let (first, second, ()) = petla::gather!(read(), read(), end).await;
        assert_eq!((first?, second?), (0, 0));
        Ok(())
    });
}

#[test]
fn files_on_a_disk_are_refused_with_the_reason() {
    let program = std::env::current_exe().unwrap();
    for path in [program.as_path(), &std::env::temp_dir()] {
        let error = PipeReader::from_fd(File::open(path).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("petla::fs"), "{error}");
    }
}

#[test]
fn a_descriptor_that_is_open_for_the_other_direction_is_refused() {
    let (reader, writer) = io::pipe().unwrap();
    let error = PipeWriter::from_fd(reader).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("not open for writing"),
        "{error}"
    );
    let error = PipeReader::from_fd(writer).unwrap_err();
    assert!(
        error.to_string().contains("not open for reading"),
        "{error}"
    );

    let mut only_its_path = OpenOptions::new();
    only_its_path.read(true).custom_flags(libc::O_PATH);
    let null = only_its_path.open("/dev/null").unwrap();
    let error = PipeReader::from_fd(null).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn devices_that_never_block_work_though_epoll_refuses_them() {
    within(async {
        let open = |path| OpenOptions::new().read(true).write(true).open(path);
        let null = PipeReader::from_fd(open("/dev/null")?)?;
        assert_eq!(null.read(&mut [0; 8]).await?, 0);
        PipeWriter::from_fd(open("/dev/null")?)?
            .write_all(&[1; 10_000])
            .await?;
        let mut buf = [1; 10_000];
        let zero = PipeReader::from_fd(open("/dev/zero")?)?;
        zero.read_exact(&mut buf).await?;
        assert!(buf == [0; 10_000]);
        Ok(())
    });
}

#[test]
fn sockets_can_stand_in_for_pipes() {
    within(async {
        let (left, right) = UnixStream::pair()?;
        let (left, right) = (PipeWriter::from_fd(left)?, PipeReader::from_fd(right)?);
        let mut buf = [0; 8];
        let mut read = right.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        left.write_all(b"socket").await?;
        assert_eq!(read.await?, 6);
        drop(right);
        let broken = left.write(b"x").await.unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_fifo_is_a_pipe_with_a_name() {
    within(async {
        let path = std::env::temp_dir().join(format!("petla-fifo-{}", std::process::id()));
        let name = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the name ends with a NUL and lives.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let mut at_once = OpenOptions::new();
        let at_once = at_once.read(true).custom_flags(libc::O_NONBLOCK);
        let reader = at_once.open(&path);
        let writer = OpenOptions::new().write(true).open(&path);
        std::fs::remove_file(&path)?;
        let (reader, writer) = (PipeReader::from_fd(reader?)?, PipeWriter::from_fd(writer?)?);
        let mut buf = [0; 8];
        let mut read = reader.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        writer.write_all(b"named").await?;
        assert_eq!(read.await?, 5);
        Ok(())
    });
}

#[test]
fn an_end_for_a_child_blocks_and_the_other_end_does_not() {
    within(async {
        let (reader, writer) = pipe()?;
        let theirs = reader.into_blocking_fd()?;
        assert!(!is_nonblocking(&theirs) && is_nonblocking(&writer));
        let (reader, writer) = pipe()?;
        let theirs = writer.into_blocking_fd()?;
        assert!(!is_nonblocking(&theirs) && is_nonblocking(&reader));
        let (reader, writer) = pipe()?;
        assert!(is_nonblocking(reader.into_fd()) && is_nonblocking(OwnedFd::from(writer)));
        Ok(())
    });
}

#[test]
fn a_child_reads_and_writes_through_pipes() {
    within(async {
        let (input, our_input) = pipe()?;
        let (our_output, output) = pipe()?;
        let child = Command::new("cat")
            .stdin(Stdio::from(input.into_blocking_fd()?))
            .stdout(Stdio::from(output.into_blocking_fd()?))
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no `cat`");
            return Ok(());
        };
        let data = vec![b'x'; 300_000];
        let write = async {
            let result = our_input.write_all(&data).await;
            drop(our_input);
            result
        };
        let mut all = Vec::new();
        let (written, read) = petla::gather!(write, our_output.read_to_end(&mut all)).await;
        written?;
        assert_eq!(read?, data.len());
        assert!(child.wait()?.success() && all == data);
        Ok(())
    });
}

#[test]
fn an_end_that_waited_can_be_given_away_and_used_by_others() {
    within(async {
        let (reader, writer) = pipe()?;
        assert!(poll_once(&mut reader.read(&mut [0; 8])).is_pending()); // registers
        let mut reader = File::from(reader.into_blocking_fd()?);
        let mut writer = File::from(writer.into_fd());
        writer.write_all(b"plain")?;
        let mut buf = [0; 5];
        reader.read_exact(&mut buf)?;
        assert_eq!(&buf, b"plain");
        // Known to the loop no more, so another object may wait for it.
        let reader = PipeReader::from_fd(reader)?;
        let mut buf = [0; 8];
        let mut read = reader.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        writer.write_all(b"again")?;
        assert_eq!(read.await?, 5);
        Ok(())
    });
}

#[test]
fn a_duplicate_that_outlives_its_pipe_disturbs_nobody() {
    within(async {
        let (reader, writer) = pipe()?;
        assert!(poll_once(&mut reader.read(&mut [0; 8])).is_pending()); // registers
        let twin = reader.as_fd().try_clone_to_owned()?;
        drop(reader);
        writer.write_all(b"for the twin").await?;
        let twin = PipeReader::from_fd(twin)?;
        assert_eq!(twin.read(&mut [0; 64]).await?, 12);
        Ok(())
    });
}

#[test]
fn no_free_descriptor_is_an_error_that_leaves_nothing_open() {
    succeeds_alone(|| {
        let before = descriptors();
        let enough = limit_descriptors(3);
        let error = pipe().unwrap_err();
        limit_descriptors(enough);
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn pipes_and_what_is_refused_leave_no_descriptor_behind() {
    succeeds_alone(|| {
        within(async {
            let (warm, _up) = pipe()?;
            assert!(poll_once(&mut warm.read(&mut [0; 1])).is_pending());
            let before = descriptors();
            for round in 0..10 {
                let (reader, writer) = pipe()?;
                let mut buf = [0; 8];
                let mut read = reader.read(&mut buf);
                assert!(poll_once(&mut read).is_pending());
                if round % 2 == 0 {
                    writer.write_all(b"x").await?;
                    read.await?;
                }
                drop(writer.into_blocking_fd()?);
                PipeReader::from_fd(File::open("/proc/self/exe")?).unwrap_err();
            }
            assert_eq!(descriptors(), before);
            Ok(())
        });
    });
}

#[test]
fn the_ends_are_send_and_sync_and_their_futures_send() {
    fn shared<T: Send + Sync>(_: &T) {}
    fn sent<T: Send>(_: T) {}
    let (reader, writer) = pipe().unwrap();
    shared(&reader);
    shared(&writer);
    sent(reader.read(&mut [0; 1]));
    sent(reader.read_to_end(&mut Vec::new()));
    sent(writer.write_all(b""));
}
