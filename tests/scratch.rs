use petla::{CancelScope, move_on_after, now, shield, sleep, spawn, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
const MS: Duration = Duration::from_millis(1);

#[test]
fn a_task_that_is_cancelled_runs_the_clean_ups_of_its_scopes_first() {
    let log = Rc::new(RefCell::new(Vec::new()));
    petla::run(async {
        let l = log.clone();
        let t = spawn(async move {
            let outer = CancelScope::new();
            outer
                .run(async |s| {
                    s.on_cancel(async {
                        yield_now().await;
                        l.borrow_mut().push("outer")
                    });
                    CancelScope::new()
                        .run(async |s| {
                            s.on_cancel(async {
                                sleep(MS).await;
                                l.borrow_mut().push("inner")
                            });
                            std::future::pending::<()>().await
                        })
                        .await
                        .unwrap();
                })
                .await
                .unwrap();
            unreachable!()
        });
        yield_now().await;
        assert!(t.cancel("enough"));
        let e = t.await.unwrap_err();
        assert_eq!(e.reason(), Some("enough"));
        assert_eq!(*log.borrow(), ["inner", "outer"]);
    });
}

#[test]
fn the_end_of_run_waits_for_clean_ups() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let l = log.clone();
    petla::run(async move {
        drop(spawn(async move {
            CancelScope::new()
                .run(async |s| {
                    s.on_cancel(async {
                        sleep(MS).await;
                        let t = spawn(async { 7 }).await.unwrap();
                        l.borrow_mut().push(t)
                    });
                    std::future::pending::<()>().await
                })
                .await
                .unwrap();
        }));
        yield_now().await;
    });
    assert_eq!(*log.borrow(), [7]);
}

#[test]
fn a_timeout_waits_for_the_scopes_inside() {
    let log = RefCell::new(Vec::new());
    petla::run(async {
        let r = petla::timeout(
            MS,
            petla::timeout(
                1000 * MS,
                CancelScope::new().run(async |s| {
                    s.on_cancel(async {
                        sleep(MS).await;
                        log.borrow_mut().push("clean")
                    });
                    std::future::pending::<()>().await
                }),
            ),
        )
        .await;
        assert!(r.is_err());
    });
    assert_eq!(*log.borrow(), ["clean"]);
}

#[test]
fn shield_and_deadline() {
    petla::run(async {
        let done = Cell::new(0);
        let r = move_on_after(MS, async |_| {
            shield(async {
                sleep(3 * MS).await;
                done.set(1)
            })
            .await;
            done.set(2);
            sleep(100 * MS).await;
            done.set(3)
        })
        .await;
        assert!(r.is_none());
        assert_eq!(done.get(), 2);
        let t0 = now();
        let s = CancelScope::new().timeout(5 * MS);
        let r = s
            .run(async |s| {
                for _ in 0..5 {
                    sleep(2 * MS).await;
                    s.set_deadline(now() + 5 * MS)
                }
                5
            })
            .await;
        assert_eq!(r.unwrap(), 5);
        assert!(now() - t0 >= 10 * MS);
    });
}
#[test]
fn zz1() {
    petla::run(async {
        let done = Cell::new(0);
        let r = move_on_after(MS, async |_| {
            shield(async {
                sleep(3 * MS).await;
                done.set(1)
            })
            .await;
            eprintln!("after shield");
            done.set(2);
            sleep(100 * MS).await;
            done.set(3)
        })
        .await;
        eprintln!("out");
        assert!(r.is_none());
        assert_eq!(done.get(), 2);
    });
}
