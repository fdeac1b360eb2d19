//! Scopes that change their place, that others drive, and that are very many.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use petla::{
    CancelScope, EventLoop, Shield, Timeout, shield, sleep, spawn, testing, timeout, yield_now,
};

use crate::common::hand::{Hand, drive, hand, waiting};
use crate::common::{Log, collect_reports, within};
use crate::{Story, ms};

/// A cancel, with clean-ups, that needs no clock.
async fn a_day_of_work(log: &Log<&'static str>) {
    let outer = CancelScope::new();
    let run = outer.run(async |s| {
        s.on_cancel(async {
            yield_now().await;
            log.push("outer");
        });
        let inner = CancelScope::new();
        let run = inner.run(async |i| {
            i.on_cancel(async {
                yield_now().await;
                log.push("inner");
            });
            shield(yield_now()).await;
            i.cancel("inner");
            pending::<()>().await
        });
        assert_eq!(run.await.unwrap_err().reason(), Some("inner"));
        s.cancel("outer");
        yield_now().await;
        unreachable!("it was cancelled")
    });
    let end: Result<(), _> = run.await;
    assert_eq!(end.unwrap_err().reason(), Some("outer"));
}

#[test]
fn a_foreign_executor_runs_them_without_a_loop() {
    let log = Log::new();
    assert_eq!(drive(vec![Box::pin(a_day_of_work(&log))]), 0);
    assert_eq!(log.take(), ["inner", "outer"]);
}

#[test]
fn a_foreign_executor_inside_a_loop_runs_them() {
    testing::run(async {
        let log = Log::new();
        assert_eq!(drive(vec![Box::pin(a_day_of_work(&log))]), 0);
        a_day_of_work(&log).await;
        assert_eq!(log.take(), ["inner", "outer", "inner", "outer"]);
    });
}

#[test]
fn a_scope_cancelled_from_its_handle_wakes_a_foreign_waker() {
    let scope = CancelScope::new();
    let mut run = hand(scope.run(async |_| pending::<()>().await));
    let bell = crate::common::Bell::new();
    assert!(bell.poll(&mut run).is_pending());
    assert!(scope.cancel(()));
    assert_eq!(bell.rings(), 1);
    assert!(bell.poll(&mut run).is_ready());
    drop(run);
    assert!(!bell.is_kept());
}

/// A future that is handed from task to task.
type Ball<T> = Rc<RefCell<Hand<'static, T>>>;

/// Polls the ball with the waker of whoever holds it.
async fn hold<T>(ball: &Ball<T>) -> T {
    poll_fn(|cx| Pin::new(&mut *ball.borrow_mut()).poll(cx)).await
}

#[test]
fn a_scope_moves_between_tasks_and_is_woken_where_it_is() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new().timeout(ms(20));
        let (theirs, log) = (scope.clone(), story.clone());
        let ball: Ball<_> = Rc::new(RefCell::new(hand(async move {
            let run = theirs.run(async |s| {
                s.on_cancel(log.note_after(ms(1), "cleaned up"));
                pending::<()>().await
            });
            run.await
        })));
        for _ in 0..3 {
            let mut holder = Box::pin(timeout(ms(2), hold(&ball)));
            let mut ended = false;
            poll_fn(|cx| {
                ended = holder.as_mut().poll(cx).is_ready();
                Poll::Ready(())
            })
            .await;
            assert!(!ended);
        }
        let last = Rc::clone(&ball);
        let task = spawn(async move { hold(&last).await });
        assert!(task.await.unwrap().unwrap_err().deadline().is_some());
        story.is(&["21 cleaned up"]);
    });
}

#[test]
fn a_scope_that_has_left_a_task_does_not_hold_its_cancel() {
    testing::run(async {
        let scope = CancelScope::new();
        let theirs = scope.clone();
        let ball: Ball<()> = Rc::new(RefCell::new(hand(async move {
            let _ = theirs.run(async |_| pending::<()>().await).await;
        })));
        let first = Rc::clone(&ball);
        let first = spawn(async move { hold(&first).await });
        yield_now().await;
        let second = Rc::clone(&ball);
        let second = spawn(async move { hold(&second).await });
        yield_now().await;
        first.cancel("only the first");
        assert_eq!(first.await.unwrap_err().reason(), Some("only the first"));
        scope.cancel(());
        second.await.unwrap();
    });
}

