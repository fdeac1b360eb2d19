//! Futures that end when a test says so, and tell what was done to them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct State<T> {
    value: RefCell<Option<T>>,
    waker: RefCell<Option<Waker>>,
    polls: Cell<usize>,
    drops: Cell<usize>,
}

/// A future that gives what its [`Knob`] is set to.
pub(crate) struct Switch<T>(Rc<State<T>>);

/// The other end of a [`Switch`].
pub(crate) struct Knob<T>(Rc<State<T>>);

pub(crate) fn switch<T>() -> (Knob<T>, Switch<T>) {
    let state = Rc::new(State {
        value: RefCell::new(None),
        waker: RefCell::new(None),
        polls: Cell::new(0),
        drops: Cell::new(0),
    });
    (Knob(Rc::clone(&state)), Switch(state))
}

pub(crate) fn switches<T>(count: usize) -> (Vec<Knob<T>>, Vec<Switch<T>>) {
    (0..count).map(|_| switch()).unzip()
}

impl<T> Knob<T> {
    pub(crate) fn set(&self, value: T) {
        self.0.value.replace(Some(value));
        self.wake();
    }

    pub(crate) fn wake(&self) {
        let waker = self.0.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn polls(&self) -> usize {
        self.0.polls.get()
    }

    pub(crate) fn drops(&self) -> usize {
        self.0.drops.get()
    }
}

impl<T> Future for Switch<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.polls.set(self.0.polls.get() + 1);
        if let Some(value) = self.0.value.take() {
            return Poll::Ready(value);
        }
        self.0.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl<T> Drop for Switch<T> {
    fn drop(&mut self) {
        self.0.drops.set(self.0.drops.get() + 1);
    }
}
