//! How connections end: half closed, closed, dropped, aborted, with and without a rest to send.

use std::io::{self, ErrorKind, Read as _};

use petla::all_tasks;
use petla::net::TcpStream;
use petla::streams::{StreamReader, StreamWriter, open_connection};

use super::{MUCH, connected, noise, read_all};
use crate::common::{Log, collect_reports, poll_once, within, within_io, yield_until};

/// A connection whose writer was given more than the sockets hold; all of that.
async fn with_a_rest() -> io::Result<(StreamReader, StreamWriter, TcpStream, Vec<u8>)> {
    let (reader, mut writer, peer) = connected().await?;
    let data = noise(MUCH);
    writer.write(&data);
    Ok((reader, writer, peer, data))
}

/// Ends what is written, with the connection or without.
fn end(writer: &mut StreamWriter, closes: bool) {
    if closes {
        writer.close();
    } else {
        writer.write_eof();
    }
}

#[test]
fn after_write_eof_the_peer_reads_the_end_and_may_still_answer() {
    within_io(async {
        let (mut reader, mut writer, peer) = connected().await?;
        writer.write(b"question");
        writer.write_eof();
        assert_eq!(read_all(&peer).await?, b"question");
        peer.write_all(b"answer\n").await?;
        assert_eq!(reader.read_line().await?, Some("answer"));
        assert!(!writer.is_closing());
        writer.wait_closed().await?;
        assert!(writer.is_closing());
        Ok(())
    });
}

#[test]
fn after_the_peer_ended_its_half_writing_goes_on() {
    within_io(async {
        let (mut reader, mut writer, peer) = connected().await?;
        peer.shutdown(std::net::Shutdown::Write)?;
        assert_eq!(reader.read_line().await?, None);
        writer.write(b"late");
        writer.wait_closed().await?;
        assert_eq!(read_all(&peer).await?, b"late");
        Ok(())
    });
}

#[test]
fn the_end_comes_behind_the_rest() {
    within_io(async {
        for closes in [true, false] {
            let (_reader, mut writer, peer, data) = with_a_rest().await?;
            end(&mut writer, closes);
            assert!(writer.unsent() > 0);
            assert!(read_all(&peer).await? == data);
            writer.wait_closed().await?;
        }
        Ok(())
    });
}

#[test]
fn closing_ends_the_reader_also_one_that_waits() {
    within_io(async {
        let (mut reader, mut writer, peer) = connected().await?;
        peer.write_all(b"before").await?;
        let reading = petla::spawn(async move {
            let last = reader.read_line().await?.map(str::to_owned);
            assert_eq!(reader.read_line().await?, None);
            io::Result::Ok(last)
        });
        petla::yield_now().await; // it waits now
        writer.close();
        assert_eq!(reading.await??.as_deref(), Some("before"));
        Ok(())
    });
}

#[test]
fn a_wait_for_the_close_that_is_given_up_loses_nothing() {
    within_io(async {
        let (_reader, mut writer, peer, data) = with_a_rest().await?;
        assert!(poll_once(&mut writer.wait_closed()).is_pending());
        assert!(read_all(&peer).await? == data);
        writer.wait_closed().await?;
        writer.wait_closed().await?;
        Ok(())
    });
}

#[test]
fn a_dropped_writer_sends_its_rest_and_the_end_and_the_reader_goes_on() {
    within_io(async {
        let reports = collect_reports();
        for length in [5, MUCH] {
            let (mut reader, mut writer, peer) = connected().await?;
            let data = noise(length);
            writer.write(&data);
            drop(writer);
            assert!(read_all(&peer).await? == data);
            peer.write_all(b"seen\n").await?;
            assert_eq!(reader.read_line().await?, Some("seen"));
        }
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn a_dropped_connection_sends_its_rest() {
    within_io(async {
        let tasks = all_tasks().len();
        let (reader, writer, peer, data) = with_a_rest().await?;
        drop((reader, writer));
        assert!(read_all(&peer).await? == data);
        yield_until(|| all_tasks().len() == tasks).await;
        Ok(())
    });
}

#[test]
fn what_is_unsent_when_the_loop_ends_is_reported_once() {
    for keep in [true, false] {
        let (reports, peer) = within(async {
            let reports = collect_reports();
            let (_reader, mut writer, peer) = connected().await.unwrap();
            writer.write(&vec![1; MUCH]);
            if keep {
                petla::spawn(async move {
                    let _writer = writer;
                    std::future::pending::<()>().await
                })
                .detach();
                petla::yield_now().await;
            }
            (reports, peer)
        });
        drop(peer);
        assert_only(&reports, "bytes that cannot be sent any more");
    }
}

#[test]
fn a_farewell_in_a_cleanup_is_sent_while_the_loop_closes() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let mut all = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
        all
    });
    within(async move {
        let (_reader, mut writer) = open_connection(addr).await.unwrap();
        petla::spawn(async move {
            petla::on_cancel(async move {
                writer.write(&vec![1; MUCH]);
                writer.drain().await.unwrap();
                writer.wait_closed().await.unwrap();
            });
            std::future::pending::<()>().await
        })
        .detach();
        petla::yield_now().await;
    });
    assert_eq!(peer.join().unwrap().len(), MUCH);
}

#[test]
fn what_is_written_after_the_end_is_an_error_of_the_next_drain() {
    within_io(async {
        let reports = collect_reports();
        for closes in [true, false] {
            let (_reader, mut writer, peer, data) = with_a_rest().await?;
            end(&mut writer, closes);
            writer.write(b"too late");
            assert!(read_all(&peer).await? == data, "what was accepted is sent");
            for _ in 0..2 {
                let error = writer.drain().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                assert!(error.to_string().contains("after"), "{error}");
            }
            let error = writer.wait_closed().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
        assert_eq!(reports.len(), 0, "told once is enough");
        Ok(())
    });
}

#[test]
fn what_is_written_after_the_end_and_never_asked_for_is_reported() {
    within_io(async {
        let reports = collect_reports();
        let (_reader, mut writer, _peer) = connected().await?;
        writer.close();
        writer.write(b"too late");
        drop(writer);
        assert_only(&reports, "after this writer was closed");
        Ok(())
    });
}

#[test]
fn an_aborted_connection_throws_its_rest_away_and_resets() {
    within_io(async {
        let reports = collect_reports();
        let tasks = all_tasks().len();
        let (mut reader, mut writer, peer) = connected().await?;
        writer.write(&vec![1; MUCH]);
        writer.abort();
        assert!(writer.is_closing());
        assert_eq!(writer.unsent(), 0);
        assert_eq!(reader.read(&mut [0; 8]).await?, 0);
        yield_until(|| all_tasks().len() == tasks).await;
        let error = writer.drain().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        drop((reader, writer));
        let error = read_all(&peer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn an_aborted_connection_resets_at_once_and_never_looks_like_an_orderly_end() {
    within_io(async {
        let (mut reader, mut writer, peer) = connected().await?;
        writer.write(b"a part of it");
        petla::yield_now().await;
        writer.abort();
        let error = read_all(&peer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(reader.read(&mut [0; 8]).await?, 0);
        drop((reader, writer));
        Ok(())
    });
}

#[track_caller]
fn assert_only(reports: &Log<String>, text: &str) {
    let report = reports.only();
    assert!(report.contains(text), "{report}");
}
