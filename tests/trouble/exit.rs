//! The end of threads and of the process, with tasks, timers, sockets and handles left over.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use petla::net::{TcpListener, UnixStream};
use petla::{ContextVar, EventLoop, Task, current_task, spawn};

use crate::common::{
    Drops, OnDrop, alone, collect_reports_of, raise, succeeds_alone, text, within,
};

/// Tasks that own one of everything; each holds a guard.
fn leave_tasks(event_loop: &EventLoop, drops: &Drops) -> Vec<Task<()>> {
    let (left, right) = UnixStream::pair().unwrap();
    let guards = [(); 4].map(|()| drops.guard());
    let [reads, accepts, sleeps, ticks] = guards;
    vec![
        event_loop.spawn(async move {
            let _kept = (reads, right);
            drop(left.read(&mut [0; 8]).await);
        }),
        event_loop.spawn(async move {
            let _guard = accepts;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            drop(listener.accept().await);
        }),
        event_loop.spawn(async move {
            let _guard = sleeps;
            petla::timeout(Duration::MAX, petla::sleep(Duration::from_secs(3600)))
                .await
                .unwrap();
        }),
        event_loop.spawn(async move {
            let _guard = ticks;
            let mut ticks = petla::interval(Duration::from_secs(3600));
            loop {
                ticks.tick().await;
            }
        }),
    ]
}

/// Keeps something for ever, where a leak detector finds it again.
fn leak<T>(value: T) {
    static KEPT: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
    KEPT.store(Box::into_raw(Box::new(value)).cast(), Ordering::Relaxed);
}

#[test]
fn a_program_that_ends_with_tasks_left_over_ends_well() {
    succeeds_alone(|| {
        let drops = Drops::default();
        let tasks = petla::run(async {
            let tasks = leave_tasks(&EventLoop::current(), &drops);
            petla::yield_now().await;
            petla::sleep(Duration::from_micros(100)).await;
            tasks
        });
        assert_eq!(drops.count(), 4, "before run() returned");
        assert!(tasks.iter().all(Task::is_finished));
        leak(tasks);
    });
}

#[test]
fn a_process_that_exits_inside_a_task_gives_its_code() {
    let Some(output) = alone(|| {
        petla::run(async {
            drop(leave_tasks(&EventLoop::current(), &Drops::default()));
            petla::yield_now().await;
            std::process::exit(7);
        })
    }) else {
        return;
    };
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
}

#[test]
fn a_loop_that_is_leaked_does_not_hinder_the_end() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        drop(leave_tasks(&event_loop, &Drops::default()));
        event_loop.run_until_complete(petla::yield_now()).unwrap();
        leak(event_loop);
    });
}

thread_local! {
    static FIRST: RefCell<Vec<Task<()>>> = const { RefCell::new(Vec::new()) };
    static LOOP: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
    static LAST: RefCell<Vec<Task<()>>> = const { RefCell::new(Vec::new()) };
    static WAKES: Cell<Option<WakesAll>> = const { Cell::new(None) };
}

struct WakesAll(Vec<Waker>);

impl Drop for WakesAll {
    fn drop(&mut self) {
        self.0.iter().for_each(Waker::wake_by_ref);
    }
}

static VALUE: ContextVar<Option<String>> = ContextVar::new(|| None);

#[test]
fn a_loop_in_a_thread_local_is_closed_when_its_thread_ends() {
    succeeds_alone(|| {
        let drops = Drops::default();
        let dying = drops.clone();
        let thread = thread::spawn(move || {
            // Destructors of thread-locals run in the order in which the locals were first used,
            // or the other way round: handles lie on both sides of the loop.
            FIRST.with(|_| ());
            VALUE.set(Some(String::from("the thread's own")));
            LOOP.with(|_| ());
            LAST.with(|_| ());
            let event_loop = EventLoop::new().unwrap();
            FIRST.set(leave_tasks(&event_loop, &dying));
            LAST.set(leave_tasks(&event_loop, &dying));
            let guard = dying.guard();
            drop(event_loop.spawn(async move {
                VALUE.set(Some(String::from("the task's own")));
                let _uses_everything = OnDrop(|| {
                    drop(current_task());
                    drop(spawn(async { unreachable!("the loop is closing") }));
                    drop(petla::all_tasks());
                    drop(EventLoop::try_current());
                    drop(petla::sleep(Duration::ZERO));
                    VALUE.set(VALUE.get());
                    let _keep = &guard;
                });
                pending::<()>().await
            }));
            let own_waker = event_loop.spawn(std::future::poll_fn(|cx| {
                std::task::Poll::Ready(cx.waker().clone())
            }));
            let waker = event_loop.run_until_complete(own_waker).unwrap().unwrap();
            WAKES.set(Some(WakesAll(vec![waker])));
            LOOP.set(Some(event_loop));
        });
        thread.join().unwrap();
        assert_eq!(drops.count(), 9);
    });
}

