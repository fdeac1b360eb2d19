//! What destructors and handlers may do to a loop that closes, or is closed already.

use std::cell::Cell;
use std::rc::Rc;

use petla::{EventLoop, spawn};

use crate::common::{Drops, within};

/// Spawns its like when it is dropped.
struct Phoenix(Rc<Cell<u32>>);

impl Drop for Phoenix {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        let next = Phoenix(self.0.clone());
        drop(spawn(async move {
            let _next = next;
            std::future::pending::<()>().await;
        }));
    }
}

#[test]
fn a_destructor_that_spawns_itself_anew_does_not_keep_the_loop_from_closing() {
    let deaths = Rc::new(Cell::new(0));
    let first = Phoenix(deaths.clone());
    within(async move {
        drop(spawn(async move {
            let _first = first;
            std::future::pending::<()>().await;
        }));
        petla::yield_now().await;
    });
    assert!((1..100).contains(&deaths.get()), "{}", deaths.get());
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
