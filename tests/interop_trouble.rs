//! The traits of other crates where they are used unkindly: partly filled buffers, pollers that go
//! away, writers that are ended twice, sleeps of somebody else.
//!
//! Run it: `cargo test --features futures-io,tokio-io,hyper --test interop_trouble`.
//!
//! # Not here
//! Whole protocols over these traits: the programs in `integrations`.
#![cfg(all(feature = "futures-io", feature = "tokio-io", feature = "hyper"))]

use futures_io::AsyncBufRead;
use hyper::rt::{self, Executor, Timer};
use petla::interop::{LoopExecutor, LoopTimer};
use petla::net::{TcpListener, TcpStream, UnixStream};
use petla::streams::{StreamReader, StreamWriter};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

async fn tcp() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    Ok((near, far))
}

fn poll_read(
    from: &mut (impl AsyncRead + Unpin),
    waker: &Waker,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    Pin::new(from).poll_read(&mut Context::from_waker(waker), buf)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *to).poll_write(cx, data)).await
}

async fn flush(to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *to).poll_flush(cx)).await
}

async fn shutdown(to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *to).poll_shutdown(cx)).await
}

#[test]
fn a_buffer_is_filled_behind_what_it_holds_and_never_past_its_end() {
    petla::run(async {
        let (mut near, far) = tcp().await?;
        let mut memory = [MaybeUninit::<u8>::uninit(); 8];
        let mut buf = ReadBuf::uninit(&mut memory);
        buf.put_slice(b"ab");
        assert!(poll_read(&mut near, Waker::noop(), &mut buf).is_pending());
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"ab"[..], 2));
        far.write_all(b"cd").await?;
        poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut buf)).await?;
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"abcd"[..], 4));
        far.write_all(b"efghij").await?;
        poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut buf)).await?;
        assert_eq!(buf.filled(), b"abcdefgh");
        // Full: at once, and nothing is taken.
        assert!(poll_read(&mut near, Waker::noop(), &mut buf).is_ready());
        assert!(poll_read(&mut near, Waker::noop(), &mut ReadBuf::new(&mut [])).is_ready());
        let mut memory = [MaybeUninit::<u8>::uninit(); 4];
        let mut buf = rt::ReadBuf::uninit(&mut memory);
        poll_fn(|cx| rt::Read::poll_read(Pin::new(&mut near), cx, buf.unfilled())).await?;
        assert_eq!(buf.filled(), b"ij");
        // A buffer that was initialised further stays so.
        let mut memory = [7; 4];
        let mut buf = ReadBuf::new(&mut memory);
        far.write_all(b"k").await?;
        poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut buf)).await?;
        assert_eq!(
            (buf.filled(), buf.initialized()),
            (&b"k"[..], &b"k\x07\x07\x07"[..])
        );
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_leaves_the_buffer_as_it_was() {
    petla::run(async {
        let (near, far) = tcp().await?;
        far.set_linger(Some(Duration::ZERO))?;
        drop(far);
        let (mut reader, _writer) = near.into_streams();
        for size in [1, 8192] {
            let mut memory = vec![MaybeUninit::<u8>::uninit(); size];
            let mut buf = ReadBuf::uninit(&mut memory);
            let error = poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut buf)).await;
            // Sticky: the second is the first, again.
            assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!((buf.filled().len(), buf.initialized().len()), (0, 0));
        }
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_poller_that_goes_away_takes_no_wake_with_it() {
    petla::run(async {
        let (mut near, far) = UnixStream::pair()?;
        let gone = Arc::new(Count::default());
        let mut memory = [0; 4];
        let waker = Waker::from(Arc::clone(&gone));
        assert!(poll_read(&mut near, &waker, &mut ReadBuf::new(&mut memory)).is_pending());
        // Polled by another, the first is told nothing; futures of the object wait beside.
        let last = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&last));
        assert!(poll_read(&mut near, &waker, &mut ReadBuf::new(&mut memory)).is_pending());
        assert_eq!(Arc::strong_count(&gone), 2);
        let mut buf = [0; 1];
        let beside = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&beside));
        let mut read = Box::pin(near.read(&mut buf));
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        far.write_all(b"x").await?;
        let woken = |count: &Count| count.0.load(SeqCst);
        while woken(&beside) == 0 {
            petla::yield_now().await;
        }
        assert_eq!((woken(&gone), woken(&last), woken(&beside)), (0, 1, 1));
        assert_eq!(read.as_mut().await?, 1);
        drop(read);
        // The next event wakes nobody that waits no more.
        far.write_all(b"y").await?;
        poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut ReadBuf::new(&mut memory))).await?;
        assert_eq!((woken(&gone), woken(&last), woken(&beside)), (0, 1, 1));
        assert_eq!(Arc::strong_count(&last), 2);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_socket_that_was_polled_on_a_closed_loop_is_polled_on_the_next() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let left = Arc::new(Count::default());
    for round in 1..4 {
        petla::run(async {
            let mut memory = [0; 4];
            let mut buf = ReadBuf::new(&mut memory);
            let waker = Waker::from(Arc::clone(&left));
            assert!(poll_read(&mut near, &waker, &mut buf).is_pending());
            let reading = poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut buf));
            let writing = async {
                petla::yield_now().await;
                far.write_all(b"x").await
            };
            let (read, written) = petla::gather!(reading, writing).await;
            read.unwrap();
            written.unwrap();
            assert_eq!(buf.filled(), b"x");
            assert!(poll_read(&mut near, &waker, &mut buf).is_pending());
        });
        // Closed: nothing of it is kept.
        assert_eq!(Arc::strong_count(&left), 1, "round {round}");
    }
    // Where no loop runs it fails, rather than wait for ever.
    let mut memory = [0; 4];
    let polled = poll_read(&mut near, Waker::noop(), &mut ReadBuf::new(&mut memory));
    assert!(matches!(polled, Poll::Ready(Err(_))));
}

