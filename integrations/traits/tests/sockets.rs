//! Sockets and pipes as tokio's and futures-io's helpers use them.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{
    AsyncReadExt as FuturesRead, AsyncWriteExt as FuturesWrite, SinkExt, StreamExt,
};
use petla::io::pipe;
use petla::net::{TcpListener, TcpStream, UnixStream};
use petla::{EventLoop, gather, spawn, timeout};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt as TokioRead, AsyncWrite, AsyncWriteExt as TokioWrite,
    BufReader, ReadBuf, copy_bidirectional,
};
use tokio_util::codec::{Framed, LinesCodec};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs a test on a loop, and fails it if it hangs.
fn within<T>(test: impl Future<Output = T>) -> T {
    petla::run(timeout(LIMIT, test)).expect("it ends in time")
}

async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

#[test]
fn tokio_copies_between_two_pairs_in_both_directions() {
    within(async {
        let (client, mut front) = tcp_pair().await.unwrap();
        let (mut back, server) = UnixStream::pair().unwrap();
        let proxy = spawn(async move { copy_bidirectional(&mut front, &mut back).await });
        let echo = spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(server);
            tokio::io::copy(&mut reader, &mut writer).await?;
            writer.shutdown().await
        });
        let data: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let (mut reader, mut writer) = tokio::io::split(client);
        let send = async {
            writer.write_all(&data).await?;
            writer.shutdown().await
        };
        let mut back = Vec::new();
        let (sent, received) = gather!(send, reader.read_to_end(&mut back)).await;
        assert_eq!((sent.unwrap(), received.unwrap()), ((), data.len()));
        assert!(back == data);
        assert_eq!(proxy.await.unwrap().unwrap(), (1_000_000, 1_000_000));
        echo.await.unwrap().unwrap();
    });
}

#[test]
fn lines_and_frames_come_whole_however_they_are_cut() {
    within(async {
        let (ours, theirs) = tcp_pair().await.unwrap();
        let writer = spawn(async move {
            for piece in ["fir", "st\nsec", "ond\n", "third"] {
                theirs.write_all(piece.as_bytes()).await.unwrap();
                petla::yield_now().await;
            }
        });
        let mut lines = BufReader::new(ours).lines();
        for expected in ["first", "second", "third"] {
            assert_eq!(lines.next_line().await.unwrap().unwrap(), expected);
        }
        assert_eq!(lines.next_line().await.unwrap(), None);
        writer.await.unwrap();

        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut ours = Framed::new(ours, LinesCodec::new());
        let mut theirs = Framed::new(theirs, LinesCodec::new());
        ours.send("a frame").await.unwrap();
        assert_eq!(theirs.next().await.unwrap().unwrap(), "a frame");
        drop(ours);
        assert!(theirs.next().await.is_none());
    });
}

#[test]
fn futures_io_reads_and_writes_sockets_and_pipes() {
    within(async {
        let (mut ours, mut theirs) = tcp_pair().await.unwrap();
        FuturesWrite::write_all(&mut ours, b"one two")
            .await
            .unwrap();
        FuturesWrite::close(&mut ours).await.unwrap();
        let mut text = String::new();
        FuturesRead::read_to_string(&mut theirs, &mut text)
            .await
            .unwrap();
        assert_eq!(text, "one two");
        // Only the sending direction was ended.
        FuturesWrite::write_all(&mut theirs, b"back").await.unwrap();
        let mut buffer = [0; 4];
        FuturesRead::read_exact(&mut ours, &mut buffer)
            .await
            .unwrap();
        assert_eq!(&buffer, b"back");

        let (reader, mut writer) = pipe().unwrap();
        let copied = spawn(async move {
            let mut all = Vec::new();
            let mut reader = reader;
            FuturesRead::read_to_end(&mut reader, &mut all)
                .await
                .map(|_| all)
        });
        let data = vec![7; 300_000]; // more than a pipe holds
        FuturesWrite::write_all(&mut writer, &data).await.unwrap();
        FuturesWrite::close(&mut writer).await.unwrap(); // ends nothing
        FuturesWrite::write_all(&mut writer, b"!").await.unwrap();
        drop(writer);
        assert_eq!(copied.await.unwrap().unwrap().len(), 300_001);
    });
}

