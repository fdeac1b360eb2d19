//! Writes never wait, bytes leave by themselves, and `drain` bounds what is unsent.

use std::io;

use petla::all_tasks;

use super::{MUCH, connected, noise, read_all};
use crate::common::{poll_once, within_io, yield_until};

#[test]
fn what_the_socket_takes_is_sent_at_once_and_no_task_is_made() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        let tasks = all_tasks().len();
        writer.write(b"now");
        writer.write(b"");
        assert_eq!((writer.unsent(), all_tasks().len()), (0, tasks));
        let mut buf = [0; 8];
        assert_eq!(peer.read(&mut buf).await?, 3);
        assert!(poll_once(&mut writer.drain()).is_ready());
        Ok(())
    });
}

#[test]
fn the_rest_leaves_though_nobody_drains() {
    within_io(async {
        let (mut reader, mut writer, peer) = connected().await?;
        let tasks = all_tasks().len();
        let data = noise(MUCH);
        writer.write(&data);
        assert!(writer.unsent() > 0, "more than the sockets hold");
        assert_eq!(all_tasks().len(), tasks + 1);
        let echo = petla::spawn(async move {
            let mut all = vec![0; MUCH];
            peer.read_exact(&mut all).await?;
            peer.write_all(b"thanks\n").await?;
            io::Result::Ok(all)
        });
        assert_eq!(reader.read_line().await?, Some("thanks"));
        assert!(echo.await?? == data);
        assert_eq!(writer.unsent(), 0);
        yield_until(|| all_tasks().len() == tasks).await;
        Ok(())
    });
}

#[test]
fn writes_of_all_sizes_arrive_in_order() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        let data = noise(MUCH / 2);
        let all = petla::spawn(async move { read_all(&peer).await });
        let (mut rest, mut round) = (&data[..], 0_usize);
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(1 + round * 7919 % 100_000));
            writer.write(piece);
            match round % 7 {
                0 => writer.drain().await?,
                1 => drop(poll_once(&mut writer.drain())),
                2 => petla::yield_now().await,
                _ => {}
            }
            (rest, round) = (others, round + 1);
        }
        writer.wait_closed().await?;
        assert!(all.await?? == data);
        Ok(())
    });
}

#[test]
fn a_write_never_overtakes_the_rest() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        let data = noise(MUCH);
        let (first, others) = data.split_at(MUCH - 500_000);
        writer.write(first);
        assert!(writer.unsent() > 0);
        let all = petla::spawn(async move { read_all(&peer).await });
        for piece in others.chunks(1_000) {
            // The socket may have room again by now, and the rest not be on its way yet.
            petla::yield_now().await;
            writer.write(piece);
        }
        writer.wait_closed().await?;
        assert!(all.await?? == data);
        Ok(())
    });
}

#[test]
fn drain_waits_above_the_high_mark_and_until_the_low_one() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        writer.write(&vec![1; MUCH]);
        assert!(poll_once(&mut writer.drain()).is_pending());
        writer.set_marks(MUCH, 0);
        assert!(poll_once(&mut writer.drain()).is_ready(), "not above");
        let low = MUCH / 4;
        writer.set_marks(low, low);
        let reading = petla::spawn(async move { read_all(&peer).await });
        writer.drain().await?;
        assert!(writer.unsent() <= low);
        writer.set_marks(0, 0);
        writer.drain().await?;
        assert_eq!(writer.unsent(), 0);
        writer.close();
        assert_eq!(reading.await??.len(), MUCH);
        Ok(())
    });
}

#[test]
fn a_peer_that_does_not_read_holds_up_whoever_drains() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        let piece = vec![7; 32 << 10];
        let mut written = 0;
        loop {
            writer.write(&piece);
            written += piece.len();
            assert!(writer.unsent() <= (64 << 10) + piece.len());
            assert!(written < 4 * MUCH, "it is never held up");
            let mut drain = writer.drain();
            if poll_once(&mut drain).is_pending() {
                break;
            }
        }
        let all = petla::spawn(async move { read_all(&peer).await });
        writer.drain().await?;
        assert!(writer.unsent() <= 16 << 10);
        drop(writer);
        assert_eq!(all.await??.len(), written);
        Ok(())
    });
}

#[test]
fn a_drain_that_is_given_up_loses_nothing() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        let data = noise(MUCH);
        writer.write(&data);
        for _ in 0..3 {
            assert!(poll_once(&mut writer.drain()).is_pending());
        }
        writer.write_eof();
        assert!(read_all(&peer).await? == data);
        writer.drain().await
    });
}

#[test]
fn reading_and_writing_go_on_side_by_side() {
    within_io(async {
        let (mut reader, mut writer, peer) = connected().await?;
        let data = noise(MUCH);
        let echo = petla::spawn(async move {
            let mut buf = vec![0; 1 << 16];
            while let n @ 1.. = peer.read(&mut buf).await? {
                peer.write_all(&buf[..n]).await?;
            }
            io::Result::Ok(())
        });
        let write = async {
            for piece in data.chunks(100_000) {
                writer.write(piece);
                writer.drain().await?;
            }
            writer.write_eof();
            io::Result::Ok(())
        };
        let read = async {
            let mut all = vec![0; MUCH];
            reader.read_exact(&mut all).await?;
            assert_eq!(reader.read(&mut [0]).await?, 0);
            io::Result::Ok(all)
        };
        let ((), all) = petla::try_gather!(write, read).await?;
        assert!(all == data);
        echo.await?
    });
}

#[test]
#[should_panic(expected = "the low mark (2) is above the high one (1)")]
fn marks_in_the_wrong_order_are_refused() {
    within_io(async {
        let (_reader, mut writer, _peer) = connected().await?;
        writer.set_marks(1, 2);
        Ok(())
    });
}
