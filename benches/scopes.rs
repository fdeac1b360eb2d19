//! What does a scope that can be cancelled cost when nobody cancels it?
//!
//! - `scope_fast`: a scope with a limit of 30 s around a single `yield_now`. Beside it petla's
//!   `timeout`, which is all of it that most reads need, and in the other runtimes the nearest
//!   that there is: a timeout around tokio-util's `CancellationToken`, one token a time.
//! - `scope_move_on`: the same by `move_on_after`.
//!
//! Timed: making the scope, arming its timer, two polls, its end. Checked: each body ended, none
//! was cancelled.
//!
//! How to read it: nanoseconds a scope. What `timeout_fast` takes is the timer; the rest is the
//! tree of scopes, the handles and the list of clean-ups. A token gives a part of that.

use std::time::{Duration, Instant};

use petla::CancelScope;
use petla_bench::combinators::PETLA_TIMEOUT;
use petla_bench::runtimes::{
    Monoio, Petla, Runtime, Smol, TokioCurrentThread, TokioLocal, in_task,
};
use petla_bench::{Contender, Cost, Figure, PETLA, Sizes, Unit, contenders};
use tokio_util::sync::CancellationToken;

/// Scopes one after the other.
const SCOPES: Sizes = Sizes {
    table: 200_000,
    criterion: 50_000,
    smoke: 10,
};
/// Far away.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, petla: fn(usize) -> Cost| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: 1,
        sizes: SCOPES,
        contenders: beside_peers(petla),
    };
    vec![
        figure("scope_fast", scope_fast),
        figure("scope_move_on", scope_move_on),
    ]
}

fn beside_peers(petla: fn(usize) -> Cost) -> Vec<Contender> {
    contenders![
        PETLA => petla,
        PETLA_TIMEOUT => timeout,
        TokioLocal::NAME => token::<TokioLocal>,
        TokioCurrentThread::NAME => token::<TokioCurrentThread>,
        Smol::NAME => token::<Smol>,
        Monoio::NAME => token::<Monoio>,
    ]
}

fn scope_fast(size: usize) -> Cost {
    one_by_one::<Petla>(size, async || {
        let scope = CancelScope::new().timeout(LIMIT);
        scope.run(async |_| petla::yield_now().await).await.is_ok()
    })
}

fn scope_move_on(size: usize) -> Cost {
    one_by_one::<Petla>(size, async || {
        let ended = petla::move_on_after(LIMIT, async |_| petla::yield_now().await);
        ended.await.is_some()
    })
}

fn timeout(size: usize) -> Cost {
    one_by_one::<Petla>(size, async || {
        Petla::timeout(LIMIT, petla::yield_now()).await
    })
}

fn token<R: Runtime>(size: usize) -> Cost {
    one_by_one::<R>(size, async || {
        let token = CancellationToken::new();
        let work = async move {
            let ended = token.run_until_cancelled(R::yield_now()).await;
            assert!(ended.is_some(), "nobody cancels");
        };
        R::timeout(LIMIT, work).await
    })
}

/// Runs `work` again and again; each time it must say that it ended.
fn one_by_one<R: Runtime>(size: usize, work: impl AsyncFn() -> bool + 'static) -> Cost {
    let (elapsed, ended) = in_task::<R, _>(async move {
        let start = Instant::now();
        let mut ended = 0;
        for _ in 0..size {
            ended += usize::from(work().await);
        }
        (start.elapsed(), ended)
    });
    assert_eq!(ended, size);
    elapsed.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
