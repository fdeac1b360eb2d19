//! Time runs out, in six ways: who is told, what is dropped, what is still done.
//!
//! ```text
//! $ cargo run --release --example deadlines
//! [   0 ms] 1. a limit
//! [  50 ms]    the error: deadline has elapsed
//! ...
//! [ 370 ms] 5. the deadline comes between two steps, and undoes them
//! [ 390 ms]    step 0
//! [ 410 ms]    step 1
//! [ 420 ms]    rollback begins
//! [ 440 ms]    rollback ends
//! [ 440 ms]    the error, after the rollback: cancelled by a deadline
//! [ 440 ms] 6. the deadline comes in the commit, which is shielded
//! ...
//! [ 510 ms]    given all the same: 2 steps
//! ```
//!
//! Two rules make it easy to follow. A deadline belongs to one scope or `timeout`, and is an error
//! there and nowhere else: what is inside is dropped and never sees it. And whoever is told is
//! told when the clean-ups inside have ended, so that nothing of the work goes on behind it.
//!
//! A virtual clock makes the times exact, and the whole takes no time.

use petla::testing::VirtualClock;
use petla::{CancelScope, Cancelled, EventLoop, move_on_after, now, shield, sleep, timeout};
use std::{cell::RefCell, error::Error, io, time::Duration};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Tells what happens, and when.
struct Story(VirtualClock);

impl Story {
    fn tell(&self, what: impl AsRef<str>) {
        println!("[{:4} ms] {}", self.0.elapsed().as_millis(), what.as_ref());
    }
}

/// `timeout` drops what it limits. The limit is an error, and an `io::Error` if need be.
async fn a_limit(story: &Story) -> io::Result<()> {
    story.tell("1. a limit");
    let slow = async { sleep(ms(80)).await };
    let elapsed = timeout(ms(50), slow).await.unwrap_err();
    story.tell(format!("   the error: {elapsed}"));
    let answer: io::Result<u32> = async { Ok(timeout(ms(50), async { 5 }).await?) }.await;
    story.tell(format!("   in time: {}", answer?));
    Ok(())
}

/// `move_on_after` is for what one can do without: what there is by then is taken.
async fn as_much_as_there_is_time_for(story: &Story) {
    story.tell("2. as much as there is time for");
    let samples = RefCell::new(Vec::new());
    let end = move_on_after(ms(50), async |_| {
        for n in 1.. {
            sleep(ms(15)).await;
            samples.borrow_mut().push(n);
        }
    });
    assert!(end.await.is_none());
    story.tell(format!("   moved on with {} samples", samples.take().len()));
}

/// A deadline that moves while there is progress: the limit is one of silence.
async fn a_deadline_that_moves(story: &Story) {
    story.tell("3. a deadline that moves");
    let scope = CancelScope::new().timeout(ms(50));
    let end = scope.run(async |scope| {
        for (n, delay) in [40, 40, 40, 500].into_iter().enumerate() {
            sleep(ms(delay)).await;
            story.tell(format!("   part {n} came: 50 ms more"));
            scope.set_deadline(now() + ms(50));
        }
    });
    let cancelled = end.await.unwrap_err();
    assert_eq!(cancelled.deadline(), Some(now()));
    story.tell("   silence for 50 ms: given up");
}

/// Each deadline is an error of the scope it belongs to, and of no other.
async fn one_in_another(story: &Story) {
    story.tell("4. a deadline in another");
    let outer = timeout(ms(100), async {
        let inner = timeout(ms(30), sleep(ms(500))).await;
        assert!(inner.is_err());
        story.tell("   the inner limit: an error inside, and the outside goes on");
        let _never = timeout(ms(300), sleep(ms(500))).await;
        unreachable!("the outer limit comes first, and what is inside is not resumed");
    });
    assert!(outer.await.is_err());
    story.tell("   the outer limit: an error outside, the inside is gone");
}

/// What a transaction does: some steps, then a commit, or at any moment a rollback.
async fn transfer(story: &Story, limit: Duration, steps: u32) -> Result<u32, Cancelled> {
    let scope = CancelScope::new().timeout(limit);
    let end = scope.run(async |scope| {
        let undo = scope.on_cancel(async {
            story.tell("   rollback begins");
            sleep(ms(20)).await;
            story.tell("   rollback ends");
        });
        for step in 0..steps {
            sleep(ms(20)).await;
            story.tell(format!("   step {step}"));
        }
        shield(async {
            story.tell("   commit begins");
            sleep(ms(30)).await;
            story.tell("   commit ends");
        })
        .await;
        undo.disarm();
        steps
    });
    end.await
}

async fn tell_all(story: &Story) -> io::Result<()> {
    a_limit(story).await?;
    as_much_as_there_is_time_for(story).await;
    a_deadline_that_moves(story).await;
    one_in_another(story).await;

    story.tell("5. the deadline comes between two steps, and undoes them");
    let cancelled = transfer(story, ms(50), 9).await.unwrap_err();
    assert_eq!(cancelled.deadline(), Some(now() - ms(20)));
    story.tell(format!("   the error, after the rollback: {cancelled}"));

    story.tell("6. the deadline comes in the commit, which is shielded");
    let steps = transfer(story, ms(50), 2).await.map_err(io::Error::from)?;
    story.tell(format!("   given all the same: {steps} steps"));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let clock = VirtualClock::auto();
    let event_loop = EventLoop::builder().clock(clock.clone()).build()?;
    event_loop.run_until_complete(tell_all(&Story(clock.clone())))??;
    assert_eq!(clock.elapsed(), ms(510));
    Ok(())
}
