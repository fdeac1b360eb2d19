//! Resets, broken pipes, loops that are not there: typed errors, told as long as somebody asks.

use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use petla::streams::{ReadError, open_connection};

use super::{MUCH, connected, read_all};
use crate::common::peers::reset;
use crate::common::{collect_reports, poll_once, within_io, yield_until};

#[test]
fn a_connection_that_is_refused_says_so() {
    within_io(async {
        let error = open_connection("127.0.0.1:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = open_connection("127.0.0.1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_reset_is_never_taken_for_the_end() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"abc").await?;
        let mut read = reader.read_line();
        assert!(poll_once(&mut read).is_pending());
        reset(peer);
        let error = read.await.unwrap_err();
        assert!(matches!(&error, ReadError::Io(e) if e.kind() == ErrorKind::ConnectionReset));
        let mut buf = [0; 8];
        let exact = reader.read_exact(&mut buf).await.unwrap_err();
        assert!(matches!(&exact, ReadError::Io(_)), "it put its bytes back");
        assert_eq!(reader.read(&mut buf).await?, 3, "what came is kept");
        assert_eq!(&buf[..3], b"abc");
        for _ in 0..2 {
            let error = reader.read(&mut buf).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(reader.read_line().await.is_err());
            assert!(!reader.at_eof());
        }
        Ok(())
    });
}

#[test]
fn a_write_to_a_reset_connection_is_an_error_of_every_drain() {
    within_io(async {
        let reports = collect_reports();
        let (_reader, mut writer, peer) = connected().await?;
        reset(peer);
        let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        writer.write(b"x");
        for _ in 0..2 {
            let error = writer.drain().await.unwrap_err();
            assert!(kinds.contains(&error.kind()), "{error}");
            writer.write(b"more");
        }
        assert_eq!(writer.unsent(), 0);
        let error = writer.wait_closed().await.unwrap_err();
        assert!(kinds.contains(&error.kind()), "{error}");
        drop(writer);
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn a_reset_ends_a_drain_that_waits() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        writer.write(&vec![1; MUCH]);
        let mut drain = writer.drain();
        assert!(poll_once(&mut drain).is_pending());
        reset(peer);
        let error = drain.await.unwrap_err();
        let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert_eq!(writer.unsent(), 0, "nobody can have it");
        Ok(())
    });
}

#[test]
fn an_error_that_nobody_asks_for_is_reported_once() {
    within_io(async {
        for rest in [1, MUCH] {
            let reports = collect_reports();
            let (reader, mut writer, peer) = connected().await?;
            if rest == 1 {
                reset(peer);
                writer.write(b"x");
                drop((reader, writer));
            } else {
                writer.write(&vec![1; rest]);
                drop((reader, writer));
                reset(peer);
                yield_until(|| reports.len() > 0).await;
            }
            let report = reports.only();
            assert!(report.contains("nobody asked"), "{report}");
        }
        Ok(())
    });
}

#[test]
fn without_a_loop_waiting_is_an_error_and_nothing_is_lost() {
    let event_loop = petla::EventLoop::new().unwrap();
    let opened = event_loop.run_until_complete(connected()).unwrap();
    let (mut reader, mut writer, peer) = opened.unwrap();
    writer.write(&vec![1; MUCH]);
    assert!(writer.unsent() > 0);
    for _ in 0..2 {
        let Poll::Ready(Err(error)) = poll_once(&mut writer.drain()) else {
            panic!("it cannot wait here");
        };
        assert!(error.to_string().contains("petla::run"), "{error}");
        assert!(poll_once(&mut reader.read_line()).is_ready());
    }
    assert!(
        writer.unsent() > 0,
        "it sent what the socket takes, if anything"
    );
    let sent = event_loop.run_until_complete(async {
        let all = petla::spawn(async move { read_all(&peer).await });
        assert!(poll_once(&mut writer.drain()).is_pending());
        writer.wait_closed().await.unwrap();
        assert_eq!(all.await.unwrap().unwrap().len(), MUCH);
    });
    sent.unwrap();
}

#[test]
fn a_pipe_aborted_between_two_runs_leaves_no_task_behind() {
    let event_loop = petla::EventLoop::new().unwrap();
    let (reader, mut writer) = event_loop
        .run_until_complete(async {
            let (reader, writer) = petla::io::pipe().unwrap();
            let mut writer = writer.into_stream();
            writer.write(&vec![1; MUCH]);
            for _ in 0..3 {
                petla::yield_now().await; // the flusher waits
            }
            (reader, writer)
        })
        .unwrap();
    assert!(writer.unsent() > 0);
    writer.abort();
    drop(writer);
    let ended = event_loop.run_until_complete(async {
        reader.read_to_end(&mut Vec::new()).await.unwrap();
        petla::timeout(
            Duration::from_secs(5),
            yield_until(|| petla::all_tasks().len() == 1),
        )
        .await
    });
    assert!(ended.unwrap().is_ok(), "the flusher is there for ever");
}
