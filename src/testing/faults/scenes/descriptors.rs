//! Descriptors of others: `AsyncFd`, and callbacks.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::Scene;
use crate::combinators::try_gather_tuple;
use crate::event_loop::EventLoop;
use crate::net::AsyncFd;
use crate::sys::faults::errnos::*;
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{Outcome, call, has_reported, on_loop, step};
use crate::time::yield_now;

pub(super) const ASYNC_FD: Scene = Scene {
    name: "an AsyncFd on a pipe",
    play: || on_loop(async_fd),
    rules: &[],
};

async fn async_fd() -> Outcome {
    let (reader, writer) = std::io::pipe().expect("two descriptors are free");
    let reader = call("take the reader", || AsyncFd::new(reader))?;
    let writer = call("take the writer", || AsyncFd::new(writer))?;
    let read = async {
        step("readable", reader.readable()).await?;
        let mut buf = [0; 8];
        let all = step(
            "read_with",
            reader.read_with(|mut pipe| pipe.read(&mut buf)),
        )
        .await?;
        assert_eq!(&buf[..all], b"line\n");
        Ok(())
    };
    let write = async {
        yield_now().await; // the reader waits
        step("writable", writer.writable()).await?;
        step(
            "write_with",
            writer.write_with(|mut pipe| pipe.write(b"line\n")),
        )
        .await?;
        Ok(())
    };
    try_gather_tuple((read, write)).await.map(drop)
}

pub(super) const CALLBACKS: Scene = Scene {
    name: "callbacks on descriptors",
    play: || on_loop(callbacks),
    rules: &[
        // Nobody waits for a callback, so the handler is told, and it is called no more.
        rule("poll", &[ENOMEM], Fate::Reported),
    ],
};

async fn callbacks() -> Outcome {
    let (one, other) = UnixStream::pair().expect("two descriptors are free");
    let outcome = called_back(&one, &other).await;
    let event_loop = EventLoop::current();
    event_loop.remove_reader(&one);
    event_loop.remove_writer(&other);
    yield_now().await;
    outcome
}

async fn called_back(one: &UnixStream, other: &UnixStream) -> Outcome {
    let event_loop = EventLoop::current();
    let (read, written) = <(Rc<Cell<u32>>, Rc<Cell<u32>>)>::default();
    let (reads, writes) = (read.clone(), written.clone());
    let (mut input, mut output) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    call("add_reader", || {
        event_loop.add_reader(one, move || {
            assert_eq!(input.read(&mut [0; 1]).unwrap(), 1);
            reads.set(reads.get() + 1);
        })
    })?;
    let (same_loop, number) = (event_loop.clone(), other.as_raw_fd());
    call("add_writer", || {
        event_loop.add_writer(other, move || {
            output.write_all(b"abc").unwrap();
            writes.set(writes.get() + 1);
            same_loop.remove_writer(&number);
        })
    })?;
    // A callback that was reported is called no more.
    while (read.get(), written.get()) != (3, 1) && !has_reported() {
        yield_now().await;
    }
    Ok(())
}
