//! Two connections become one: ends are passed on, an error ends both directions.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::Duration;

use petla::net::TcpStream;
use petla::streams::{CopyBidirectional, copy_bidirectional};

use super::{MUCH, Side, look, noise, read_all, reset, two};
use crate::common::{poll_once, within_io};

fn both<'a>(left: &'a mut Halves, right: &'a mut Halves) -> CopyBidirectional<'a> {
    copy_bidirectional((&mut left.0, &mut left.1), (&mut right.0, &mut right.1))
}

type Halves = (petla::streams::StreamReader, petla::streams::StreamWriter);

/// The halves in the middle, and the peers at both ends.
async fn chain() -> io::Result<(Halves, Halves, TcpStream, TcpStream)> {
    let (left, right) = two().await?;
    let halves = |side: Side| ((side.reader, side.writer), side.peer);
    let ((left, client), (right, server)) = (halves(left), halves(right));
    Ok((left, right, client, server))
}

#[test]
fn the_end_of_either_direction_is_passed_on_while_the_other_goes_on() {
    within_io(async {
        for client_first in [true, false] {
            let (mut left, mut right, client, server) = chain().await?;
            let (early, late) = match client_first {
                true => (client, server),
                false => (server, client),
            };
            let peers = petla::spawn(async move {
                early.write_all(b"question").await?;
                early.shutdown(Shutdown::Write)?;
                assert_eq!(read_all(&late).await?, b"question");
                late.write_all(b"long answer").await?;
                drop(late);
                assert_eq!(read_all(&early).await?, b"long answer");
                io::Result::Ok(())
            });
            let (there, back) = both(&mut left, &mut right).await?;
            let counts = if client_first { (8, 11) } else { (11, 8) };
            assert_eq!((there, back), counts);
            peers.await??;
            assert!(!left.1.is_closing() && !right.1.is_closing());
        }
        Ok(())
    });
}

#[test]
fn much_goes_both_ways_at_once() {
    within_io(async {
        let (mut left, mut right, client, server) = chain().await?;
        let peers = [client, server].map(|peer| {
            let write = async |peer: &TcpStream| {
                peer.write_all(&noise(MUCH)).await?;
                peer.shutdown(Shutdown::Write)
            };
            petla::spawn(async move {
                let ((), all) = petla::try_gather!(write(&peer), read_all(&peer)).await?;
                assert!(all == noise(MUCH));
                io::Result::Ok(())
            })
        });
        let counts = both(&mut left, &mut right).await?;
        assert_eq!(counts, (MUCH as u64, MUCH as u64));
        for peer in peers {
            peer.await??;
        }
        Ok(())
    });
}

#[test]
fn an_error_of_one_direction_ends_both_and_the_counts_are_kept() {
    within_io(async {
        for client_fails in [true, false] {
            let (mut left, mut right, client, server) = chain().await?;
            client.write_all(b"12345").await?;
            server.write_all(b"123").await?;
            let mut copying = both(&mut left, &mut right);
            while copying.copied() != (5, 3) {
                assert!(poll_once(&mut copying).is_pending());
                look().await;
            }
            let other = match client_fails {
                true => (reset(client), server).1,
                false => (reset(server), client).1,
            };
            let error = (&mut copying).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert_eq!(copying.copied(), (5, 3));
            drop(copying);
            drop((left, right));
            assert_eq!(
                read_all(&other).await?.len(),
                if client_fails { 5 } else { 3 }
            );
        }
        Ok(())
    });
}

#[test]
fn a_reset_ends_both_directions_also_while_the_other_is_stuck() {
    within_io(async {
        let (mut left, mut right, client, server) = chain().await?;
        let stuck = petla::spawn(async move {
            let sent = client.write_all(&vec![1; 2 * MUCH]).await;
            assert!(sent.is_err());
        });
        let mut copying = both(&mut left, &mut right);
        for _ in 0..500 {
            assert!(poll_once(&mut copying).is_pending());
            petla::yield_now().await;
        }
        reset(server);
        let error = (&mut copying).await.unwrap_err();
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{error}");
        drop(copying);
        left.1.abort();
        drop((left, right));
        stuck.await?;
        Ok(())
    });
}

#[test]
fn counts_that_stand_still_show_that_it_is_idle() {
    within_io(async {
        let (mut left, mut right, client, server) = chain().await?;
        let mut copying = both(&mut left, &mut right);
        assert_eq!(copying.copied(), (0, 0));
        client.write_all(b"ping").await?;
        let short = Duration::from_millis(1);
        while copying.copied() != (4, 0) {
            assert!(petla::timeout(short, &mut copying).await.is_err());
        }
        assert!(petla::timeout(short, &mut copying).await.is_err());
        assert_eq!(copying.copied(), (4, 0));
        server.read_exact(&mut [0; 4]).await?;
        drop((client, server));
        assert_eq!(copying.await?, (4, 0));
        Ok(())
    });
}
