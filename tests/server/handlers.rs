//! What handlers may do, and how they end: an error or a panic is told and ends one connection.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use petla::net::TcpStream;
use petla::streams::{StreamReader, StreamWriter, open_connection, start_server};
use petla::{TaskGroup, all_tasks, select, timeout};

use super::{LOCAL, MUCH, client, read_all, served};
use crate::common::{collect_reports, raise, within_io, yield_until};

/// Does what the first line says; an echo after anything else.
async fn obey(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    match reader.read_line().await? {
        Some("fail") => Err(io::Error::other("as it was told")),
        Some("panic") => raise("as it was told"),
        Some("refuse") => Ok(()),
        line => {
            writer.write(line.unwrap_or("").as_bytes());
            writer.wait_closed().await
        }
    }
}

#[test]
fn an_error_is_reported_with_the_client_and_ends_that_connection_alone() {
    within_io(async {
        let reports = collect_reports();
        let server = start_server(LOCAL, obey).await?;
        let bad = client(&server).await?;
        let good = client(&server).await?;
        bad.write_all(b"fail\n").await?;
        assert_eq!(read_all(&bad).await?, b"");
        let report = reports.only();
        let who = format!("the handler of the connection from {}", bad.local_addr()?);
        assert!(report.starts_with(&format!("{who} failed: ")), "{report}");
        assert!(report.contains("handlers.rs"), "where it began: {report}");
        assert!(report.ends_with("as it was told"), "{report}");
        good.write_all(b"hello\n").await?;
        assert_eq!(read_all(&good).await?, b"hello");
        Ok(())
    });
}

#[test]
fn a_panic_is_reported_with_the_client_and_ends_that_connection_alone() {
    within_io(async {
        let reports = collect_reports();
        let server = start_server(LOCAL, obey).await?;
        let (bad, good) = (client(&server).await?, client(&server).await?);
        bad.write_all(b"panic\n").await?;
        assert_eq!(read_all(&bad).await?, b"");
        let report = reports.only();
        let who = format!("the handler of the connection from {}", bad.local_addr()?);
        assert!(report.contains(&who), "{report}");
        assert!(report.contains("as it was told"), "{report}");
        good.write_all(b"hello\n").await?;
        assert_eq!(read_all(&good).await?, b"hello");
        drop(good);
        assert_eq!(server.shutdown(None).await, 0);
        Ok(())
    });
}

#[test]
fn a_handler_that_panics_or_fails_at_once_harms_nobody() {
    within_io(async {
        let reports = collect_reports();
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        // It panics before there is a future, in one, or fails.
        let handler = move |_: StreamReader, _: StreamWriter| {
            count.set(count.get() + 1);
            let call = count.get();
            if call == 1 {
                raise("at once");
            }
            async move {
                if call == 2 {
                    raise("in the first poll");
                }
                Err(io::Error::other("at once"))
            }
        };
        let server = start_server(LOCAL, handler).await?;
        for call in 1..=3 {
            assert!(read_all(&client(&server).await?).await?.is_empty());
            assert_eq!((calls.get(), reports.take().len()), (call, 1));
        }
        assert_eq!(server.shutdown(None).await, 0);
        Ok(())
    });
}

