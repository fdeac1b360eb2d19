//! `timeout`, `wait_for` and `move_on_after` around scopes, shields and each other.

use std::cell::Cell;
use std::future::{pending, ready};

use petla::{
    CancelScope, Elapsed, gather, move_on_after, now, shield, sleep, spawn, testing, timeout,
    timeout_at, try_gather, wait_for, yield_now,
};
use std::time::Duration;

use crate::common::{loop_on, poll_once};
use crate::{Story, ms};

#[test]
fn an_outer_cancel_in_the_tick_in_which_the_inner_ends_takes_place_at_the_next_wait() {
    // B25
    testing::run(async {
        let scope = CancelScope::new();
        let remote = scope.clone();
        let canceller = spawn(async move {
            sleep(ms(5)).await;
            remote.cancel("in the same tick")
        });
        let got = Cell::new(None);
        let result = scope.run(async |_| {
            got.set(Some(timeout(ms(50), sleep(ms(5))).await));
            yield_now().await;
            unreachable!("cancelled at the first wait")
        });
        let cause: petla::Cancelled = result.await.map(|(): ()| ()).unwrap_err();
        assert_eq!(cause.reason(), Some("in the same tick"));
        assert!(canceller.await.unwrap());
        assert!(matches!(got.get(), None | Some(Ok(()))));
    });
}

#[test]
fn a_limit_waits_for_the_clean_ups_inside_also_when_it_is_zero() {
    // B26
    for limit in [0, 10] {
        testing::run(async {
            let story = Story::new();
            let scope = CancelScope::new();
            let body = scope.run(async |s| {
                s.on_cancel(story.note_after(ms(3), "cleaned up"));
                pending::<()>().await
            });
            assert!(timeout(ms(limit), body).await.is_err());
            story.is(&[&format!("{} cleaned up", limit + 3)]);
            assert!(scope.cause().is_none(), "it was not the scope's");
        });
    }
}

#[test]
fn a_value_that_is_given_while_the_limit_waits_is_kept() {
    // B27, W15: shielded for a limit above zero, of zero, and without.
    testing::run(async {
        let part = || async {
            shield(async {
                sleep(ms(5)).await;
                7
            })
            .await
        };
        assert_eq!(timeout(ms(1), part()).await, Ok(7));
        assert_eq!(timeout(Duration::ZERO, part()).await, Ok(7));
        assert_eq!(wait_for(part(), None).await, Ok(7));
    });
}

#[test]
fn a_limit_of_zero_ends_what_only_yields() {
    // B28, T1
    testing::run(async {
        let polls = Cell::new(0);
        let turns = async {
            loop {
                polls.set(polls.get() + 1);
                yield_now().await;
            }
        };
        assert_eq!(
            timeout::<_>(Duration::ZERO, turns).await,
            Err::<(), _>(Elapsed)
        );
        assert_eq!(polls.get(), 1);
        assert_eq!(timeout(Duration::ZERO, yield_now()).await, Err(Elapsed));
        assert_eq!(wait_for(yield_now(), Duration::ZERO).await, Err(Elapsed));
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert_eq!(
            move_on_after(Duration::ZERO, async |_| yield_now().await).await,
            None
        );
        assert_eq!(move_on_after(Duration::ZERO, async |_| 1).await, Some(1));
    });
}

#[test]
fn a_limit_of_zero_ends_scopes_that_only_yield() {
    testing::run(async {
        let story = Story::new();
        let body = CancelScope::new();
        let body = body.run(async |s| {
            s.on_cancel(async { story.note("cleaned up") });
            yield_now().await;
            story.note("went on");
        });
        assert!(timeout(Duration::ZERO, body).await.is_err());
        story.is(&["0 cleaned up"]);
    });
}

#[test]
fn a_limit_inside_what_is_cancelled_already_swallows_nothing() {
    // B29, B30
    testing::run(async {
        for limit in [0, 1] {
            let task = spawn(async move {
                shield(async {
                    petla::current_task().unwrap().cancel("before");
                    yield_now().await;
                    assert_eq!(timeout(ms(limit), sleep(ms(5))).await, Err(Elapsed));
                    assert_eq!(timeout(ms(5), sleep(ms(1))).await, Ok(()));
                })
                .await;
                let _ = timeout(ms(limit), pending::<()>()).await;
                unreachable!("it was cancelled before")
            });
            assert_eq!(
                task.await.map(|(): ()| ()).unwrap_err().reason(),
                Some("before")
            );
        }
    });
}

