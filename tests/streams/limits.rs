//! Messages longer than the limit: a typed error, and nothing is lost.

use petla::streams::ReadError;

use super::{connected, noise};
use crate::common::{poll_once, within_io};

/// How much can be read before the separator is touched.
fn consumed<T: std::fmt::Debug>(result: Result<T, ReadError>) -> usize {
    match result {
        Err(ReadError::LimitOverrun { consumed }) => consumed,
        other => panic!("within the limit: {other:?}"),
    }
}

#[test]
fn the_limit_is_that_of_asyncio() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        assert_eq!(reader.limit(), 64 * 1024);
        let peer = petla::spawn(async move {
            for length in [65_536, 65_537] {
                peer.write_all(&vec![b'x'; length]).await.unwrap();
                peer.write_all(b"\n").await.unwrap();
            }
        });
        assert_eq!(reader.read_line().await?.unwrap().len(), 65_536);
        assert_eq!(consumed(reader.read_line().await), 65_537);
        reader.set_limit(65_537);
        assert_eq!(reader.read_line().await?.unwrap().len(), 65_537);
        peer.await?;
        Ok(())
    });
}

#[test]
fn too_long_with_its_separator_or_without() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        reader.set_limit(3);
        peer.write_all(b"abc--").await?;
        assert_eq!(reader.read_until(b"--").await?, b"abc--");
        peer.write_all(b"abcd--").await?;
        assert_eq!(consumed(reader.read_until(b"--").await), 4);
        assert_eq!(consumed(reader.read_until(b"--").await), 4, "again");
        let mut all = [0; 6];
        reader.read_exact(&mut all).await?;
        assert_eq!(&all, b"abcd--");

        peer.write_all(b"abcd").await?; // "abc" and what may begin a separator
        assert!(poll_once(&mut reader.read_until(b"--")).is_pending());
        peer.write_all(b"-").await?;
        assert_eq!(consumed(reader.read_until(b"--").await), 4);
        let mut four = [0; 4];
        reader.read_exact(&mut four).await?;
        peer.write_all(b"-").await?;
        assert_eq!(reader.read_until(b"--").await?, b"--", "it was not split");
        Ok(())
    });
}

#[test]
fn an_endless_line_takes_bounded_memory() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        let endless = petla::spawn(async move { peer.write_all(&vec![b'x'; 64 << 20]).await });
        let consumed = consumed(reader.read_line().await);
        assert!((65_537..=2 * 65_536).contains(&consumed), "{consumed}");
        assert!(!endless.is_finished(), "the peer has to wait");
        drop(reader);
        Ok(())
    });
}

#[test]
fn a_line_of_a_megabyte_comes_if_it_may() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        reader.set_limit(usize::MAX);
        let mut data: Vec<u8> = noise(1 << 20)
            .iter()
            .map(|byte| byte & 0x7f | 0x20)
            .collect();
        data.push(b'\n');
        let sent = data.clone();
        let peer = petla::spawn(async move {
            for piece in sent.chunks(10_007) {
                peer.write_all(piece).await.unwrap();
                petla::yield_now().await;
            }
            peer
        });
        let line = reader.read_line().await?.unwrap();
        assert!(line.as_bytes() == &data[..1 << 20]);
        peer.await?.write_all(b"short\n").await?;
        assert_eq!(reader.read_line().await?, Some("short"));
        Ok(())
    });
}

#[test]
fn a_long_line_that_ends_with_the_stream_is_too_long_as_well() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        reader.set_limit(3);
        peer.write_all(b"abcd").await?;
        drop(peer);
        assert_eq!(consumed(reader.read_line().await), 4);
        assert!(!reader.at_eof());
        reader.set_limit(4);
        assert_eq!(reader.read_line().await?, Some("abcd"));
        assert!(reader.at_eof());
        Ok(())
    });
}
