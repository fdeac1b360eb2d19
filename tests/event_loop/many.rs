//! Several loops in one process: after each other, in turns on one thread, on many threads.

use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use petla::net::{TcpListener, TcpStream, UnixStream};
use petla::{EventLoop, LoopHandle, Sleep, Task, spawn, sync};

use crate::common::{Bell, LONG, Log, poll_once, within};

/// Uses everything a loop has once.
async fn use_everything() -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let echo = spawn(async move {
        let mut buf = [0; 4];
        server.read_exact(&mut buf).await.unwrap();
        server.write_all(&buf).await.unwrap();
    });
    client.write_all(b"ping").await.unwrap();
    let mut buf = [0; 4];
    client.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"ping");
    echo.await.unwrap();
    petla::sleep(Duration::from_micros(100)).await;
    LoopHandle::current().spawn(async || 7).await.unwrap()
}

#[test]
fn loops_one_after_the_other_on_one_thread() {
    for _ in 0..20 {
        assert_eq!(within(use_everything()), 7);
    }
}

#[test]
fn one_loop_on_each_of_eight_threads() {
    let threads = [(); 8].map(|()| {
        thread::spawn(|| {
            (0..20)
                .map(|_| within(use_everything()))
                .collect::<Vec<_>>()
        })
    });
    for thread in threads {
        assert_eq!(thread.join().unwrap(), [7; 20]);
    }
}

#[test]
fn eight_loops_pass_a_token_around_in_a_ring() {
    const ROUNDS: u32 = 50;
    let queues: Vec<Arc<sync::Queue<u32>>> =
        (0..8).map(|_| Arc::new(sync::Queue::bounded(1))).collect();
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (own, next) = (queues[n].clone(), queues[(n + 1) % 8].clone());
            thread::spawn(move || {
                within(async move {
                    for _ in 0..ROUNDS {
                        let token = own.get().await.unwrap();
                        next.put(token + 1).await.unwrap();
                    }
                });
            })
        })
        .collect();
    queues[0].put_nowait(0).unwrap();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(queues[0].get_nowait().unwrap(), 8 * ROUNDS);
}

#[test]
fn two_loops_take_turns_on_one_thread() {
    let loops = [EventLoop::new().unwrap(), EventLoop::new().unwrap()];
    let log = Log::new();
    let tasks = [0, 1].map(|n| {
        let log = log.clone();
        loops[n].spawn(async move {
            for step in 0..3 {
                log.push((n, step));
                petla::sleep(Duration::from_micros(50)).await;
                petla::yield_now().await;
            }
        })
    });
    for _ in 0..1_000 {
        for event_loop in &loops {
            event_loop.stop();
            event_loop.run_forever().unwrap();
        }
        if tasks.iter().all(Task::is_finished) {
            break;
        }
        thread::yield_now();
    }
    let [one, two] = tasks;
    loops[0].run_until_complete(one).unwrap().unwrap();
    loops[1].run_until_complete(two).unwrap().unwrap();
    let seen = log.take();
    for n in [0, 1] {
        let steps: Vec<i32> = seen
            .iter()
            .filter(|step| step.0 == n)
            .map(|step| step.1)
            .collect();
        assert_eq!(steps, [0, 1, 2]);
    }
}

#[test]
fn a_task_of_one_loop_is_awaited_in_another_on_the_same_thread() {
    let (home, away) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let mut task = home.spawn(async {
        petla::yield_now().await;
        5
    });
    away.run_until_complete(async { assert!(poll_once(&mut task).is_pending()) })
        .unwrap();
    let waiting = away.spawn(task);
    away.run_until_complete(petla::yield_now()).unwrap();
    assert!(!waiting.is_finished(), "its loop has not run");
    for _ in 0..3 {
        home.run_until_complete(petla::yield_now()).unwrap();
    }
    assert_eq!(
        away.run_until_complete(waiting).unwrap().unwrap().unwrap(),
        5
    );
}