#[test]
fn the_limit_around_a_cancelled_scope_gives_its_own_error() {
    // B42
    testing::run(async {
        let scope = CancelScope::new();
        let both = async {
            scope
                .run(async |s| {
                    s.on_cancel(sleep(ms(10)));
                    sleep(ms(1)).await;
                    s.cancel("inside");
                    pending::<()>().await
                })
                .await
        };
        assert_eq!(timeout(ms(5), both).await.unwrap_err(), Elapsed);
        assert_eq!(scope.cause().unwrap().reason(), Some("inside"));
    });
}

#[test]
fn a_limit_outside_is_not_lost_after_a_cancel_inside() {
    // B46
    testing::run(async {
        let story = Story::new();
        let body = async {
            let scope = CancelScope::new();
            let inner = scope.run(async |s| {
                s.cancel("done with it");
                pending::<()>().await
            });
            assert_eq!(inner.await.unwrap_err().reason(), Some("done with it"));
            pending::<()>().await
        };
        assert_eq!(timeout(ms(5), body).await, Err(Elapsed));
        assert_eq!(story.elapsed(), 5);
    });
}

#[test]
fn a_limit_may_be_relative_a_moment_none_or_past() {
    // T1
    testing::run(async {
        let story = Story::new();
        let forever = || pending::<()>();
        assert_eq!(timeout(ms(2), forever()).await, Err(Elapsed));
        assert_eq!(story.elapsed(), 2);
        assert_eq!(timeout_at(now() + ms(2), forever()).await, Err(Elapsed));
        assert_eq!(story.elapsed(), 4);
        assert_eq!(wait_for(sleep(ms(100)), None).await, Ok(()));
        assert_eq!(timeout_at(story.begin, forever()).await, Err(Elapsed));
        assert_eq!(story.elapsed(), 104);
        let past = CancelScope::new().timeout_at(story.begin);
        let cause = past.run(async |_| yield_now().await).await.unwrap_err();
        assert_eq!(
            cause.deadline(),
            Some(story.begin),
            "polled once, and ended"
        );
        assert_eq!(story.elapsed(), 104);
    });
}

#[test]
fn of_nested_limits_at_one_moment_both_pass_and_the_outer_gives_the_error() {
    // T2
    testing::run(async {
        let at = now() + ms(5);
        let (outer, inner) = (
            CancelScope::new().timeout_at(at),
            CancelScope::new().timeout_at(at),
        );
        let result = outer.run(async |_| {
            let result = inner.run(async |_| pending::<()>().await).await;
            assert!(result.is_err());
            pending::<()>().await
        });
        assert_eq!(result.await.unwrap_err().deadline(), Some(at));
        assert_eq!(inner.cause().unwrap().deadline(), Some(at));
    });
}

#[test]
fn an_inner_limit_that_passes_leaves_the_outer_one_armed() {
    // T3
    testing::run(async {
        let story = Story::new();
        let outer = move_on_after(ms(10), async |_| {
            assert_eq!(
                move_on_after(ms(5), async |_| pending::<()>().await).await,
                None
            );
            story.note("inner");
            pending::<()>().await
        });
        assert_eq!(outer.await, None);
        story.note("outer");
        story.is(&["5 inner", "10 outer"]);
    });
}

#[test]
fn limits_that_pass_while_the_loop_is_busy_strike_as_soon_as_it_is_not() {
    // T3: the inner one alone passes meanwhile, or both.
    for busy in [50, 200] {
        let clock = testing::VirtualClock::auto();
        let main = async {
            let story = Story::new();
            let outer = move_on_after(ms(100), async |_| {
                let inner = move_on_after(ms(10), async |_| {
                    clock.advance(ms(busy));
                    pending::<()>().await
                });
                assert_eq!(inner.await, None);
                assert_eq!(story.elapsed(), u128::from(busy));
                pending::<()>().await
            });
            assert_eq!(outer.await, None);
            assert_eq!(story.elapsed(), u128::from(busy.max(100)));
        };
        loop_on(&clock).run_until_complete(main).unwrap();
    }
}

#[test]
fn a_foreign_error_passes_and_the_limit_did_not() {
    // T4
    testing::run(async {
        let scope = CancelScope::new().timeout(ms(5));
        let result = scope.run(async |_| "17x".parse::<u32>()).await;
        assert!(result.unwrap().is_err());
        assert!(scope.cause().is_none());
        let error: Result<(), &str> = Err("foreign");
        assert_eq!(timeout(ms(5), async { error }).await, Ok(Err("foreign")));
    });
}