#[test]
fn the_connection_ends_with_its_handler_and_what_is_unsent_is_sent() {
    within_io(async {
        let reports = collect_reports();
        let handler = async |_: StreamReader, mut writer: StreamWriter| {
            writer.write(&vec![3; MUCH]);
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        assert_eq!(read_all(&peer).await?.len(), MUCH);
        yield_until(|| server.connections() == 0).await;
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn a_cancelled_handler_ends_its_connection_and_nobody_elses() {
    within_io(async {
        let reports = collect_reports();
        let server = start_server(LOCAL, super::echo).await?;
        let before: Vec<_> = all_tasks();
        let peer = served(&server).await?;
        let handler = all_tasks().into_iter().find(|task| !before.contains(task));
        let other = served(&server).await?;
        assert!(handler.unwrap().cancel("by a stranger"));
        assert_eq!(read_all(&peer).await?, b"");
        other.write_all(b"x").await?;
        other.read_exact(&mut [0]).await?;
        assert_eq!((server.connections(), reports.len()), (1, 0));
        Ok(())
    });
}

#[test]
fn a_loop_that_writes_and_drains_sees_the_peer_go() {
    within_io(async {
        // B71: such a loop need not wait for anything, and asyncio's never looked.
        let reports = collect_reports();
        let rounds = Rc::new(Cell::new(0));
        let count = Rc::clone(&rounds);
        let handler = async move |_: StreamReader, mut writer: StreamWriter| {
            loop {
                writer.write(b"tick");
                writer.drain().await?;
                count.set(count.get() + 1);
                petla::yield_now().await;
            }
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        peer.read_exact(&mut [0; 4]).await?;
        drop(peer);
        yield_until(|| server.connections() == 0).await;
        assert!(rounds.get() > 0);
        let report = reports.only();
        assert!(report.contains("failed"), "{report}");
        Ok(())
    });
}

#[test]
fn readers_and_writers_go_with_timeouts_races_and_groups() {
    within_io(async {
        let handler = async |mut reader: StreamReader, mut writer: StreamWriter| {
            // A limit on the first line, a race of two sources, two children that share it.
            let limit = Duration::from_secs(10);
            let name = timeout(limit, reader.read_line()).await??;
            let name = name.unwrap_or("").to_owned();
            writer.write(name.as_bytes());
            let quiet = petla::sleep(Duration::from_secs(60));
            select! {
                line = reader.read_line() => { line?; }
                _ = quiet => {}
            }
            let (reader, writer) = (&mut reader, &mut writer);
            TaskGroup::run(async move |g| {
                g.spawn(async move {
                    let mut rest = [0; 4];
                    reader.read_exact(&mut rest).await?;
                    assert_eq!(&rest, b"rest");
                    io::Result::Ok(())
                });
                g.spawn(async move {
                    writer.write(b" and ");
                    writer.write(&vec![b'x'; MUCH]);
                    writer.drain().await
                });
                io::Result::Ok(())
            })
            .await?;
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        peer.write_all(b"name\nline\nrest").await?;
        let all = read_all(&peer).await?;
        assert!(all.starts_with(b"name and xxx"));
        assert_eq!(all.len(), MUCH + 9);
        Ok(())
    });
}

#[test]
fn a_read_that_is_timed_out_in_a_handler_loses_nothing() {
    within_io(async {
        let handler = async |mut reader: StreamReader, mut writer: StreamWriter| {
            let mut misses = 0_u32;
            let line = loop {
                match timeout(Duration::ZERO, reader.read_line()).await {
                    Ok(line) => break line?.map(str::to_owned),
                    Err(_) => misses += 1,
                }
                petla::yield_now().await;
            };
            assert!(misses > 0);
            writer.write(line.unwrap().as_bytes());
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let (mut reader, mut writer) = open_connection(server.local_addr()?).await?;
        for byte in b"in pieces\n" {
            writer.write(&[*byte]);
            petla::yield_now().await;
        }
        assert_eq!(reader.read_line().await?, Some("in pieces"));
        Ok(())
    });
}

#[test]
fn a_connection_may_be_taken_out_of_its_streams() {
    within_io(async {
        let kept = Rc::new(Cell::new(None));
        let place = Rc::clone(&kept);
        let handler = async move |mut reader: StreamReader, writer: StreamWriter| {
            assert_eq!(reader.read_line().await?, Some("take me"));
            let Ok(taken) = TcpStream::from_streams(reader, writer) else {
                panic!("it is whole");
            };
            place.set(Some(taken));
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        peer.write_all(b"take me\nand this").await?;
        let (stream, unread) = loop {
            match kept.take() {
                Some(taken) => break taken,
                None => petla::yield_now().await,
            }
        };
        assert_eq!(unread, b"and this");
        server.close();
        server.wait_closed().await;
        stream.write_all(b"free").await?;
        drop(stream);
        assert_eq!(read_all(&peer).await?, b"free");
        Ok(())
    });
}

#[test]
fn writing_after_the_close_is_the_handlers_error() {
    within_io(async {
        let reports = collect_reports();
        let handler = async |_: StreamReader, mut writer: StreamWriter| {
            writer.close();
            writer.write(b"too late");
            let error = writer.drain().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            Err(error)
        };
        let server = start_server(LOCAL, handler).await?;
        assert_eq!(read_all(&client(&server).await?).await?, b"");
        yield_until(|| server.connections() == 0).await;
        let report = reports.only();
        assert!(report.contains("after this writer was closed"), "{report}");
        Ok(())
    });
}