#[test]
fn a_report_that_nobody_is_left_to_hear_goes_to_stderr() {
    let Some(output) = alone(|| {
        let thread = thread::spawn(|| {
            FIRST.with(|_| ());
            let tasks = petla::run(async {
                let task: Task<()> = spawn(async { raise("found at the end of the thread") });
                petla::yield_now().await;
                vec![task]
            });
            FIRST.set(tasks);
        });
        thread.join().unwrap();
    }) else {
        return;
    };
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    assert!(
        told.contains("panicked: found at the end of the thread"),
        "{told}"
    );
}

#[test]
fn a_destructor_that_panics_when_a_thread_ends_does_not_abort() {
    succeeds_alone(|| {
        let (send, receive) = mpsc::channel();
        let thread = thread::spawn(move || {
            LOOP.with(|_| ());
            let event_loop = EventLoop::new().unwrap();
            event_loop.set_exception_handler(move |report| send.send(report.to_string()).unwrap());
            drop(event_loop.spawn(async {
                let _broken = OnDrop(|| raise("in a dying thread"));
                pending::<()>().await
            }));
            event_loop.run_until_complete(petla::yield_now()).unwrap();
            LOOP.set(Some(event_loop));
        });
        thread.join().unwrap();
        let told: Vec<String> = receive.try_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("in a dying thread"), "{told:?}");
    });
}

#[test]
fn a_loop_that_ends_in_the_middle_of_unwinding_closes() {
    let (drops, reports) = (Drops::default(), RefCell::new(None));
    let text = crate::common::panic_text(|| {
        let event_loop = EventLoop::new().unwrap();
        *reports.borrow_mut() = Some(collect_reports_of(&event_loop));
        let _tasks = leave_tasks(&event_loop, &drops);
        event_loop.run_until_complete(petla::yield_now()).unwrap();
        raise("outside of the loop")
    });
    assert_eq!((text.as_str(), drops.count()), ("outside of the loop", 4));
    assert_eq!(reports.take().unwrap().take(), [""; 0]);
}

#[test]
fn a_socket_that_a_task_owned_is_closed_when_run_returns() {
    let (mine, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    petla::run(async move {
        theirs.set_nonblocking(true).unwrap();
        let theirs = UnixStream::from_std(theirs).unwrap();
        drop(spawn(async move { drop(theirs.read(&mut [0; 8]).await) }));
        petla::yield_now().await;
        petla::sleep(Duration::from_micros(50)).await;
    });
    mine.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(
        std::io::Read::read(&mut &mine, &mut [0; 8]).unwrap(),
        0,
        "the end"
    );
}

#[test]
fn threads_end_while_their_wakers_and_sleeps_live_on_elsewhere() {
    let (send, receive) = mpsc::channel();
    for _ in 0..8 {
        let send = send.clone();
        thread::spawn(move || {
            within(async {
                let mut nap = petla::sleep(Duration::from_secs(3600));
                let waker = std::future::poll_fn(|cx| {
                    let polled = std::pin::Pin::new(&mut nap).poll(cx);
                    assert!(polled.is_pending());
                    std::task::Poll::Ready(cx.waker().clone())
                })
                .await;
                send.send((nap, waker)).unwrap();
            });
        })
        .join()
        .unwrap();
    }
    drop(send);
    for (nap, waker) in receive {
        waker.wake_by_ref();
        drop(nap);
        waker.wake();
    }
}

thread_local! {
    static RUNS: Cell<Option<RunsALoop>> = const { Cell::new(None) };
}

/// Runs a loop when it is dropped, and sends what that gave.
struct RunsALoop(mpsc::Sender<u32>);

impl Drop for RunsALoop {
    fn drop(&mut self) {
        let value = petla::run(async {
            VALUE.set(Some(String::from("late")));
            petla::sleep(Duration::from_micros(10)).await;
            spawn(async { 5 }).await.unwrap()
        });
        self.0.send(value).unwrap();
    }
}

#[test]
fn a_loop_runs_even_in_a_dying_thread() {
    succeeds_alone(|| {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || RUNS.set(Some(RunsALoop(send))))
            .join()
            .unwrap();
        assert_eq!(receive.recv(), Ok(5));
    });
}
