//! A program's tests, as its author writes them: all the parts together.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use petla::local::{Event, Lock, Queue};
use petla::testing::{self, Explorer, VirtualClock, poll_once};
use petla::{EventLoop, sleep, spawn, timeout};

#[test]
fn an_hour_passes_at_once() {
    testing::run(async {
        let before = petla::now();
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, pending::<()>()).await.is_err());
        assert_eq!(petla::now() - before, hour);
    });
}

#[test]
fn a_clock_turned_by_hand() {
    let clock = VirtualClock::manual();
    let event_loop = EventLoop::builder()
        .clock(clock.clone())
        .seed(42)
        .build()
        .unwrap();
    let run = event_loop.run_until_complete(async {
        let t = spawn(sleep(Duration::from_secs(10)));
        testing::wait_all_tasks_blocked().await;
        clock.advance(Duration::from_secs(9));
        assert!(!t.is_finished());
        clock.advance(Duration::from_secs(1));
        t.await.unwrap();
    });
    run.unwrap();
    event_loop.close().unwrap();
}

#[test]
fn no_update_is_lost_in_any_order() {
    Explorer::new().seeds(0..1000).run(async || {
        let n = Rc::new((Cell::new(0), Lock::new(())));
        let add = |_| {
            let n = n.clone();
            spawn(async move {
                let _guard = n.1.lock().await;
                let value = n.0.get();
                petla::yield_now().await;
                n.0.set(value + 1);
            })
        };
        for task in [0, 1, 2].map(add) {
            task.await.unwrap();
        }
        assert_eq!(n.0.get(), 3);
    });
}

#[test]
fn a_dropped_getter_takes_nothing() {
    let q = Queue::unbounded();
    {
        let mut get = pin!(q.get());
        assert!(poll_once(&mut get).is_pending());
        q.put_nowait(1).unwrap();
    }
    assert_eq!(q.get_nowait(), Ok(1));
    let e = Rc::new(Event::new());
    let mut wait = pin!(e.wait());
    e.set();
    e.clear();
    assert!(poll_once(&mut wait).is_ready());
}
