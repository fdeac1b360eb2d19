//! Lines, messages and plain reads: whatever the pieces, and wherever a read is given up.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use petla::Stream;
use petla::streams::ReadError;

use super::{connected, look, noise};
use crate::common::{poll_once, within_io};

#[test]
fn lines_come_whole_from_a_peer_that_writes_byte_by_byte() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        let peer = petla::spawn(async move {
            for byte in "ein\r\nzwei\n\nüb\rer\r\r\nrest\r".bytes() {
                peer.write_all(&[byte]).await?;
                petla::yield_now().await;
            }
            io::Result::Ok(())
        });
        for line in ["ein", "zwei", "", "üb\rer\r", "rest\r"] {
            assert_eq!(reader.read_line().await?, Some(line));
        }
        assert_eq!(reader.read_line().await?, None);
        assert_eq!(reader.read_line().await?, None);
        peer.await?
    });
}

#[test]
fn a_separator_may_come_in_pieces() {
    within_io(async {
        let text = b"a\r\r\n\r\r\n\r\n";
        for split in 1..text.len() {
            let (mut reader, _writer, peer) = connected().await?;
            peer.write_all(&text[..split]).await?;
            let mut read = reader.read_until(b"\r\n\r\n");
            assert!(poll_once(&mut read).is_pending());
            look().await;
            assert!(poll_once(&mut read).is_pending());
            peer.write_all(&text[split..]).await?;
            peer.write_all(b"more").await?;
            assert_eq!(read.await?, text);
            let mut buf = [0; 4];
            reader.read_exact(&mut buf).await?;
            assert_eq!(&buf, b"more");
        }
        Ok(())
    });
}

#[test]
fn of_several_separators_the_one_that_ends_first_counts() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"one;two\r\nthree\nfour--;").await?;
        let separators: [&[u8]; 4] = [b"\r\n", b"\n", b"--;", b";"];
        for message in ["one;", "two\r\n", "three\n", "four--;"] {
            let read = reader.read_until_any(&separators).await?;
            assert_eq!(read, message.as_bytes());
        }
        Ok(())
    });
}

#[test]
fn all_ways_of_reading_can_be_mixed() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"line\n12345;ab--tail").await?;
        let mut buf = [0; 3];
        assert_eq!(reader.read_line().await?, Some("line"));
        assert_eq!(reader.read(&mut buf).await?, 3);
        assert_eq!(&buf, b"123");
        assert_eq!(reader.read_until(b";").await?, b"45;");
        reader.read_exact(&mut buf[..2]).await?;
        assert_eq!(&buf[..2], b"ab");
        drop(peer);
        assert_eq!(reader.lines().next().await.unwrap()?, "--tail");
        assert!(reader.lines().next().await.is_none());
        Ok(())
    });
}

#[test]
fn reads_of_nothing_are_ready_at_once() {
    within_io(async {
        let (mut reader, _writer, _peer) = connected().await?;
        assert!(matches!(
            poll_once(&mut reader.read(&mut [])),
            Poll::Ready(Ok(0))
        ));
        let nothing = poll_once(&mut reader.read_exact(&mut []));
        assert!(matches!(nothing, Poll::Ready(Ok(()))));
        assert!(!reader.at_eof());
        Ok(())
    });
}

#[test]
fn each_way_of_reading_sees_the_end_in_its_own_way() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"abc").await?;
        drop(peer);
        let mut buf = [0; 8];
        let error = reader.read_exact(&mut buf).await.unwrap_err();
        assert!(matches!(error, ReadError::Incomplete { partial } if partial == b"abc"));
        assert_eq!(&buf[..3], b"abc");
        assert!(reader.at_eof());
        for _ in 0..2 {
            assert_eq!(reader.read(&mut buf).await?, 0);
            assert_eq!(reader.read_line().await?, None);
            let until = reader.read_until(b"x").await.unwrap_err();
            assert!(matches!(until, ReadError::Incomplete { partial } if partial.is_empty()));
            let exact = reader.read_exact(&mut buf).await.unwrap_err();
            assert!(matches!(exact, ReadError::Incomplete { partial } if partial.is_empty()));
        }
        Ok(())
    });
}

#[test]
fn the_end_is_seen_only_when_the_buffer_is_empty() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"ab").await?;
        drop(peer);
        let until = reader.read_until(b";").await.unwrap_err();
        assert!(matches!(until, ReadError::Incomplete { partial } if partial == b"ab"));
        assert!(reader.at_eof());

        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"a\nb").await?;
        drop(peer);
        assert_eq!(reader.read_line().await?, Some("a"));
        assert!(!reader.at_eof(), "nobody has looked yet");
        assert_eq!(reader.read_line().await?, Some("b"));
        assert!(reader.at_eof());
        Ok(())
    });
}

