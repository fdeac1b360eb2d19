//! Writes of several pieces: one call, in order, and what is left is kept (B68).

use std::io::{self, ErrorKind, IoSlice};

use petla::net::UnixStream;

use super::{MUCH, connected, noise, read_all};
use crate::common::{collect_reports, poll_once, within_io};

fn slices<'a>(pieces: &[&'a [u8]]) -> Vec<IoSlice<'a>> {
    pieces.iter().map(|piece| IoSlice::new(piece)).collect()
}

#[test]
fn pieces_leave_together_and_nothing_is_kept() {
    within_io(async {
        let (_reader, mut writer, peer) = connected().await?;
        writer.write_vectored(&slices(&[b"head", b"", b"body", b""]));
        assert_eq!(writer.unsent(), 0);
        let mut buf = [0; 64];
        assert_eq!(peer.read(&mut buf).await?, 8, "one packet");
        assert_eq!(&buf[..8], b"headbody");
        Ok(())
    });
}

#[test]
fn pieces_of_nothing_are_nothing() {
    within_io(async {
        // B68: an empty last chunk made asyncio's writer hang.
        let (_reader, mut writer, peer) = connected().await?;
        writer.write_vectored(&[]);
        writer.write_vectored(&slices(&[b"", b""]));
        writer.write(b"x");
        writer.write_vectored(&slices(&[b"y", b""]));
        writer.close();
        writer.write_vectored(&slices(&[b""]));
        writer.wait_closed().await?;
        assert_eq!(read_all(&peer).await?, b"xy");
        Ok(())
    });
}

#[test]
fn what_the_socket_does_not_take_is_kept_in_order_and_waited_for() {
    within_io(async {
        // B68: the remainder was never written, and drain did not wait for it.
        let data = noise(MUCH);
        for first in [1, 1_000, MUCH / 3] {
            let (_reader, mut writer, peer) = connected().await?;
            let (a, rest) = data.split_at(first);
            let (b, c) = rest.split_at(rest.len() / 2);
            writer.write_vectored(&slices(&[a, b, b"", c]));
            assert!(writer.unsent() > 0);
            assert!(poll_once(&mut writer.drain()).is_pending());
            // Behind a rest nothing is sent at once.
            writer.write_vectored(&slices(&[b"the", b" end"]));
            let all = petla::spawn(async move { read_all(&peer).await });
            writer.wait_closed().await?;
            let all = all.await??;
            assert!(all[..MUCH] == data && &all[MUCH..] == b"the end");
        }
        Ok(())
    });
}

#[test]
fn more_pieces_than_a_call_takes_arrive_in_order() {
    within_io(async {
        let data = noise(5_000);
        let pieces: Vec<_> = data.chunks(2).map(IoSlice::new).collect();
        let (_reader, mut writer, peer) = connected().await?;
        writer.write_vectored(&pieces);
        writer.close();
        assert!(read_all(&peer).await? == data);
        Ok(())
    });
}

#[test]
fn pieces_go_through_unix_sockets_and_pipes() {
    within_io(async {
        let data = noise(MUCH / 4);
        let (a, b) = data.split_at(70_000);
        let (stream, peer) = UnixStream::pair()?;
        let (_, mut writer) = stream.into_streams();
        writer.write_vectored(&slices(&[a, b]));
        drop(writer);
        let mut all = vec![0; data.len()];
        peer.read_exact(&mut all).await?;
        assert!(all == data);

        let (reader, writer) = petla::io::pipe()?;
        let mut writer = writer.into_stream();
        writer.write_vectored(&slices(&[a, b]));
        writer.close();
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await?;
        assert!(all == data);
        Ok(())
    });
}

#[test]
fn pieces_after_the_end_are_an_error() {
    within_io(async {
        let reports = collect_reports();
        let (_reader, mut writer, _peer) = connected().await?;
        writer.write_eof();
        writer.write_vectored(&slices(&[b"too", b"late"]));
        let error = writer.drain().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        drop(writer);
        assert_eq!(reports.len(), 0);
        io::Result::Ok(())
    });
}