/// Polls a read once, with nobody to wake.
fn read_once(stream: &mut UnixStream, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_read(&mut Context::from_waker(Waker::noop()), buffer)
}

#[test]
fn a_buffer_is_filled_from_where_it_stands() {
    within(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"abcdefgh").await.unwrap();
        let mut memory = [MaybeUninit::uninit(); 6];
        let mut buffer = ReadBuf::uninit(&mut memory);
        buffer.put_slice(b"<<");
        assert!(read_once(&mut theirs, &mut buffer).is_ready());
        assert_eq!(buffer.filled(), b"<<abcd");
        assert!(
            read_once(&mut theirs, &mut buffer).is_ready(),
            "a full one has no room"
        );
        assert_eq!(buffer.filled(), b"<<abcd");
        buffer.clear();
        assert!(read_once(&mut theirs, &mut buffer).is_ready());
        assert_eq!(
            (buffer.filled(), buffer.initialized().len()),
            (&b"efgh"[..], 6)
        );
        buffer.clear();
        assert!(read_once(&mut theirs, &mut buffer).is_pending());
        drop(ours);
        let end = poll_fn(|cx| Pin::new(&mut theirs).poll_read(cx, &mut buffer));
        end.await.unwrap();
        assert!(buffer.filled().is_empty(), "the end");
    });
}

#[test]
fn empty_buffers_move_nothing_and_do_not_wait() {
    within(async {
        let (mut ours, mut theirs) = tcp_pair().await.unwrap();
        let none: &mut [u8] = &mut [];
        assert_eq!(FuturesRead::read(&mut theirs, none).await.unwrap(), 0);
        assert_eq!(TokioWrite::write(&mut ours, &[]).await.unwrap(), 0);
        assert_eq!(
            AsyncRead::poll_read(
                Pin::new(&mut theirs),
                &mut Context::from_waker(Waker::noop()),
                &mut ReadBuf::new(&mut []),
            )
            .map(Result::ok),
            Poll::Ready(Some(()))
        );
    });
}

#[test]
fn several_pieces_are_written_by_one_call_in_their_order() {
    within(async {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        assert!(AsyncWrite::is_write_vectored(&ours));
        let pieces = ["one ", "", "two ", "three"].map(|text| IoSlice::new(text.as_bytes()));
        let written = TokioWrite::write_vectored(&mut ours, &pieces).await;
        assert_eq!(written.unwrap(), 13);
        let mut buffer = [0; 13];
        theirs.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"one two three");
    });
}

#[test]
fn a_broken_connection_is_told_by_its_kind() {
    within(async {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let error = TokioWrite::write(&mut ours, b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // There is nobody left to read the end.
        TokioWrite::shutdown(&mut ours).await.unwrap();

        let (mut ours, theirs) = tcp_pair().await.unwrap();
        theirs.set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        let mut buffer = [0; 1];
        let error = TokioRead::read(&mut ours, &mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_socket_may_change_threads_until_it_has_waited_in_a_loop() {
    let (ours, mut theirs) = within(async { UnixStream::pair() }).unwrap();
    let first = EventLoop::new().unwrap();
    let writer = std::thread::spawn(move || {
        within(async move {
            let mut ours = ours;
            TokioWrite::write_all(&mut ours, b"hello").await?;
            io::Result::Ok(ours)
        })
    });
    let ours = writer.join().unwrap().unwrap();
    let read = first.run_until_complete(async {
        let mut buffer = [0; 5];
        TokioRead::read_exact(&mut theirs, &mut buffer).await?;
        let mut none = ReadBuf::new(&mut buffer);
        none.clear();
        assert!(
            read_once(&mut theirs, &mut none).is_pending(),
            "it is registered now"
        );
        io::Result::Ok(())
    });
    read.unwrap().unwrap();
    let elsewhere = std::thread::spawn(move || {
        within(async move {
            let mut buffer = [0; 5];
            TokioRead::read(&mut theirs, &mut buffer).await
        })
    });
    let error = elsewhere.join().unwrap().unwrap_err();
    assert!(
        error.to_string().contains("belongs to another event loop"),
        "{error}"
    );
    drop(ours);
    first.close().unwrap();
}