#[test]
fn a_read_of_a_line_that_is_given_up_loses_nothing() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        for byte in b"first\nsecond\n" {
            let pending = poll_once(&mut reader.read_line()).is_pending();
            assert!(pending, "given up before each byte");
            peer.write_all(&[*byte]).await?;
            look().await;
            if *byte == b'\n' {
                let line = reader.read_line().await?.unwrap();
                assert!(line == "first" || line == "second", "{line}");
            }
        }
        Ok(())
    });
}

#[test]
fn an_exact_read_that_is_given_up_puts_everything_back() {
    within_io(async {
        for length in [5, 100_000] {
            let (mut reader, _writer, peer) = connected().await?;
            let data = noise(length);
            let mut buf = vec![0; length];
            for piece in data.chunks(length.div_ceil(5)) {
                assert!(poll_once(&mut reader.read_exact(&mut buf)).is_pending());
                peer.write_all(piece).await?;
                look().await;
            }
            peer.write_all(b"\n").await?;
            buf.fill(0);
            reader.read_exact(&mut buf).await?;
            assert!(buf == data);
            assert_eq!(reader.read_line().await?, Some(""));
        }
        Ok(())
    });
}

/// What came before the end.
fn rest_of(error: ReadError) -> Vec<u8> {
    match error {
        ReadError::Incomplete { partial } => partial,
        other => panic!("{other}"),
    }
}

/// Reads of every kind and size, some given up, come out as what was sent.
#[test]
fn whatever_is_given_up_the_bytes_stay_in_order() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        let data = noise(1 << 20);
        let sent = data.clone();
        let peer = petla::spawn(async move {
            for (round, piece) in sent.chunks(7_001).enumerate() {
                peer.write_all(piece).await?;
                if round % 3 == 0 {
                    petla::yield_now().await;
                }
            }
            io::Result::Ok(())
        });
        let (mut got, mut buf) = (Vec::new(), vec![0; 40_000]);
        reader.set_limit(usize::MAX);
        for round in 0_usize.. {
            let part = &mut buf[..1 + round * 7919 % 40_000];
            if let Poll::Ready(until) = poll_once(&mut reader.read_until(b"no such text")) {
                got.extend(rest_of(until.unwrap_err()));
            }
            let exact = poll_once(&mut reader.read_exact(part));
            match exact {
                Poll::Ready(Ok(())) => got.extend_from_slice(part),
                Poll::Ready(Err(error)) => got.extend(rest_of(error)),
                Poll::Pending => {}
            }
            let n = reader.read(part).await?;
            got.extend_from_slice(&part[..n]);
            assert!(data.starts_with(&got), "round {round}");
            if reader.at_eof() {
                break;
            }
        }
        assert_eq!(got.len(), data.len());
        peer.await?
    });
}

#[test]
fn a_future_of_a_read_may_be_polled_by_reference_and_moved() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        let mut read = reader.read_line();
        assert!(poll_once(&mut read).is_pending());
        let mut moved = Box::new(read);
        peer.write_all(b"here\n").await?;
        assert_eq!(Pin::new(&mut *moved).await?, Some("here"));
        Ok(())
    });
}

#[test]
fn lines_are_a_stream_and_their_first_error_ends_it() {
    within_io(async {
        let (mut reader, _writer, peer) = connected().await?;
        peer.write_all(b"good\r\nb\xffd\nlater\n").await?;
        {
            let mut lines = pin!(reader.lines());
            let mut all = Vec::new();
            while let Some(line) = poll_fn(|cx| lines.as_mut().poll_next(cx)).await {
                all.push(line);
            }
            assert_eq!(all.len(), 2);
            assert_eq!(all[0].as_ref().unwrap(), "good");
            assert!(matches!(all[1], Err(ReadError::Utf8)));
        }
        assert!(matches!(reader.read_line().await, Err(ReadError::Utf8)));
        assert_eq!(reader.read_until(b"\n").await?, b"b\xffd\n");
        assert_eq!(reader.read_line().await?, Some("later"));
        Ok(())
    });
}

#[test]
#[should_panic(expected = "an empty separator")]
fn an_empty_separator_is_refused() {
    within_io(async {
        let (mut reader, _writer, _peer) = connected().await?;
        drop(reader.read_until_any(&[b"\n", b""]));
        Ok(())
    });
}
