//! Readers and writers with buffers under the traits: what is buffered, the marks, the end.

use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{AsyncBufReadExt as FuturesBufRead, AsyncReadExt as FuturesRead};
use petla::net::UnixStream;
use petla::streams::{StreamReader, StreamWriter};
use petla::{gather, spawn, timeout, yield_now};
use tokio::io::{AsyncReadExt as TokioRead, AsyncWrite, AsyncWriteExt as TokioWrite};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs a test on a loop, and fails it if it hangs.
fn within<T>(test: impl Future<Output = T>) -> T {
    petla::run(timeout(LIMIT, test)).expect("it ends in time")
}

/// Both halves of a connection, and its other end.
fn streams() -> (StreamReader, StreamWriter, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (reader, writer) = ours.into_streams();
    (reader, writer, theirs)
}

fn write_once(writer: &mut StreamWriter, data: &[u8]) -> Poll<std::io::Result<usize>> {
    Pin::new(writer).poll_write(&mut Context::from_waker(Waker::noop()), data)
}

#[test]
fn what_a_read_line_has_left_is_read_first() {
    within(async {
        let (mut reader, _writer, theirs) = streams();
        theirs
            .write_all(b"first\nsecond\nthird\nand the rest")
            .await
            .unwrap();
        drop(theirs);
        assert_eq!(reader.read_line().await.unwrap(), Some("first"));
        assert!(reader.buffered() > 0);
        let mut line = String::new();
        FuturesBufRead::read_line(&mut reader, &mut line)
            .await
            .unwrap();
        assert_eq!(line, "second\n");
        let mut buffer = [0; 6];
        TokioRead::read_exact(&mut reader, &mut buffer)
            .await
            .unwrap();
        assert_eq!(&buffer, b"third\n");
        let mut rest = String::new();
        FuturesRead::read_to_string(&mut reader, &mut rest)
            .await
            .unwrap();
        assert_eq!(rest, "and the rest");
        assert_eq!(reader.read_line().await.unwrap(), None);
    });
}

#[test]
fn a_writer_waits_above_its_high_mark_and_goes_on_when_the_peer_reads() {
    within(async {
        let (_reader, mut writer, theirs) = streams();
        writer.set_marks(1000, 100);
        let piece = [5; 10_000];
        let mut taken = 0;
        while let Poll::Ready(written) = write_once(&mut writer, &piece) {
            taken += written.unwrap();
        }
        assert!(writer.unsent() > 1000 && writer.unsent() <= 11_000);
        let write = async {
            TokioWrite::write_all(&mut writer, &piece).await?;
            TokioWrite::flush(&mut writer).await?;
            std::io::Result::Ok(writer.unsent())
        };
        let read = async {
            yield_now().await;
            let mut all = vec![0; taken + piece.len()];
            theirs
                .read_exact(&mut all)
                .await
                .map(|_| all.iter().all(|byte| *byte == 5))
        };
        let (unsent, whole) = timeout(LIMIT, gather!(write, read)).await.unwrap();
        assert_eq!((unsent.unwrap(), whole.unwrap()), (0, true));
    });
}

#[test]
fn a_flush_waits_until_the_system_has_everything() {
    within(async {
        let (_reader, mut writer, theirs) = streams();
        let mut taken = 0;
        while writer.unsent() == 0 {
            taken += TokioWrite::write(&mut writer, &[5; 500]).await.unwrap();
        }
        assert!(
            writer.unsent() <= 500,
            "the system is full, and little is left"
        );
        let moment = Duration::from_millis(1);
        assert!(
            timeout(moment, TokioWrite::flush(&mut writer))
                .await
                .is_err()
        );
        let read = spawn(async move {
            let mut all = vec![0; taken];
            theirs.read_exact(&mut all).await
        });
        let flushed = timeout(LIMIT, TokioWrite::flush(&mut writer)).await;
        flushed.unwrap().unwrap();
        assert_eq!(writer.unsent(), 0);
        read.await.unwrap().unwrap();
    });
}

#[test]
fn after_its_shutdown_the_peer_reads_the_end_and_reading_goes_on() {
    within(async {
        let (mut reader, mut writer, theirs) = streams();
        let pieces = [
            IoSlice::new(b"good"),
            IoSlice::new(b""),
            IoSlice::new(b"bye"),
        ];
        let written = TokioWrite::write_vectored(&mut writer, &pieces).await;
        assert_eq!(written.unwrap(), 7);
        TokioWrite::shutdown(&mut writer).await.unwrap();
        let mut all = Vec::new();
        let mut theirs = theirs;
        TokioRead::read_to_end(&mut theirs, &mut all).await.unwrap();
        assert_eq!(all, b"goodbye");
        theirs.write_all(b"see you").await.unwrap();
        let mut buffer = [0; 7];
        TokioRead::read_exact(&mut reader, &mut buffer)
            .await
            .unwrap();
        assert_eq!(&buffer, b"see you");
        let late = TokioWrite::write(&mut writer, b"more").await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_writer_tells_that_its_peer_is_gone() {
    within(async {
        let (_reader, mut writer, theirs) = streams();
        let flood = spawn(async move {
            loop {
                TokioWrite::write_all(&mut writer, &[0; 50_000]).await?;
            }
            #[allow(unreachable_code)]
            std::io::Result::Ok(())
        });
        let mut buffer = [0; 1];
        theirs.read_exact(&mut buffer).await.unwrap();
        drop(theirs);
        let error = timeout(LIMIT, flood).await.unwrap().unwrap().unwrap_err();
        let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");
    });
}

#[test]
fn empty_buffers_do_not_wait() {
    within(async {
        let (mut reader, mut writer, _theirs) = streams();
        let none: &mut [u8] = &mut [];
        assert_eq!(FuturesRead::read(&mut reader, none).await.unwrap(), 0);
        assert_eq!(TokioWrite::write(&mut writer, &[]).await.unwrap(), 0);
    });
}