#[test]
fn a_scope_moves_below_another_and_up_again() {
    testing::run(async {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let theirs = inner.clone();
        let ball: Ball<_> = Rc::new(RefCell::new(hand(async move {
            theirs.run(async |_| pending::<()>().await).await
        })));
        let run = outer.run(async |s| {
            let _ = timeout(ms(5), async {
                poll_fn(|cx| {
                    assert!(Pin::new(&mut *ball.borrow_mut()).poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            })
            .await;
            s.cancel("the outer");
        });
        run.await.unwrap();
        ball.borrow_mut().waits();
        inner.cancel("up again");
        assert_eq!(hold(&ball).await.unwrap_err().reason(), Some("up again"));
    });
}

#[test]
fn what_a_limit_was_given_by_reference_is_cancelled_like_what_it_owns() {
    // A plain future goes on; a scope in it is over, and the code after it is not resumed.
    testing::run(async {
        let mut plain = Box::pin(sleep(ms(5)));
        assert!(timeout(ms(1), &mut plain).await.is_err());
        assert!(timeout(ms(9), &mut plain).await.is_ok());
        let scope = CancelScope::new();
        let mut run = Box::pin(scope.run(async |_| sleep(ms(5)).await));
        assert!(timeout(ms(1), &mut run).await.is_err());
        assert!(timeout(ms(9), &mut run).await.is_err());
        assert!(!scope.cancel("it is over"));
    });
}

#[test]
fn a_scope_is_polled_by_two_loops_of_one_thread() {
    let loops: Vec<EventLoop> = (0..2).map(|_| EventLoop::new().unwrap()).collect();
    let log = Log::new();
    let scope = CancelScope::new().timeout(ms(1));
    let mut run = hand(async {
        let shielded = timeout(
            ms(10_000),
            scope.run(async |s| {
                s.finally(async {
                    sleep(ms(1)).await;
                    log.push("cleaned up");
                });
                pending::<()>().await
            }),
        );
        shield(shielded).await.unwrap()
    });
    for _ in 0..3 {
        for event_loop in &loops {
            event_loop
                .run_until_complete(async { run.waits() })
                .unwrap();
        }
    }
    let end = loops[1].run_until_complete(run).unwrap();
    assert!(end.unwrap_err().deadline().is_some());
    assert_eq!(log.take(), ["cleaned up"]);
    loops.iter().for_each(|one| one.close().unwrap());
}

#[test]
fn limits_and_shields_may_go_to_other_threads() {
    fn goes<T: Send>() {}
    goes::<Timeout<std::future::Ready<()>>>();
    goes::<Shield<std::future::Ready<()>>>();
    within(async {
        let mut shielded = Box::pin(shield(pending::<()>()));
        let mut limited = Box::pin(timeout(ms(10_000), shield(pending::<()>())));
        poll_fn(|cx| {
            assert!(shielded.as_mut().poll(cx).is_pending());
            assert!(limited.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let thread = std::thread::spawn(move || drop((shielded, limited)));
        thread.join().unwrap();
        let me = petla::current_task().unwrap();
        spawn(async move { me.name() }).await.unwrap();
    });
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// So many scopes inside each other; counts the polls of the innermost bodies' wrappers.
fn nested<'a>(
    scopes: &'a [CancelScope],
    polls: &'a Cell<usize>,
    log: &'a Cell<usize>,
) -> Boxed<'a, ()> {
    Box::pin(async move {
        let Some((first, rest)) = scopes.split_first() else {
            return pending().await;
        };
        let run = first.run(async |s| {
            s.on_cancel(async move { log.set(log.get() + 1) });
            let mut inside = nested(rest, polls, log);
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                inside.as_mut().poll(cx)
            })
            .await;
        });
        let _ = run.await;
    })
}

const DEPTH: usize = 1000;

/// A level takes less than 1 KiB of stack, and nearly 6 KiB without optimisation.
const STACK: usize = DEPTH
    * if cfg!(debug_assertions) {
        8 << 10
    } else {
        2 << 10
    };

/// A thousand scopes, and what happens in them.
struct Deep {
    scopes: Vec<CancelScope>,
    polls: Cell<usize>,
    /// Clean-ups.
    log: Cell<usize>,
}

/// Runs `test` on a stack of that size, with a thousand scopes that wait inside each other.
fn deep(test: fn(Hand<'_, ()>, &Deep)) {
    let main = move || {
        testing::run(async {
            let deep = Deep {
                scopes: (0..DEPTH).map(|_| CancelScope::new()).collect(),
                polls: Cell::new(0),
                log: Cell::new(0),
            };
            test(waiting(nested(&deep.scopes, &deep.polls, &deep.log)), &deep);
        });
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(main).unwrap().join().unwrap();
}

#[test]
fn a_thousand_nested_scopes_end_in_a_linear_number_of_polls_on_a_small_stack() {
    deep(|mut run, deep| {
        assert_eq!(deep.polls.take(), DEPTH);
        deep.scopes[0].cancel("all");
        run.ready();
        assert!(deep.polls.get() <= 2 * DEPTH, "{:?}", deep.polls);
        assert_eq!(deep.log.get(), DEPTH);
    });
}

#[test]
fn a_thousand_nested_scopes_are_dropped_and_each_loss_reported_once() {
    deep(|run, deep| {
        let reports = collect_reports();
        drop(run);
        assert_eq!((reports.len(), deep.log.get()), (DEPTH, 0));
        assert!(deep.scopes.iter().all(|scope| !scope.cancel(())));
    });
}
