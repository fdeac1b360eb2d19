//! Loom models of the wait list alone, between threads, under a policy that gives out tickets.
//!
//! What a ticket protects lies in loom's own cells, so that loom sees who may touch it when.
//! A lost wake-up shows as a deadlock, a lost or doubled grant as a wrong count at the end.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `one_ticket_..`, which did not end in a minute and was explored up to five pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate wait_list` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | `enqueue` does not try again under the lock | `a_grant_meets_a_first_poll`, most others |
//! | `retire` does not hand a grant on | `a_grant_meets_a_drop`, `a_dropped_grant_..` |
//! | `retire` hands it on and does not pump | `a_dropped_grant_..` |
//! | `retire` trusts the status from before the lock | `a_grant_meets_a_drop` |
//! | a grant is stored relaxed | `a_claim_sees_..`, `one_ticket_..` |
//! | a grant is claimed relaxed | `a_claim_sees_..`, `one_ticket_..` |
//! | a node is granted before it is unlinked, or before its waker is taken | most |
//! | `renew` does not change the waker | `a_grant_meets_a_change_of_waker` |
//! | `renew` trusts the status from before the lock | `a_grant_meets_a_change_of_waker` |
//!
//! # Not here
//! `Local` has no threads, more than 32 waiters, re-entrant wakers: unit tests.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;

use super::{Anchored, Batch, Line, Lines, Policy, Shared, Waiter};
use crate::pin::pinned;
use crate::rt::Arc;

const WAIT: usize = 0;

struct Tickets;

impl Policy<Shared> for Tickets {
    type State = usize;
    type Lines = [Line<Shared>; 1];

    fn left(&self, free: &mut usize, _: usize, grant: Option<u32>) {
        *free += usize::from(grant.is_some());
    }

    fn pump(&self, free: &mut usize, lines: &mut Lines<'_, Shared>, batch: &mut Batch) {
        while !batch.is_full() && *free > 0 && !lines.is_empty(WAIT) {
            *free -= 1;
            batch.push(lines.grant(WAIT, 0));
        }
    }
}

pinned! {
    struct Ticket<'a> {
        #[pin]
        waiter: Waiter<'a, Tickets, Shared>,
    }
}

impl Future for Ticket<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if !this.waiter.is_idle() {
            return this.waiter.poll_grant(cx).map(|_| ());
        }
        this.waiter.enqueue(cx, WAIT, |free, _| {
            *free = free.checked_sub(1)?;
            Some(())
        })
    }
}

/// A list, and a value for whoever has a ticket.
struct Shelf {
    list: Anchored<Tickets, Shared>,
    value: Cell<usize>,
}

impl Shelf {
    fn new(tickets: usize) -> Arc<Self> {
        Arc::new(Shelf {
            list: Anchored::new(Tickets, tickets),
            value: Cell::new(0),
        })
    }

    fn ticket(&self) -> Ticket<'_> {
        Ticket {
            waiter: Waiter::new(&self.list),
        }
    }

    fn give(&self) {
        self.list.settle(|free, _| *free += 1);
    }

    fn free(&self) -> usize {
        self.list.with(|free, _| *free)
    }

    /// Takes a ticket if one poll is enough; the drop follows it at once.
    fn poll_once_and_drop(&self) -> bool {
        block_on(async {
            let mut ticket = Box::pin(self.ticket());
            poll_fn(|cx| Poll::Ready(ticket.as_mut().poll(cx).is_ready())).await
        })
    }
}

fn spawn(shelf: &Arc<Shelf>, f: impl FnOnce(&Shelf) + 'static) -> thread::JoinHandle<()> {
    let shelf = shelf.clone();
    thread::spawn(move || f(&shelf))
}

#[test]
fn a_grant_meets_a_first_poll() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let giver = spawn(&shelf, Shelf::give);
        block_on(shelf.ticket());
        giver.join().unwrap();
        assert_eq!(shelf.free(), 0);
    });
}

#[test]
fn a_claim_sees_what_the_granter_did() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let giver = spawn(&shelf, |shelf| {
            shelf.value.set(shelf.value.get() + 1);
            shelf.give();
        });
        block_on(async {
            shelf.ticket().await;
            assert_eq!(shelf.value.get(), 1);
        });
        giver.join().unwrap();
    });
}

#[test]
fn a_grant_meets_a_drop() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let giver = spawn(&shelf, Shelf::give);
        let taken = shelf.poll_once_and_drop();
        giver.join().unwrap();
        assert_eq!(shelf.free() + usize::from(taken), 1);
    });
}

#[test]
fn a_dropped_grant_reaches_the_next() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let giver = spawn(&shelf, Shelf::give);
        let next = spawn(&shelf, |shelf| {
            block_on(shelf.ticket());
            shelf.give();
        });
        if shelf.poll_once_and_drop() {
            shelf.give();
        }
        giver.join().unwrap();
        next.join().unwrap();
        assert_eq!(shelf.free(), 1);
    });
}

#[test]
fn one_ticket_lets_one_in_at_a_time() {
    loom::model(|| {
        let shelf = Shelf::new(1);
        let visit = |shelf: &Shelf| {
            block_on(shelf.ticket());
            shelf.value.set(shelf.value.get() + 1);
            shelf.give();
        };
        let others = [spawn(&shelf, visit), spawn(&shelf, visit)];
        visit(&shelf);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!((shelf.value.get(), shelf.free()), (3, 1));
    });
}

#[test]
fn a_claim_may_wait_again_at_once() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let giver = spawn(&shelf, |shelf| {
            shelf.give();
            shelf.give();
        });
        block_on(async {
            let mut ticket = Box::pin(shelf.ticket());
            ticket.as_mut().await;
            ticket.as_mut().await;
        });
        giver.join().unwrap();
        assert_eq!(shelf.free(), 0);
    });
}

#[test]
fn a_grant_meets_a_change_of_waker() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let giver = spawn(&shelf, Shelf::give);
        block_on(async {
            let mut ticket = Box::pin(shelf.ticket());
            let mut nobody = Context::from_waker(Waker::noop());
            if ticket.as_mut().poll(&mut nobody).is_pending() {
                ticket.await;
            }
        });
        giver.join().unwrap();
        assert_eq!(shelf.free(), 0);
    });
}

#[test]
fn two_grants_meet_a_drop_and_a_wait() {
    loom::model(|| {
        let shelf = Shelf::new(0);
        let givers = [spawn(&shelf, Shelf::give), spawn(&shelf, Shelf::give)];
        let taken = shelf.poll_once_and_drop();
        block_on(shelf.ticket());
        for giver in givers {
            giver.join().unwrap();
        }
        assert_eq!(shelf.free() + usize::from(taken), 1);
    });
}