#[test]
fn a_cancel_from_outside_is_not_taken_for_the_limit() {
    // T5
    testing::run(async {
        let scope = CancelScope::new();
        let inner = CancelScope::new().timeout(ms(100));
        let result = scope.run(async |s| {
            let limited = timeout(ms(100), inner.run(async |_| pending::<()>().await));
            let ends = async {
                sleep(ms(1)).await;
                s.cancel("from outside");
            };
            let _ = gather!(limited, ends).await;
            unreachable!("the code in between is not resumed")
        });
        assert_eq!(
            result.await.map(|(): ()| ()).unwrap_err().reason(),
            Some("from outside")
        );
        assert!(inner.cause().is_none());
    });
}

#[test]
fn a_deadline_that_was_moved_is_the_one_that_counts() {
    // T6
    testing::run(async {
        let story = Story::new();
        for (to, end) in [(Some(ms(20)), 20), (None, 50), (Some(ms(2)), 2)] {
            let begin = now();
            let scope = CancelScope::new().timeout(ms(10));
            let result = scope.run(async |s| {
                sleep(ms(1)).await;
                s.set_deadline(to.map(|to| begin + to));
                sleep(ms(49)).await;
            });
            assert_eq!(result.await.is_err(), to.is_some());
            assert_eq!((now() - begin).as_millis(), end);
        }
        assert_eq!(story.elapsed(), 72);
    });
}

#[test]
fn a_limit_in_a_clean_up_while_another_limit_has_struck_works() {
    // T8
    testing::run(async {
        let story = Story::new();
        let body = async {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.finally(async {
                    assert_eq!(timeout(ms(3), pending::<()>()).await, Err(Elapsed));
                    story.note("inner");
                    assert_eq!(timeout(ms(3), sleep(ms(1))).await, Ok(()));
                });
                pending::<()>().await
            });
            run.await
        };
        assert!(timeout(ms(5), body).await.is_err());
        story.note("outer");
        story.is(&["8 inner", "9 outer"]);
    });
}

#[test]
fn a_limit_after_a_cancel_that_is_over_is_not_touched_by_it() {
    // T9
    testing::run(async {
        let scope = CancelScope::new();
        scope.cancel("over");
        assert!(scope.run(async |_| ()).await.is_err());
        assert_eq!(timeout(ms(5), sleep(ms(1))).await, Ok(()));
        assert_eq!(timeout(ms(5), sleep(ms(9))).await, Err(Elapsed));
    });
}

#[test]
fn an_error_of_several_beats_the_limit_that_strikes_in_the_same_tick() {
    // T10
    testing::run(async {
        let fails = async {
            sleep(ms(5)).await;
            Err::<(), _>("broken")
        };
        let waits = async {
            sleep(ms(9)).await;
            Ok::<(), _>(())
        };
        let both = async { try_gather!(fails, waits).await };
        assert_eq!(timeout(ms(5), both).await.unwrap().unwrap_err(), "broken");
    });
}

#[test]
fn a_limit_around_many_scopes_waits_for_all_their_clean_ups() {
    testing::run(async {
        let story = Story::new();
        let scopes = (1..=3).map(|n| {
            let story = &story;
            async move {
                CancelScope::new()
                    .run(async |s| {
                        s.on_cancel(story.note_after(ms(n), "cleaned up"));
                        pending::<()>().await
                    })
                    .await
            }
        });
        assert!(timeout(ms(5), gather(scopes)).await.is_err());
        story.note("over");
        story.is(&["6 cleaned up", "7 cleaned up", "8 cleaned up", "8 over"]);
    });
}

#[test]
fn a_limit_that_waits_for_clean_ups_can_be_dropped() {
    testing::run(async {
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.on_cancel_static(pending());
            pending::<()>().await
        });
        let mut limited = Box::pin(timeout(Duration::ZERO, run));
        assert!(poll_once(&mut limited).is_pending());
        yield_now().await;
        assert!(poll_once(&mut limited).is_pending());
        drop(limited);
        assert!(!scope.cancel("it is gone"));
        let left = petla::all_tasks()
            .into_iter()
            .find(|task| task.name() == "clean-up");
        left.unwrap().cancel("or the loop would wait");
    });
}
