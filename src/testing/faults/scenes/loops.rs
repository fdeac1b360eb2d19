//! Loops without sockets: tasks, time, another thread, a signal.

use std::future::pending;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use super::Scene;
use crate::event_loop::{EventLoop, LoopHandle, RunError};
use crate::kernel::spawn;
use crate::local::Event;
use crate::sys::faults::{Plan, in_step, raise_sigint};
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{LOOP, call, on_loop, on_real_loop};
use crate::time::{sleep, timeout, yield_now};

pub(super) const TASKS: Scene = Scene {
    name: "tasks on a virtual clock",
    play: || {
        on_loop(async || {
            let child = spawn(async {
                sleep(Duration::from_secs(60)).await;
                yield_now().await;
                7
            });
            let limit = timeout(Duration::from_secs(1), pending::<()>());
            assert!(limit.await.is_err());
            assert_eq!(child.await.unwrap(), 7);
            Ok(())
        })
    },
    rules: &[],
};

pub(super) const REAL_TIME: Scene = Scene {
    name: "time that passes",
    play: || {
        on_real_loop(async || {
            for _ in 0..3 {
                sleep(Duration::from_micros(100)).await;
            }
            let limit = timeout(Duration::from_micros(100), pending::<()>());
            assert!(limit.await.is_err());
            Ok(())
        })
    },
    rules: &[],
};

pub(super) const THREAD: Scene = Scene {
    name: "another thread",
    play: || {
        let plan = Plan::current();
        on_real_loop(async || {
            let event = Rc::new(Event::new());
            let handle = LoopHandle::current();
            let thread = thread::spawn(move || {
                let _entered = plan.map(|plan| plan.enter());
                let answer = handle.spawn(async || 5).join();
                handle.call_soon_threadsafe(|| ()).unwrap();
                answer
            });
            let done = Rc::clone(&event);
            let waits = spawn(async move { done.wait().await });
            while !thread.is_finished() {
                yield_now().await;
            }
            event.set();
            waits.await.unwrap();
            assert_eq!(thread.join().unwrap().unwrap(), 5);
            Ok(())
        })
    },
    rules: &[],
};

pub(super) const INTERRUPT: Scene = Scene {
    name: "a run that SIGINT ends",
    play: || {
        let builder = EventLoop::builder().sigint(true);
        let event_loop = call("make a loop", || builder.build())?;
        in_step(LOOP, || {
            event_loop.call_soon(raise_sigint);
            let result = event_loop.run_until_complete(pending::<()>());
            assert_eq!(result, Err(RunError::Interrupted));
        });
        Ok(())
    },
    // SIGINT can be caught.
    rules: &[rule("sigaction", &[], Fate::Untried)],
};