/// A pair of streams whose peer takes nothing until it is told to.
fn full() -> io::Result<((StreamReader, StreamWriter), UnixStream)> {
    let (near, far) = UnixStream::pair()?;
    Ok((near.into_streams(), far))
}

#[test]
fn a_writer_with_marks_of_zero_takes_more_only_when_all_is_sent() {
    petla::run(async {
        let ((_reader, mut writer), far) = full()?;
        writer.set_marks(0, 0);
        let large = vec![1; 1 << 20];
        assert_eq!(write(&mut writer, &large).await?, large.len());
        assert!(writer.unsent() > 0);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        for data in [&b"x"[..], b""] {
            assert!(Pin::new(&mut writer).poll_write(&mut cx, data).is_pending());
        }
        let mut all = vec![0; large.len()];
        let reading = async {
            let first = far.read(&mut all[..1000]).await?;
            far.read_exact(&mut all[first..]).await
        };
        let (sent, read) = petla::gather!(write(&mut writer, b"x"), reading).await;
        assert_eq!((sent?, writer.unsent()), (1, 0));
        read?;
        assert_eq!(write(&mut writer, b"").await?, 0);
        flush(&mut writer).await
    })
    .unwrap();
}

#[test]
fn what_was_taken_and_then_lost_is_told_by_each_flush_and_shutdown() {
    petla::run(async {
        let ((_reader, mut writer), far) = full()?;
        assert_eq!(write(&mut writer, &vec![1; 1 << 20]).await?, 1 << 20);
        drop(far);
        for _ in 0..2 {
            let lost = flush(&mut writer).await.unwrap_err().kind();
            assert!(matches!(
                lost,
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ));
            assert_eq!(shutdown(&mut writer).await.unwrap_err().kind(), lost);
            assert_eq!(write(&mut writer, b"x").await.unwrap_err().kind(), lost);
        }
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_writer_is_shut_down_twice_and_takes_nothing_afterwards() {
    petla::run(async {
        let ((_reader, mut writer), far) = full()?;
        assert_eq!(write(&mut writer, b"x").await?, 1);
        shutdown(&mut writer).await?;
        shutdown(&mut writer).await?;
        let late = write(&mut writer, b"y").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::BrokenPipe);
        // Refused is not lost.
        flush(&mut writer).await?;
        shutdown(&mut writer).await?;
        let mut all = Vec::new();
        let mut buf = [0; 8];
        loop {
            match far.read(&mut buf).await? {
                0 => break,
                n => all.extend_from_slice(&buf[..n]),
            }
        }
        assert_eq!(all, b"x");

        let (mut near, far) = tcp().await?;
        shutdown(&mut near).await?;
        drop(far);
        shutdown(&mut near).await?;
        assert_eq!(write(&mut near, b"").await?, 0);
        let late = write(&mut near, b"y").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::BrokenPipe);

        let (reader, writer) = petla::io::pipe()?;
        let (mut reader, mut writer) = (reader.into_stream(), writer.into_stream());
        write(&mut writer, b"z").await?;
        shutdown(&mut writer).await?;
        shutdown(&mut writer).await?;
        assert!(write(&mut writer, b"y").await.is_err());
        let mut two = [0; 2];
        assert_eq!(
            (reader.read(&mut two).await?, reader.read(&mut two).await?),
            (1, 0)
        );
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn more_buffers_than_a_call_takes_are_written_in_their_order() {
    petla::run(async {
        let data: Vec<u8> = (0..3000_u32).map(|i| i as u8).collect();
        let pieces: Vec<_> = data.chunks(1).map(IoSlice::new).collect();
        let (mut near, far) = tcp().await?;
        let n = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &pieces)).await?;
        assert_eq!(n, 1024);
        let (_reader, mut near) = near.into_streams();
        let rest = &pieces[n..];
        let m = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, rest)).await?;
        assert_eq!(m, data.len() - n);
        flush(&mut near).await?;
        let mut all = vec![0; data.len()];
        far.read_exact(&mut all).await?;
        assert_eq!(all, data);
        // Behind empty ones, too.
        let mut pieces = vec![IoSlice::new(b""); 1024];
        pieces.push(IoSlice::new(b"end"));
        let n = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &pieces)).await?;
        assert_eq!(n, 3);
        far.read_exact(&mut all[..3]).await?;
        assert_eq!(&all[..3], b"end");
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_buffered_reader_gives_the_end_again_and_again_and_no_more_than_it_has() {
    petla::run(async {
        let ((mut reader, _writer), far) = full()?;
        far.write_all(b"abc").await?;
        drop(far);
        let mut reader = Pin::new(&mut reader);
        let data = poll_fn(|cx| reader.as_mut().poll_fill_buf(cx).map_ok(<[u8]>::len)).await?;
        assert_eq!(data, 3);
        reader.as_mut().consume(1);
        let more = catch_unwind(AssertUnwindSafe(|| reader.as_mut().consume(3)));
        assert!(more.is_err());
        let data = poll_fn(|cx| reader.as_mut().poll_fill_buf(cx).map_ok(<[u8]>::to_vec)).await?;
        assert_eq!(data, b"bc");
        reader.as_mut().consume(2);
        for _ in 0..3 {
            let end = poll_fn(|cx| reader.as_mut().poll_fill_buf(cx).map_ok(<[u8]>::len)).await?;
            assert_eq!(end, 0);
            reader.as_mut().consume(0);
        }
        io::Result::Ok(())
    })
    .unwrap();
}

/// A sleep that is not ours.
struct Foreign;

impl Future for Foreign {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl rt::Sleep for Foreign {}

#[test]
#[allow(clippy::async_yields_async)] // it goes to another loop
fn a_timer_resets_sleeps_that_are_over_foreign_or_of_another_loop() {
    let timer = LoopTimer::new();
    let mut kept = petla::run(async move {
        let mut sleep: Pin<Box<dyn rt::Sleep>> = Box::pin(Foreign);
        timer.reset(&mut sleep, Instant::now() + Duration::from_millis(1));
        sleep.as_mut().await;
        for _ in 0..2 {
            // Over: it begins anew.
            let until = petla::now() + Duration::from_millis(2);
            timer.reset(&mut sleep, until);
            sleep.as_mut().await;
            assert!(petla::now() >= until);
        }
        // Fired, and not looked at since.
        timer.reset(&mut sleep, petla::now() + Duration::from_millis(1));
        let poll = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        petla::sleep(Duration::from_millis(5)).await;
        let until = petla::now() + Duration::from_millis(2);
        timer.reset(&mut sleep, until);
        sleep.as_mut().await;
        assert!(petla::now() >= until);
        timer.reset(&mut sleep, petla::now() + Duration::from_secs(3600));
        let poll = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        sleep
    });
    // Armed on a loop that is closed, reset where none runs, awaited on another thread's.
    timer.reset(&mut kept, Instant::now());
    std::thread::spawn(move || petla::run(kept)).join().unwrap();
}

#[test]
fn a_reset_from_another_thread_reaches_the_task_that_sleeps() {
    let timer = LoopTimer::new();
    let sleep = std::sync::Mutex::new(timer.sleep(Duration::from_secs(3600)));
    let (armed, is_armed) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let sleep = &sleep;
        scope.spawn(move || {
            is_armed.recv().unwrap();
            timer.reset(&mut sleep.lock().unwrap(), Instant::now());
        });
        petla::run(poll_fn(|cx| {
            let poll = sleep.lock().unwrap().as_mut().poll(cx);
            let _ = armed.send(());
            poll
        }));
    });
}

#[test]
#[should_panic(expected = "loop")]
fn the_executor_panics_where_no_loop_runs() {
    LoopExecutor::new().execute(async {});
}