#[test]
fn a_task_is_cancelled_from_another_loop_on_the_same_thread() {
    let (home, away) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let task = home.spawn(std::future::pending::<()>());
    home.run_until_complete(petla::yield_now()).unwrap();
    away.run_until_complete(async { assert!(task.cancel("from away")) })
        .unwrap();
    let error = home.run_until_complete(task).unwrap().unwrap_err();
    assert_eq!(error.reason(), Some("from away"));
}

#[test]
fn a_sleep_moves_to_the_loop_that_polls_it() {
    let (first, second) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let at = petla::now() + Duration::from_millis(3);
    let mut sleep = petla::sleep_until(at);
    let bell = Bell::new();
    first
        .run_until_complete(async { assert!(bell.poll(&mut sleep).is_pending()) })
        .unwrap();
    second.run_until_complete(&mut sleep).unwrap();
    assert!(petla::now() >= at);
    first
        .run_until_complete(petla::sleep(Duration::from_micros(1)))
        .unwrap();
    assert_eq!(
        (bell.rings(), bell.is_kept()),
        (0, false),
        "it left the first loop"
    );
}

#[test]
fn a_sleep_armed_on_a_loop_that_is_closed_works_on_the_next() {
    let mut sleep: Sleep = petla::sleep(Duration::from_millis(1));
    within(async { assert!(poll_once(&mut sleep).is_pending()) });
    within(&mut sleep);
}

#[test]
fn a_socket_belongs_to_the_loop_where_it_first_waited_for_as_long_as_that_lives() {
    let (home, away) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let (left, right) = UnixStream::pair().unwrap();
    let left = Rc::new(left);
    let reader = {
        let left = Rc::clone(&left);
        home.spawn(async move {
            let mut buf = [0; 8];
            left.read(&mut buf).await.map(|n| buf[..n].to_vec())
        })
    };
    home.run_until_complete(petla::yield_now()).unwrap();
    away.run_until_complete(async {
        let error = left.read(&mut [0; 8]).await.unwrap_err();
        assert!(
            error.to_string().contains("belongs to another event loop"),
            "{error}"
        );
        right.write_all(b"hello").await.unwrap();
    })
    .unwrap();
    let text = home.run_until_complete(reader).unwrap().unwrap().unwrap();
    assert_eq!(text, b"hello");
    home.close().unwrap();
    away.run_until_complete(async {
        let (read, written) = (left.clone(), right);
        let reader = spawn(async move { read.read(&mut [0; 8]).await });
        petla::yield_now().await;
        written.write_all(b"again").await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 5);
    })
    .unwrap();
}

#[test]
fn a_loop_is_made_and_closed_inside_another() {
    within(async {
        let inner = EventLoop::new().unwrap();
        let (ran, outer_task) = (Log::new(), spawn(async { "outer" }));
        let note = ran.clone();
        drop(inner.spawn(async move {
            let _tell = crate::common::OnDrop(move || note.push("dropped"));
            std::future::pending::<()>().await
        }));
        inner.close().unwrap();
        assert_eq!(
            petla::all_tasks().len(),
            2,
            "the outer loop is current again"
        );
        assert_eq!(outer_task.await.unwrap(), "outer");
        petla::sleep(Duration::from_micros(10)).await;
        assert!(ran.take().len() <= 1);
    });
}

#[test]
fn loops_come_and_go_on_many_threads_while_others_run() {
    let (send, receive) = mpsc::channel();
    let threads = [(); 4].map(|()| {
        let send = send.clone();
        thread::spawn(move || {
            for n in 0..200 {
                let event_loop = EventLoop::new().unwrap();
                let task = event_loop.handle().spawn(async move || n);
                assert_eq!(event_loop.run_until_complete(task).unwrap().unwrap(), n);
                event_loop.close().unwrap();
            }
            send.send(()).unwrap();
        })
    });
    for _ in 0..4 {
        receive.recv_timeout(LONG).unwrap();
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}
