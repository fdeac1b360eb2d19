//! What do timers cost, and how late are they?
//!
//! - `timer_insert_drop`: arm 100,000 timers with random deadlines, drop them. Most timers of a
//!   real program are timeouts that never fire.
//! - `timer_armed_drop`: the same, but between arming and dropping the loop goes to sleep three
//!   times, so that the timers are filed wherever the runtime keeps old ones.
//! - `timeout_fast`: a timeout of 30 s around a single `yield_now`. smol has no timeout: its users
//!   race the work against a timer.
//! - `timeout_ready`: a timeout of 30 s around what is ready at once: a read that finds its data.
//! - `timer_fire`: 100,000 tasks that sleep 50-150 ms, spawn and join included.
//! - `sleep_error`: how much later than asked 200 sleeps of 100 µs end, mean, in microseconds.
//!   tokio and monoio count in milliseconds, so they are late by one.
//!
//! All but the timeouts and `sleep_error` give the **CPU time** of the process, user and system:
//! the wall time has the sleeps in it, which nobody can make shorter. Nanoseconds a timer.
//!
//! Checked: every timer was pending when dropped, no
//! timeout ran out, no sleep ended early.

use std::future::{Future, poll_fn, ready};
use std::task::Poll;
use std::time::{Duration, Instant};

use petla_bench::pinned::PinnedSlice;
use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{Cost, Figure, Random, Sizes, Unit, on_every_runtime, sys};

/// Live timers: a busy server's, and enough to leave the first-level cache.
const TIMERS: Sizes = Sizes {
    table: 100_000,
    criterion: 100_000,
    smoke: 1_000,
};

/// Deadlines lie between 1 s and 61 s ahead: none can fire while the benchmark runs.
const SOON: Duration = Duration::from_secs(1);
const SPREAD_MS: u64 = 60_000;

/// Sleeps between arming and dropping.
const SLEEPS_TO_FILE: usize = 3;

/// Timeouts one after the other.
const TIMEOUTS: Sizes = Sizes {
    table: 500_000,
    criterion: 50_000,
    smoke: 100,
};
/// Far away, and what a server would choose.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Tasks that sleep.
const SLEEPERS: Sizes = Sizes {
    table: 100_000,
    criterion: 100_000,
    smoke: 1_000,
};
/// The shortest sleep: long enough that the last task is spawned before the first wakes.
const SLEEP: Duration = Duration::from_millis(50);
/// Sleeps are spread over this, 1 µs between two of 100,000.
const SLEEP_SPREAD_US: u64 = 100_000;

/// Short sleeps in a row: 20 ms to 220 ms.
const NAPS: Sizes = Sizes {
    table: 200,
    criterion: 20,
    smoke: 3,
};
/// Far below a millisecond, far above a system call.
const NAP: Duration = Duration::from_micros(100);

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, unit, sizes, contenders| Figure {
        name,
        unit,
        operations_each: 1,
        sizes,
        contenders,
    };
    let nanoseconds = |name, sizes, contenders| figure(name, Unit::Nanoseconds, sizes, contenders);
    vec![
        nanoseconds("timer_insert_drop", TIMERS, on_every_runtime!(insert_drop)),
        nanoseconds("timer_armed_drop", TIMERS, on_every_runtime!(armed_drop)),
        nanoseconds("timeout_fast", TIMEOUTS, on_every_runtime!(timeout_fast)),
        nanoseconds("timeout_ready", TIMEOUTS, on_every_runtime!(timeout_ready)),
        nanoseconds("timer_fire", SLEEPERS, on_every_runtime!(timer_fire)),
        figure(
            "sleep_error",
            Unit::Microseconds,
            NAPS,
            on_every_runtime!(sleep_error),
        ),
    ]
}

fn insert_drop<R: Runtime>(size: usize) -> Cost {
    arm_and_drop::<R>(size, 0)
}

fn armed_drop<R: Runtime>(size: usize) -> Cost {
    arm_and_drop::<R>(size, SLEEPS_TO_FILE)
}

fn arm_and_drop<R: Runtime>(size: usize, sleeps: usize) -> Cost {
    let mut random = Random(1);
    let mut deadline = move || SOON + Duration::from_millis(random.below(SPREAD_MS));
    let durations: Vec<Duration> = (0..size).map(|_| deadline()).collect();
    let (used, armed) = in_task::<R, _>(async move {
        let before = sys::cpu_time();
        let mut timers: PinnedSlice<_> = durations.into_iter().map(R::sleep).collect();
        let armed = R::unbudgeted(poll_fn(|cx| Poll::Ready(timers.poll_all(cx)))).await;
        for _ in 0..sleeps {
            R::sleep(NAP).await;
        }
        drop(timers);
        (sys::cpu_time().since(before).sum(), armed)
    });
    assert_eq!(armed, size);
    used.into()
}

fn timeout_fast<R: Runtime>(size: usize) -> Cost {
    timeouts::<R, _>(size, R::yield_now)
}

fn timeout_ready<R: Runtime>(size: usize) -> Cost {
    timeouts::<R, _>(size, || ready(()))
}

fn timeouts<R: Runtime, F>(size: usize, work: impl Fn() -> F + 'static) -> Cost
where
    F: Future<Output = ()> + 'static,
{
    let (elapsed, in_time) = in_task::<R, _>(async move {
        let start = Instant::now();
        let mut in_time = 0;
        for _ in 0..size {
            in_time += usize::from(R::timeout(TIMEOUT, work()).await);
        }
        (start.elapsed(), in_time)
    });
    assert_eq!(in_time, size);
    elapsed.into()
}

fn timer_fire<R: Runtime>(size: usize) -> Cost {
    let mut random = Random(2);
    let mut duration = move || SLEEP + Duration::from_micros(random.below(SLEEP_SPREAD_US));
    let durations: Vec<Duration> = (0..size).map(|_| duration()).collect();
    let longest = durations.iter().copied().max().unwrap_or_default();
    let (used, elapsed, ended) = in_task::<R, _>(async move {
        let (start, before) = (Instant::now(), sys::cpu_time());
        let spawn = |duration| R::spawn(sleeper::<R>(duration));
        let tasks: Vec<_> = durations.into_iter().map(spawn).collect();
        let mut ended = 0;
        for task in tasks {
            ended += task.await;
        }
        let used = sys::cpu_time().since(before).sum();
        (used, start.elapsed(), ended)
    });
    assert_eq!(ended, size);
    assert!(
        elapsed >= longest,
        "the longest sleep of {longest:?} ended after {elapsed:?}"
    );
    used.into()
}

async fn sleeper<R: Runtime>(duration: Duration) -> usize {
    R::sleep(duration).await;
    1
}

fn sleep_error<R: Runtime>(size: usize) -> Cost {
    let late = in_task::<R, _>(async move {
        let mut late = Duration::ZERO;
        for _ in 0..size {
            let start = Instant::now();
            R::sleep(NAP).await;
            late += start
                .elapsed()
                .checked_sub(NAP)
                .expect("a sleep never ends early");
        }
        late
    });
    late.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
