//! What destructors and handlers may do to a loop that closes, or is closed already.

use std::cell::Cell;

use petla::{EventLoop, spawn};

use crate::common::{Drops, within};

thread_local! {
    static DEATHS: Cell<u32> = const { Cell::new(0) };
}

/// Spawns its like when it is dropped. It owns nothing: the last one is leaked.
struct Phoenix;

impl Drop for Phoenix {
    fn drop(&mut self) {
        DEATHS.set(DEATHS.get() + 1);
        drop(spawn(nest(Phoenix)));
    }
}

/// Holds a phoenix from its making, polled or not.
async fn nest(_phoenix: Phoenix) {
    std::future::pending::<()>().await;
}

#[test]
fn a_destructor_that_spawns_itself_anew_does_not_keep_the_loop_from_closing() {
    DEATHS.set(0);
    within(async {
        drop(spawn(nest(Phoenix)));
        petla::yield_now().await;
    });
    assert!((2..100).contains(&DEATHS.get()), "{}", DEATHS.get());
}

#[test]
fn a_closed_loop_keeps_no_handler() {
    let (event_loop, drops) = (EventLoop::new().unwrap(), Drops::default());
    event_loop.close().unwrap();
    let (guard, itself) = (drops.guard(), event_loop.clone());
    event_loop.set_exception_handler(move |_| {
        let _owned = (&guard, &itself);
    });
    assert_eq!(drops.count(), 1);
}
