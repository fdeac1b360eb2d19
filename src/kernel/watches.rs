//! Callbacks on descriptors: `add_reader` and `add_writer`.
//!
//! Each is a hidden task that waits for its descriptor and calls. asyncio's contract is level-
//! triggered: a callback that leaves data behind is called again. Epoll is edge-triggered here,
//! so the task asks poll(2) after each call, once through the ready queue so that a busy
//! descriptor does not keep the others waiting.
//!
//! # Invariants
//! - **One source**: a reader and a writer of one descriptor share one `Source`, since epoll
//!   knows a descriptor once.
//! - **Unlent**: tasks are dropped, which runs user code, after the map is released.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use super::Kernel;
use super::source::{Direction, Source};
use crate::task::{Flags, Task, report};

#[derive(Default)]
struct Watched {
    source: Option<Rc<Source>>,
    reader: Option<Task<()>>,
    writer: Option<Task<()>>,
}

impl Watched {
    fn place(&mut self, direction: Direction) -> &mut Option<Task<()>> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }
}

#[derive(Default)]
pub(super) struct Watches(RefCell<HashMap<RawFd, Watched>>);

impl Watches {
    pub(super) fn new() -> Self {
        Watches::default()
    }

    pub(super) fn clear(&self) {
        let watched = self.0.take();
        drop(watched);
    }
}

impl Kernel {
    /// Calls `callback` whenever `fd` is ready, instead of the callback it had.
    pub(crate) fn watch(
        &self,
        fd: RawFd,
        direction: Direction,
        callback: impl FnMut() + 'static,
        at: &'static Location<'static>,
    ) -> io::Result<()> {
        let known = self
            .watches
            .0
            .borrow()
            .get(&fd)
            .and_then(|watched| watched.source.clone());
        let source = match known {
            Some(source) => source,
            None => {
                let source = Rc::new(Source::borrowed(fd));
                source.register(self)?;
                source
            }
        };
        let task = self.spawn(
            call_when_ready(Rc::clone(&source), direction, callback),
            at,
            Flags::NEW.with(Flags::CALLBACK).with(Flags::CANCEL_ON_DROP),
        );
        let mut map = self.watches.0.borrow_mut();
        let watched = map.entry(fd).or_default();
        watched.source = Some(source);
        let old = watched.place(direction).replace(task);
        drop(map);
        drop(old);
        Ok(())
    }

    /// Ends a watch; `false` if there was none.
    pub(crate) fn unwatch(&self, fd: RawFd, direction: Direction) -> bool {
        let mut map = self.watches.0.borrow_mut();
        let Some(watched) = map.get_mut(&fd) else {
            return false;
        };
        let task = watched.place(direction).take();
        let empty = watched.reader.is_none() && watched.writer.is_none();
        let watched = if empty { map.remove(&fd) } else { None };
        drop(map);
        // The source leaves epoll now, while the descriptor is certainly still open: the task,
        // which shares it, is only dropped in the next batch.
        if let Some(source) = watched.and_then(|watched| watched.source) {
            source.leave(self);
        }
        task.is_some()
    }
}

async fn call_when_ready(source: Rc<Source>, direction: Direction, mut callback: impl FnMut()) {
    let mut wait = source.wait(direction);
    let mut called = false;
    loop {
        let ready = poll_fn(|cx| {
            if std::mem::take(&mut called) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            wait.poll_ready(cx)
        });
        if let Err(error) = ready.await {
            return report::report("a watched descriptor failed", None, Some(&error));
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(&mut callback)) {
            report::panicked("the callback of a descriptor panicked", None, payload);
        }
        called = true;
    }
}
