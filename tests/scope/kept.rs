//! Scopes and shields that were begun and are kept, unpolled: nobody waits for them for ever.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use petla::{CancelScope, gather, now, shield, sleep, spawn, testing, timeout, yield_now};

use crate::common::{collect_reports, poll_once};

const SECOND: Duration = Duration::from_secs(1);

/// Begins `future`, keeps it unpolled, and waits for ever.
async fn keep(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    assert!(poll_once(&mut future).is_pending());
    pending().await
}

/// A scope whose clean-up borrows.
async fn scope() {
    let cleaned = Cell::new(false);
    let _ = CancelScope::new()
        .run(async |s| {
            s.on_cancel(async { cleaned.set(true) });
            pending::<()>().await
        })
        .await;
}

#[test]
fn a_task_that_keeps_a_scope_is_cancelled_when_it_rests() {
    testing::run(async {
        let reports = collect_reports();
        let task = spawn(keep(scope()));
        yield_now().await;
        let before = now();
        task.cancel("enough");
        assert_eq!(task.await.unwrap_err().reason(), Some("enough"));
        assert_eq!(now(), before);
        assert_eq!(reports.take().len(), 1, "the clean-up is lost");
    });
}

#[test]
fn a_task_that_keeps_a_shield_is_cancelled_when_it_rests() {
    testing::run(async {
        let task = spawn(keep(shield(sleep(3600 * SECOND))));
        yield_now().await;
        let before = now();
        task.cancel(());
        assert!(task.await.is_err());
        assert_eq!(now(), before);
    });
}

#[test]
fn what_is_polled_beside_is_waited_for() {
    testing::run(async {
        let cleaned = Rc::new(Cell::new(false));
        let clean = Rc::clone(&cleaned);
        let task = spawn(async move {
            let polled = CancelScope::new();
            let polled = polled.run(async |s| {
                s.on_cancel(async {
                    sleep(SECOND).await;
                    clean.set(true);
                });
                pending::<()>().await
            });
            let both = petla::gather!(polled, shield(sleep(2 * SECOND)));
            let ((), (result, ())) = petla::gather!(keep(scope()), both).await;
            result.unwrap();
        });
        yield_now().await;
        let before = now();
        task.cancel(());
        assert!(task.await.is_err() && cleaned.get());
        assert_eq!(now() - before, 2 * SECOND, "the shield's time");
    });
}

#[test]
fn more_scopes_than_a_poll_serves_are_all_waited_for() {
    testing::run(async {
        let cleaned = Rc::new(Cell::new(0));
        let count = Rc::clone(&cleaned);
        let task = spawn(async move {
            let count = &*count;
            let scopes = (0..300).map(|_| async move {
                let clean = async { count.set(count.get() + 1) };
                let scope = CancelScope::new();
                let scope = scope.run(async |s| {
                    s.on_cancel(clean);
                    pending::<()>().await
                });
                scope.await
            });
            gather(scopes).await;
        });
        testing::wait_all_tasks_blocked().await;
        task.cancel(());
        assert!(task.await.is_err());
        assert_eq!(cleaned.get(), 300);
    });
}

#[test]
fn a_limit_around_a_kept_scope_gives_it_up_after_the_time_for_clean_ups() {
    testing::run(async {
        let before = now();
        assert!(timeout(SECOND, keep(scope())).await.is_err());
        assert_eq!(now() - before, 6 * SECOND);
        assert!(timeout(SECOND, keep(shield(pending()))).await.is_err());
        assert_eq!(now() - before, 12 * SECOND);
        let limited = timeout(SECOND, shield(sleep(60 * SECOND)));
        assert!(
            limited.await.is_ok(),
            "a shield that is polled is waited for"
        );
    });
}

#[test]
fn a_scope_around_a_kept_shield_gives_it_up_after_the_time_for_clean_ups() {
    testing::run(async {
        let before = now();
        let scope = CancelScope::new().timeout(SECOND);
        assert!(
            scope
                .run(async |_| keep(shield(pending())).await)
                .await
                .is_err()
        );
        assert_eq!(now() - before, 6 * SECOND);
    });
}
