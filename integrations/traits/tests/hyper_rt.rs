//! What hyper asks of a runtime: timers on the loop's clock, and an executor for any future.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::rt::{Executor, Read, ReadBuf, Sleep, Timer, Write};
use petla::interop::{LoopExecutor, LoopTimer};
use petla::net::{TcpStream, UnixStream};
use petla::testing::VirtualClock;
use petla::{EventLoop, time::now, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

fn is_send_and_sync<T: Send + Sync>() {}
fn reads_and_writes<T: Read + Write + Unpin + Send>() {}

#[test]
fn what_hyper_wants_to_be_send_is() {
    is_send_and_sync::<TcpStream>();
    is_send_and_sync::<UnixStream>();
    is_send_and_sync::<petla::Sleep>();
    is_send_and_sync::<LoopTimer>();
    is_send_and_sync::<LoopExecutor>();
    is_send_and_sync::<Pin<Box<dyn Sleep>>>();
    reads_and_writes::<TcpStream>();
    reads_and_writes::<UnixStream>();
}

#[test]
fn timers_go_by_the_clock_that_a_test_turns() {
    let real = Instant::now();
    let clock = VirtualClock::auto();
    let event_loop = EventLoop::builder().clock(clock.clone()).build().unwrap();
    let slept = event_loop.run_until_complete(async {
        let (timer, begin) = (LoopTimer::new(), now());
        assert_eq!(timer.now(), begin);
        timer.sleep(HOUR).await;
        timer.sleep_until(begin + 3 * HOUR).await;
        now() - begin
    });
    assert_eq!((slept.unwrap(), clock.elapsed()), (3 * HOUR, 3 * HOUR));
    assert!(real.elapsed() < Duration::from_secs(60));
    event_loop.close().unwrap();
}

#[test]
fn a_sleep_that_is_reset_ends_at_its_new_time() {
    petla::testing::run(async {
        let (timer, begin) = (LoopTimer::new(), now());
        let mut sleep = timer.sleep(HOUR);
        petla::timeout(Duration::from_secs(1), sleep.as_mut())
            .await
            .unwrap_err();
        timer.reset(&mut sleep, begin + 5 * HOUR); // later, although it is armed
        sleep.as_mut().await;
        assert_eq!(now() - begin, 5 * HOUR);
        timer.reset(&mut sleep, begin + 6 * HOUR); // again, although it is over
        sleep.as_mut().await;
        assert_eq!(now() - begin, 6 * HOUR);
        timer.reset(&mut sleep, begin); // in the past
        sleep.await;
        assert_eq!(now() - begin, 6 * HOUR);
    });
}

/// Some other runtime's sleep.
struct Foreign;

impl Future for Foreign {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

impl Sleep for Foreign {}

#[test]
fn a_foreign_sleep_that_is_reset_becomes_one_of_the_loop() {
    petla::testing::run(async {
        let begin = now();
        let mut sleep: Pin<Box<dyn Sleep>> = Box::pin(Foreign);
        LoopTimer::new().reset(&mut sleep, begin + HOUR);
        sleep.await;
        assert_eq!(now() - begin, HOUR);
    });
}

#[test]
fn the_executor_runs_futures_that_are_not_send() {
    petla::run(async {
        let count = Rc::new(Cell::new(0));
        for _ in 0..10 {
            let count = Rc::clone(&count);
            LoopExecutor::new().execute(async move {
                yield_now().await;
                count.set(count.get() + 1);
            });
        }
        while count.get() < 10 {
            yield_now().await;
        }
    });
}

#[test]
fn hyper_reads_into_what_is_left_of_its_buffer() {
    petla::run(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"abcdefgh").await.unwrap();
        let mut memory = [std::mem::MaybeUninit::uninit(); 6];
        let mut buffer = ReadBuf::uninit(&mut memory);
        buffer.unfilled().put_slice(b"<<");
        let read = std::future::poll_fn(|cx| {
            Read::poll_read(Pin::new(&mut theirs), cx, buffer.unfilled())
        });
        read.await.unwrap();
        assert_eq!(buffer.filled(), b"<<abcd");
        let write = std::future::poll_fn(|cx| Write::poll_write(Pin::new(&mut theirs), cx, b"up"));
        assert_eq!(write.await.unwrap(), 2);
        assert!(theirs.is_write_vectored());
        let end = std::future::poll_fn(|cx| Write::poll_shutdown(Pin::new(&mut theirs), cx));
        end.await.unwrap();
        let mut back = [0; 3];
        assert_eq!(ours.read(&mut back).await.unwrap(), 2);
        assert_eq!(ours.read(&mut back).await.unwrap(), 0, "the end");
    });
}
