//! Who is woken: a poll leaves its waker behind, and none may be lost.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use petla::io::pipe;
use petla::net::{TcpListener, TcpStream, UnixStream};
use petla::{gather, spawn, timeout, yield_now};
use tokio::io::{
    AsyncRead, AsyncReadExt as TokioRead, AsyncWrite, AsyncWriteExt as TokioWrite, ReadBuf,
};

const LIMIT: Duration = Duration::from_secs(20);

/// In two thousand reads, and in fewer writes, so that writers wait too.
const TOTAL: usize = 300_000;

/// Runs a test on a loop, and fails it if it hangs.
fn within<T>(test: impl Future<Output = T>) -> T {
    petla::run(timeout(LIMIT, test)).expect("it ends in time")
}

#[test]
fn a_poll_that_is_dropped_loses_nothing_and_the_next_one_is_woken() {
    within(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut buffer = [0; 8];
        {
            let read = TokioRead::read(&mut theirs, &mut buffer);
            assert!(
                timeout(Duration::ZERO, read).await.is_err(),
                "nothing is there"
            );
        }
        ours.write_all(b"early").await.unwrap();
        let read = TokioRead::read(&mut theirs, &mut buffer);
        assert_eq!(timeout(LIMIT, read).await.unwrap().unwrap(), 5);

        let task = spawn(async move {
            let mut buffer = [0; 8];
            TokioRead::read(&mut theirs, &mut buffer).await.unwrap()
        });
        yield_now().await;
        ours.write_all(b"late").await.unwrap();
        assert_eq!(timeout(LIMIT, task).await.unwrap().unwrap(), 4);
    });
}

#[test]
fn a_reader_that_a_second_task_polls_wakes_the_second() {
    within(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let first = spawn(async move {
            let mut theirs = theirs;
            let mut buffer = [0; 8];
            let read = TokioRead::read(&mut theirs, &mut buffer);
            assert!(timeout(Duration::ZERO, read).await.is_err());
            theirs
        });
        let mut theirs = first.await.unwrap();
        let second = spawn(async move {
            let mut buffer = [0; 8];
            TokioRead::read(&mut theirs, &mut buffer).await.unwrap()
        });
        yield_now().await;
        ours.write_all(b"here").await.unwrap();
        assert_eq!(timeout(LIMIT, second).await.unwrap().unwrap(), 4);
    });
}

/// Knows whether it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// The waker of a poll stays behind, a future of petla's own waits beside it: both are woken.
#[test]
fn a_poll_and_an_ordinary_read_wait_beside_each_other() {
    within(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let flag = Arc::new(Flag(false.into()));
        let waker = Waker::from(flag.clone());
        let mut buffer = [0; 8];
        let polled = Pin::new(&mut theirs).poll_read(
            &mut Context::from_waker(&waker),
            &mut ReadBuf::new(&mut buffer),
        );
        assert!(polled.is_pending());
        let read = async {
            let mut buffer = [0; 8];
            theirs.read(&mut buffer).await.unwrap()
        };
        let write = async {
            yield_now().await;
            ours.write_all(b"both").await.unwrap();
        };
        let (length, ()) = timeout(LIMIT, gather!(read, write)).await.unwrap();
        assert_eq!(length, 4);
        assert!(flag.0.load(Relaxed));
    });
}

/// A sequence of numbers that look random, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// How long an operation is awaited before it is dropped.
#[derive(Clone, Copy)]
enum Patience {
    OnePoll,
    Moment,
    Endless,
}

impl Patience {
    fn any(random: &mut Random) -> Patience {
        let all = [Patience::OnePoll, Patience::Moment, Patience::Endless];
        all[random.below(all.len())]
    }

    /// What `operation` gives, if it does so in time.
    async fn wait<T>(self, operation: impl Future<Output = io::Result<T>>) -> Option<T> {
        let result = match self {
            Patience::OnePoll => {
                let mut operation = pin!(operation);
                match poll_fn(|cx| Poll::Ready(operation.as_mut().poll(cx))).await {
                    Poll::Ready(result) => Some(result),
                    Poll::Pending => None,
                }
            }
            Patience::Moment => timeout(Duration::from_micros(20), operation).await.ok(),
            Patience::Endless => Some(operation.await),
        };
        result.map(Result::unwrap)
    }
}

/// Reads pieces of any size, each in a task of its own.
async fn read_all(mut stream: impl AsyncRead + Unpin + 'static, mut random: Random) {
    let mut received = 0;
    while received < TOTAL {
        let (size, patience) = (1 + random.below(300), Patience::any(&mut random));
        let task = spawn(async move {
            let mut buffer = vec![0; size];
            let length = patience
                .wait(TokioRead::read(&mut stream, &mut buffer))
                .await;
            buffer.truncate(length.unwrap_or(0));
            assert_ne!(length, Some(0), "the end comes too early");
            (stream, buffer)
        });
        let (back, bytes) = task.await.unwrap();
        stream = back;
        for byte in bytes {
            assert_eq!(byte, received as u8, "at {received}");
            received += 1;
        }
        if random.below(8) == 0 {
            yield_now().await;
        }
    }
}

/// Writes pieces of any size, each in a task of its own.
async fn write_all(mut stream: impl AsyncWrite + Unpin + 'static, mut random: Random) {
    let mut sent = 0;
    while sent < TOTAL {
        let size = (1 + random.below(2000)).min(TOTAL - sent);
        let piece: Vec<u8> = (sent..sent + size).map(|n| n as u8).collect();
        let (patience, flushes) = (Patience::any(&mut random), random.below(4) == 0);
        let task = spawn(async move {
            let written = patience.wait(TokioWrite::write(&mut stream, &piece)).await;
            if flushes {
                patience.wait(TokioWrite::flush(&mut stream)).await;
            }
            (stream, written.unwrap_or(0))
        });
        let (back, written) = task.await.unwrap();
        stream = back;
        sent += written;
    }
    TokioWrite::flush(&mut stream).await.unwrap();
    drop(stream);
}

async fn exchange(
    (reader, writer): (
        impl AsyncRead + Unpin + 'static,
        impl AsyncWrite + Unpin + 'static,
    ),
    seed: u64,
) {
    let write = write_all(writer, Random(seed));
    let read = read_all(reader, Random(seed << 32));
    let both = timeout(LIMIT, gather!(write, read)).await;
    both.unwrap_or_else(|_| panic!("somebody waits for ever with seed {seed}"));
}

#[test]
fn no_wake_up_of_a_socket_is_lost_however_often_who_polls_is_dropped() {
    for seed in 1..=5 {
        within(async {
            exchange(UnixStream::pair().unwrap(), seed).await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let writer = TcpStream::connect(listener.local_addr().unwrap()).await;
            let (reader, _) = listener.accept().await.unwrap();
            exchange((reader, writer.unwrap()), seed).await;
        });
    }
}

#[test]
fn no_wake_up_of_a_pipe_is_lost_however_often_who_polls_is_dropped() {
    for seed in 1..=5 {
        within(async { exchange(pipe().unwrap(), seed).await });
    }
}

#[test]
fn no_wake_up_of_a_stream_is_lost_however_often_who_polls_is_dropped() {
    for seed in 1..=5 {
        within(async {
            let (reader, writer) = UnixStream::pair().unwrap();
            let (reader, _keeps_open) = reader.into_streams();
            let (_other_half, mut writer) = writer.into_streams();
            writer.set_marks(500, 50);
            exchange((reader, writer), seed).await;
        });
    }
}
