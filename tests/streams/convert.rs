//! Streams over Unix sockets and pipes, and sockets that come back out of their streams.

use std::io::{self, ErrorKind};
use std::process::{Command, Stdio};

use petla::all_tasks;
use petla::io::{PipeReader, PipeWriter, pipe};
use petla::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use petla::streams::{StreamReader, StreamWriter, open_connection, open_unix_connection};

use super::{MUCH, connected, noise, read_all};
use crate::common::hand::at_once;
use crate::common::{collect_reports, poll_once, tcp_pair, within_io, yield_until};

#[test]
fn a_unix_connection_has_everything_that_a_tcp_connection_has() {
    within_io(async {
        let path = std::env::temp_dir().join(format!("petla-streams-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).await?;
        let (mut reader, mut writer) = open_unix_connection(&path).await?;
        let (peer, _) = listener.accept().await?;
        std::fs::remove_file(&path)?;

        let data = noise(MUCH);
        writer.write(&data);
        assert!(writer.unsent() > 0);
        writer.write_eof();
        let mut all = vec![0; MUCH];
        peer.read_exact(&mut all).await?;
        assert!(all == data);
        assert_eq!(peer.read(&mut [0]).await?, 0);
        peer.write_all(b"line\nrest").await?;
        assert_eq!(reader.read_line().await?, Some("line"));
        writer.wait_closed().await?;
        assert_eq!(reader.read_line().await?, Some("rest"));
        let error = writer.peer_addr().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        Ok(())
    });
}

#[test]
fn an_aborted_unix_connection_ends_for_both() {
    within_io(async {
        let (stream, peer) = UnixStream::pair()?;
        let (mut reader, mut writer) = stream.into_streams();
        writer.write(&vec![1; MUCH]);
        let tasks = all_tasks().len();
        writer.abort();
        assert_eq!(reader.read(&mut [0; 8]).await?, 0);
        yield_until(|| all_tasks().len() < tasks).await;
        drop((reader, writer));
        let mut buf = vec![0; MUCH];
        assert!(peer.read_exact(&mut buf).await.is_err());
        Ok(())
    });
}

#[test]
fn what_was_received_and_not_read_goes_with_the_socket() {
    within_io(async {
        // B73: a change of protocol lost what was in the buffer.
        let (stream, peer) = tcp_pair().await?;
        let (mut reader, mut writer) = stream.into_streams();
        writer.write(b"out");
        peer.write_all(b"line\nunread").await?;
        assert_eq!(reader.read_line().await?, Some("line"));
        let (stream, unread) = TcpStream::from_streams(reader, writer).unwrap();
        assert_eq!(unread, b"unread");
        peer.write_all(b" and later").await?;
        let mut later = [0; 10];
        stream.read_exact(&mut later).await?;
        assert_eq!(&later, b" and later");
        stream.write_all(b" and in").await?;
        drop(stream);
        assert_eq!(read_all(&peer).await?, b"out and in");
        Ok(())
    });
}

#[test]
fn a_unix_socket_comes_back_and_may_wait_again() {
    within_io(async {
        let (stream, peer) = UnixStream::pair()?;
        let (mut reader, writer) = stream.into_streams();
        assert!(poll_once(&mut reader.read_line()).is_pending());
        let (stream, unread) = UnixStream::from_streams(reader, writer).unwrap();
        assert_eq!(unread, b"");
        let mut buf = [0; 2];
        let mut read = stream.read_exact(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        peer.write_all(b"ok").await?;
        read.await?;
        assert_eq!(&buf, b"ok");
        Ok(())
    });
}

#[test]
fn halves_that_are_not_whole_come_back_unchanged() {
    within_io(async {
        let _what_is_thrown_away = collect_reports();
        let (reader, writer, _peer) = connected().await?;
        let (other_reader, other_writer, _other) = connected().await?;
        let Err((reader, other_writer)) = TcpStream::from_streams(reader, other_writer) else {
            panic!("two connections");
        };
        drop((other_reader, other_writer));
        let Err((reader, mut writer)) = UnixStream::from_streams(reader, writer) else {
            panic!("it is of TCP");
        };
        writer.write(&vec![1; MUCH]);
        let Err((reader, mut writer)) = TcpStream::from_streams(reader, writer) else {
            panic!("something is unsent");
        };
        assert!(writer.unsent() > 0);
        writer.close();
        assert!(TcpStream::from_streams(reader, writer).is_err(), "closed");
        Ok(())
    });
}

#[test]
fn without_a_loop_what_is_unsent_is_not_given_up_either() {
    let event_loop = petla::EventLoop::new().unwrap();
    let opened = event_loop.run_until_complete(connected()).unwrap();
    let (reader, mut writer, peer) = opened.unwrap();
    writer.write(&vec![1; MUCH]);
    let Err((reader, mut writer)) = TcpStream::from_streams(reader, writer) else {
        panic!("nobody sends it, and it is unsent");
    };
    let sent = event_loop.run_until_complete(async {
        let all = petla::spawn(async move { read_all(&peer).await });
        writer.wait_closed().await.unwrap();
        all.await.unwrap().unwrap().len()
    });
    assert_eq!(sent.unwrap(), MUCH);
    drop(reader);
}

#[test]
fn a_pipe_is_closed_by_its_writer_also_when_that_is_kept() {
    within_io(async {
        for (length, closes) in [(5, true), (5, false), (MUCH, true), (MUCH, false)] {
            let (reader, writer) = pipe()?;
            let mut writer = writer.into_stream();
            let data = noise(length);
            writer.write(&data);
            if closes {
                writer.close();
            } else {
                writer.write_eof();
            }
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await?;
            assert!(all == data);
            writer.wait_closed().await?;
            writer.write(b"too late");
            let error = writer.drain().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert!(writer.local_addr().is_err());
        }
        Ok(())
    });
}

#[test]
fn a_dropped_pipe_writer_sends_its_rest() {
    within_io(async {
        let reports = collect_reports();
        let (reader, writer) = pipe()?;
        let mut writer = writer.into_stream();
        writer.write(&vec![7; MUCH]);
        drop(writer);
        let mut all = Vec::new();
        assert_eq!(reader.read_to_end(&mut all).await?, MUCH);
        assert_eq!((reports.len(), all_tasks().len()), (0, 1));
        Ok(())
    });
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_of_every_drain() {
    within_io(async {
        for length in [1, MUCH] {
            let (reader, writer) = pipe()?;
            let mut writer = writer.into_stream();
            if length == 1 {
                drop(reader);
                writer.write(b"x");
            } else {
                writer.write(&vec![1; length]);
                assert!(poll_once(&mut writer.drain()).is_pending());
                drop(reader);
            }
            for _ in 0..2 {
                let error = writer.drain().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }
            writer.wait_closed().await.unwrap_err();
        }
        Ok(())
    });
}

#[test]
fn an_aborted_pipe_throws_its_rest_away() {
    within_io(async {
        let (reader, writer) = pipe()?;
        let mut writer = writer.into_stream();
        writer.write(&vec![1; MUCH]);
        writer.abort();
        let mut all = Vec::new();
        assert!(reader.read_to_end(&mut all).await? < MUCH);
        yield_until(|| all_tasks().len() == 1).await;
        Ok(())
    });
}

#[test]
fn a_pipe_that_is_closed_gives_its_number_to_others_and_leaves_them_alone() {
    within_io(async {
        let (reader, writer) = pipe()?;
        let mut writer = writer.into_stream();
        writer.write(&vec![1; MUCH]); // it is registered now
        let mut all = Vec::new();
        writer.close();
        reader.read_to_end(&mut all).await?;
        // Numbers are given out again from the lowest on.
        let (client, server) = tcp_pair().await?;
        drop(writer);
        let mut buf = [0; 1];
        let mut read = server.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        client.write_all(b"x").await?;
        assert_eq!(read.await?, 1);
        Ok(())
    });
}

#[test]
fn a_childs_input_and_output_are_streams() {
    within_io(async {
        let child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no `cat`");
            return Ok(());
        };
        let input = PipeWriter::from_fd(child.stdin.take().unwrap())?;
        let output = PipeReader::from_fd(child.stdout.take().unwrap())?;
        let (mut input, mut output) = (input.into_stream(), output.into_stream());
        input.write(b"to and fro\n");
        assert_eq!(output.read_line().await?, Some("to and fro"));
        let data = noise(MUCH);
        input.write(&data);
        input.close();
        let mut all = vec![0; MUCH];
        output.read_exact(&mut all).await?;
        assert!(all == data);
        assert_eq!(output.read_line().await?, None);
        input.wait_closed().await?;
        assert!(child.wait()?.success());
        Ok(())
    });
}

#[test]
fn a_connection_may_wait_on_one_half_and_be_given_back_by_another_task() {
    within_io(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (reader, writer) = open_connection(listener.local_addr()?).await?;
        let (peer, _) = listener.accept().await?;
        let echo = petla::spawn(async move {
            let (mut reader, writer) = (reader, writer);
            let line = reader.read_line().await?.map(str::to_owned);
            io::Result::Ok((line, reader, writer))
        });
        petla::yield_now().await;
        peer.write_all(b"now\n").await?;
        let (line, reader, writer) = echo.await??;
        assert_eq!(line.as_deref(), Some("now"));
        assert!(TcpStream::from_streams(reader, writer).is_ok());
        Ok(())
    });
}

/// A write of nothing, and reads of nothing, before the peer's one byte.
async fn move_nothing(reader: &mut StreamReader, writer: &mut StreamWriter) -> io::Result<()> {
    writer.write(b"");
    writer.write_vectored(&[]);
    at_once(writer.drain())?;
    assert_eq!(writer.unsent(), 0);
    for _ in 0..2 {
        assert_eq!(at_once(reader.read(&mut []))?, 0);
        at_once(reader.read_exact(&mut []))?;
        assert!(!reader.at_eof());
        assert!(poll_once(&mut reader.read(&mut [0; 4])).is_pending());
    }
    writer.write(b"x");
    assert_eq!(reader.read(&mut [0; 4]).await?, 1);
    writer.wait_closed().await?;
    assert_eq!(reader.read(&mut [0; 4]).await?, 0);
    assert!(reader.at_eof());
    assert_eq!(at_once(reader.read(&mut []))?, 0);
    Ok(())
}

#[test]
fn nothing_to_move_is_nothing_on_every_kind_of_stream() {
    within_io(async {
        let (near, far) = tcp_pair().await?;
        let (_keep, mut writer) = near.into_streams();
        move_nothing(&mut far.into_streams().0, &mut writer).await?;
        let (near, far) = UnixStream::pair()?;
        let (_keep, mut writer) = near.into_streams();
        move_nothing(&mut far.into_streams().0, &mut writer).await?;
        let (reader, writer) = pipe()?;
        move_nothing(&mut reader.into_stream(), &mut writer.into_stream()).await
    });
}
