//! Resets in each phase, writers that are closed, loops that are not there.

use std::io::{self, ErrorKind};
use std::task::Poll;

use petla::Task;
use petla::net::TcpStream;
use petla::streams::{StreamReader, StreamWriter, copy};

use super::{LARGE, MUCH, look, noise, read_all, reset, two};
use crate::common::{collect_reports, poll_once, within_io, yield_until};

const GONE: [ErrorKind; 2] = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];

#[test]
fn a_source_that_resets_is_an_error_after_what_it_sent_before() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        source.peer.write_all(b"before").await?;
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        assert!(poll_once(&mut copying).is_pending());
        reset(source.peer);
        let error = (&mut copying).await.unwrap_err();
        assert_eq!(
            (error.kind(), copying.copied()),
            (ErrorKind::ConnectionReset, 6)
        );
        drop(copying);
        for _ in 0..2 {
            let error = copy(&mut source.reader, &mut sink.writer)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        sink.writer.wait_closed().await?;
        assert_eq!(read_all(&sink.peer).await?, b"before");
        Ok(())
    });
}

#[test]
fn a_source_that_resets_while_the_sink_is_slow_loses_nothing_that_was_received() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let (data, peer) = (noise(MUCH), source.peer);
        let sending = petla::spawn(async move {
            let mut sending = peer.write_all(&data);
            for _ in 0..200 {
                assert!(poll_once(&mut sending).is_pending());
                petla::yield_now().await;
            }
            drop(sending);
            reset(peer);
            data
        });
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        while !sending.is_finished() {
            assert!(poll_once(&mut copying).is_pending());
            petla::yield_now().await;
        }
        let peer = sink.peer;
        let all = petla::spawn(async move { read_all(&peer).await });
        let error = (&mut copying).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let copied = copying.copied() as usize;
        assert!(copied >= LARGE);
        drop(copying);
        sink.writer.wait_closed().await?;
        let all = all.await??;
        assert!(all == sending.await?[..copied]);
        Ok(())
    });
}

#[test]
fn a_sink_that_resets_is_an_error_that_the_writer_remembers() {
    within_io(async {
        let reports = collect_reports();
        let (mut source, mut sink) = two().await?;
        source.peer.write_all(b"first").await?;
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        assert!(poll_once(&mut copying).is_pending());
        assert_eq!(copying.copied(), 5);
        reset(sink.peer);
        look().await;
        assert!(
            poll_once(&mut copying).is_pending(),
            "it asks only when it sends"
        );
        source.peer.write_all(b"second").await?;
        let error = (&mut copying).await.unwrap_err();
        assert!(GONE.contains(&error.kind()), "{error}");
        assert_eq!(copying.copied(), 5);
        drop(copying);
        for _ in 0..2 {
            let error = sink.writer.drain().await.unwrap_err();
            assert!(GONE.contains(&error.kind()), "{error}");
        }
        source.peer.write_all(b"third").await?;
        assert!(copy(&mut source.reader, &mut sink.writer).await.is_err());
        let mut buf = [0; 8];
        assert_eq!(source.reader.read(&mut buf).await?, 5, "nobody took it");
        assert_eq!(&buf[..5], b"third");
        drop(sink.writer);
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn a_sink_that_resets_in_the_middle_says_how_much_was_sent() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let peer = source.peer;
        let _sending = petla::spawn(async move { peer.write_all(&vec![1; MUCH]).await });
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        assert!(poll_once(&mut copying).is_pending());
        let (mut buf, mut received) = (vec![0; 1 << 20], 0);
        while received < LARGE as u64 {
            drop(poll_once(&mut copying));
            if let Poll::Ready(n) = poll_once(&mut sink.peer.read(&mut buf)) {
                received += n? as u64;
            }
            petla::yield_now().await;
        }
        reset(sink.peer);
        let error = (&mut copying).await.unwrap_err();
        assert!(GONE.contains(&error.kind()), "{error}");
        assert!(received <= copying.copied() && copying.copied() < MUCH as u64);
        drop(copying);
        assert_eq!(sink.writer.unsent(), 0, "nobody can have it");
        Ok(())
    });
}

