//! Everything arrives, in order and once; little is held meanwhile.

use std::io;
use std::net::Shutdown;

use petla::net::UnixStream;
use petla::streams::copy;

use super::{LARGE, MUCH, connected, look, noise, read_all, two};
use crate::common::{poll_once, within_io};

#[test]
fn everything_up_to_the_end_arrives_and_is_counted() {
    within_io(async {
        let block = 16 << 10;
        let edges = [
            0,
            1,
            block - 1,
            block,
            block + 1,
            LARGE - 1,
            LARGE,
            LARGE + 1,
            MUCH,
        ];
        for length in edges {
            let (mut source, mut sink) = two().await?;
            let data = noise(length);
            let (sent, peer) = (data.clone(), source.peer);
            let sending = petla::spawn(async move {
                peer.write_all(&sent).await?;
                peer.shutdown(Shutdown::Write)
            });
            let all = petla::spawn(async move { read_all(&sink.peer).await });
            let copied = copy(&mut source.reader, &mut sink.writer).await?;
            assert_eq!((copied, sink.writer.unsent()), (length as u64, 0));
            assert!(source.reader.at_eof() && !sink.writer.is_closing());
            sink.writer.wait_closed().await?;
            sending.await??;
            assert!(all.await?? == data, "{length} bytes");
        }
        Ok(())
    });
}

#[test]
fn what_was_buffered_and_what_was_unsent_goes_first() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        source.peer.write_all(b"GET\nbody, part one;").await?;
        assert_eq!(source.reader.read_line().await?, Some("GET"));
        let before = noise(MUCH);
        sink.writer.write(&before);
        assert!(sink.writer.unsent() > 0);
        source.peer.write_all(b" part two").await?;
        source.peer.shutdown(Shutdown::Write)?;

        let all = petla::spawn(async move { read_all(&sink.peer).await });
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        assert!(poll_once(&mut copying).is_pending());
        assert_eq!(copying.copied(), 0, "the others' bytes do not count");
        assert_eq!(copying.await?, 24);
        sink.writer.wait_closed().await?;
        let all = all.await??;
        assert!(all[..MUCH] == before);
        assert_eq!(&all[MUCH..], b"body, part one; part two");
        Ok(())
    });
}

#[test]
fn after_a_copy_the_writer_is_open_and_the_reader_at_its_end() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        source.peer.write_all(b"first").await?;
        source.peer.shutdown(Shutdown::Write)?;
        assert_eq!(copy(&mut source.reader, &mut sink.writer).await?, 5);
        assert_eq!(copy(&mut source.reader, &mut sink.writer).await?, 0);
        let mut second = connected().await?;
        second.peer.write_all(b", second").await?;
        second.peer.shutdown(Shutdown::Write)?;
        assert_eq!(copy(&mut second.reader, &mut sink.writer).await?, 8);
        sink.writer.write(b", and a last word");
        drop(sink.writer);
        let all = read_all(&sink.peer).await?;
        assert_eq!(all, b"first, second, and a last word");
        Ok(())
    });
}

#[test]
fn both_halves_of_one_connection_make_an_echo() {
    within_io(async {
        let mut side = connected().await?;
        let echo = petla::spawn(async move {
            let copied = copy(&mut side.reader, &mut side.writer).await?;
            side.writer.wait_closed().await?;
            io::Result::Ok(copied)
        });
        let (mut buf, mut total) = ([0; 4], 0);
        for round in 0_u32..100 {
            side.peer.write_all(&round.to_ne_bytes()).await?;
            side.peer.read_exact(&mut buf).await?;
            assert_eq!(u32::from_ne_bytes(buf), round);
            total += 4;
        }
        side.peer.shutdown(Shutdown::Write)?;
        assert_eq!(echo.await??, total);
        Ok(())
    });
}

// B68: what a slow reader has not taken must not pile up.
#[test]
fn a_slow_reader_stops_the_source_and_little_is_held() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let data = noise(2 * MUCH);
        let (sent, peer) = (data.clone(), source.peer);
        let sending = petla::spawn(async move {
            peer.write_all(&sent).await?;
            peer.shutdown(Shutdown::Write)
        });
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        let mut still = (0, 0);
        while still.1 < 10 {
            assert!(poll_once(&mut copying).is_pending());
            look().await;
            let moved = copying.copied() != still.0;
            still = (copying.copied(), if moved { 0 } else { still.1 + 1 });
        }
        assert!(!sending.is_finished(), "the source waits");
        assert!(copying.copied() < MUCH as u64);
        drop(copying);
        let held = sink.writer.unsent();
        assert!(0 < held && held <= LARGE, "{held} bytes");

        let all = petla::spawn(async move { read_all(&sink.peer).await });
        copy(&mut source.reader, &mut sink.writer).await?;
        sink.writer.wait_closed().await?;
        sending.await??;
        assert!(all.await?? == data);
        Ok(())
    });
}

#[test]
fn pipes_and_unix_sockets_are_copied_as_well() {
    within_io(async {
        let data = noise(MUCH);
        let (out, into) = petla::io::pipe()?;
        let (left, right) = UnixStream::pair()?;
        let (mut from_pipe, (_reader, mut to_unix)) = (out.into_stream(), left.into_streams());
        let first = async {
            into.write_all(&data).await?;
            drop(into);
            io::Result::Ok(())
        };
        let second = async {
            let copied = copy(&mut from_pipe, &mut to_unix).await?;
            assert_eq!(copied, MUCH as u64);
            to_unix.wait_closed().await
        };

        let (mut from_unix, _writer) = right.into_streams();
        let (out, into) = petla::io::pipe()?;
        let mut to_pipe = into.into_stream();
        let third = async {
            copy(&mut from_unix, &mut to_pipe).await?;
            to_pipe.wait_closed().await
        };
        let fourth = async {
            let mut all = Vec::new();
            out.read_to_end(&mut all).await?;
            assert!(all == data);
            Ok(())
        };
        petla::try_gather!(first, second, third, fourth).await?;
        Ok(())
    });
}

#[test]
fn one_poll_moves_a_limited_amount() {
    within_io(async {
        let (mut source, mut sink) = two().await?;
        let peer = source.peer;
        let sending = petla::spawn(async move {
            peer.write_all(&vec![1; MUCH]).await?;
            io::Result::Ok(peer)
        });
        let reading = petla::spawn(async move { read_all(&sink.peer).await });
        let mut copying = copy(&mut source.reader, &mut sink.writer);
        let mut before = 0;
        while before < MUCH as u64 {
            assert!(poll_once(&mut copying).is_pending());
            assert!(copying.copied() - before <= 4 * LARGE as u64);
            before = copying.copied();
            petla::yield_now().await;
        }
        let _open = sending.await??;
        drop(copying);
        drop(sink.writer);
        assert_eq!(reading.await??.len(), MUCH);
        Ok(())
    });
}
