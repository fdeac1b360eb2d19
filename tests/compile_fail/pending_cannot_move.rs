//! What is polled in place cannot be handed back by value.
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

struct Stuck(PhantomPinned);

impl Future for Stuck {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn main() {
    let set = petla::as_completed([Stuck(PhantomPinned)]);
    let _ = set.into_pending();
}