// B71: neither side ever has to wait, and still the end is seen.
#[test]
fn a_sink_that_is_gone_ends_a_source_that_never_pauses() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let peer = source.peer;
        let endless = petla::spawn(async move {
            let piece = vec![1; 1 << 20];
            while peer.write_all(&piece).await.is_ok() {}
        });
        let sink_peer = sink.peer;
        let some = petla::spawn(async move {
            let mut some = vec![0; MUCH];
            sink_peer.read_exact(&mut some).await
        });
        let error = copy(&mut source.reader, &mut sink.writer)
            .await
            .unwrap_err();
        assert!(GONE.contains(&error.kind()), "{error}");
        some.await??;
        drop((source.reader, source.writer));
        endless.await?;
        Ok(())
    });
}

#[test]
fn nothing_is_received_for_a_writer_that_is_closed() {
    within_io(async {
        for how in 0..3 {
            let (mut source, mut sink) = two().await?;
            source.peer.write_all(b"kept").await?;
            match how {
                0 => sink.writer.close(),
                1 => sink.writer.write_eof(),
                _ => sink.writer.abort(),
            }
            for _ in 0..2 {
                let mut copying = copy(&mut source.reader, &mut sink.writer);
                let error = (&mut copying).await.unwrap_err();
                let kind = [ErrorKind::BrokenPipe, ErrorKind::ConnectionAborted][how / 2];
                assert_eq!((error.kind(), copying.copied()), (kind, 0), "{error}");
            }
            let mut buf = [0; 8];
            assert_eq!(source.reader.read(&mut buf).await?, 4);
            if how < 2 {
                sink.writer.wait_closed().await?;
            }
        }
        Ok(())
    });
}

#[test]
fn without_a_loop_waiting_is_an_error_and_nothing_is_lost() {
    let event_loop = petla::EventLoop::new().unwrap();
    let opened = event_loop.run_until_complete(async {
        let (source, sink) = two().await?;
        source.peer.write_all(b"to be kept").await?;
        io::Result::Ok((source, sink))
    });
    let (mut source, mut sink) = opened.unwrap().unwrap();
    for _ in 0..2 {
        let Poll::Ready(Err(error)) = poll_once(&mut copy(&mut source.reader, &mut sink.writer))
        else {
            panic!("it cannot wait here");
        };
        assert!(error.to_string().contains("petla::run"), "{error}");
    }
    let all = event_loop.run_until_complete(async {
        source.peer.shutdown(std::net::Shutdown::Write)?;
        copy(&mut source.reader, &mut sink.writer).await?;
        drop(sink.writer);
        read_all(&sink.peer).await
    });
    assert_eq!(all.unwrap().unwrap(), b"to be kept");
}

/// Drops a copy in the middle of `MUCH`, with a rest unsent: gives what it took, and the task that
/// goes on sending to it.
async fn dropped_midway(
    reader: &mut StreamReader,
    peer: TcpStream,
    writer: &mut StreamWriter,
) -> (Vec<u8>, Task<io::Result<()>>) {
    let mut data = noise(MUCH);
    let sent = data.clone();
    let sending = petla::spawn(async move { peer.write_all(&sent).await });
    let mut copying = copy(reader, writer);
    for _ in 0..200 {
        assert!(poll_once(&mut copying).is_pending());
        petla::yield_now().await;
    }
    let copied = copying.copied() as usize;
    drop(copying);
    assert!(writer.unsent() > 0);
    data.truncate(copied + writer.unsent());
    (data, sending)
}

#[test]
fn a_copy_that_is_dropped_leaves_its_rest_to_be_sent_by_itself() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let (taken, _sending) =
            dropped_midway(&mut source.reader, source.peer, &mut sink.writer).await;
        let mut all = vec![0; taken.len()];
        sink.peer.read_exact(&mut all).await?;
        assert!(all == taken);
        assert_eq!(sink.writer.unsent(), 0);
        Ok(())
    });
}

#[test]
fn a_copy_that_is_dropped_with_its_halves_still_sends_what_it_took() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let (taken, sending) =
            dropped_midway(&mut source.reader, source.peer, &mut sink.writer).await;
        drop((source.reader, source.writer, sink.reader, sink.writer));
        yield_until(|| sending.is_finished()).await;
        assert!(sending.await?.is_err(), "nobody reads it any more");
        assert!(read_all(&sink.peer).await? == taken);
        Ok(())
    });
}
