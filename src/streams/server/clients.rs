//! [`Clients`]: the open connections of a server, and how many more may come.
//!
//! A client takes two seats: one is its handler's, the other its connection's, which a handler may
//! give to other tasks, and which sends a rest after its handler has ended. It is gone when both
//! are free. One whose handler is cancelled has a third, for the clean-ups.
//!
//! # Invariants
//! - **Seated**: an entry of the list exists while one of its seats does.
//! - **Borrowed nowhere**: an entry holds no descriptor; the list is not borrowed while a handle,
//!   a connection or an event is touched.
//! - **Told**: `room` is set while there is room for another one; `gone` is set once none is left
//!   and none will come.
//!
//! # Not here
//! Accepting (`accepting`).

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::thread;

use slab::Slab;

use crate::error::JoinError;
use crate::kernel::{self, Kernel};
use crate::local::Event;
use crate::streams::connection::{Connection, End};
use crate::task::{Task, report};

/// See the module.
pub(super) struct Clients {
    list: RefCell<Slab<Client>>,
    limit: usize,
    closed: Cell<bool>,
    room: Event,
    gone: Event,
}

struct Client {
    connection: Weak<Connection>,
    /// Until it is cancelled, or ends.
    handler: Option<Task<()>>,
    seats: u8,
}

impl Clients {
    pub(super) fn new(limit: usize) -> Rc<Clients> {
        let clients = Clients {
            list: RefCell::default(),
            limit,
            closed: Cell::new(false),
            room: Event::new(),
            gone: Event::new(),
        };
        clients.tell();
        Rc::new(clients)
    }

    pub(super) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Waits until another one may come.
    pub(super) async fn room(&self) {
        self.room.wait().await;
    }

    /// Waits until none is left and none will come.
    pub(super) async fn gone(&self) {
        self.gone.wait().await;
    }

    /// None will come.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.tell();
    }

    /// Takes one in. The guest is for its handler.
    pub(super) fn admit(self: &Rc<Self>, connection: &Rc<Connection>, from: Origin) -> Guest {
        let client = Client {
            connection: Rc::downgrade(connection),
            handler: None,
            seats: 2,
        };
        let key = self.list.borrow_mut().insert(client);
        connection.seat(self.seat_at(key));
        self.tell();
        let seat = self.seat_at(key);
        Guest { seat, from }
    }

    /// One of the seats that are counted already.
    fn seat_at(self: &Rc<Self>, key: usize) -> Seat {
        let clients = Rc::clone(self);
        Seat { clients, key }
    }

    /// Notes the task of a client's handler, if that has not ended yet.
    pub(super) fn handled_by(&self, key: usize, handler: Task<()>) {
        let refused = match self.list.borrow_mut().get_mut(key) {
            Some(client) => client.handler.replace(handler),
            None => Some(handler),
        };
        drop(refused);
    }

    /// Closes each connection when what is unsent is sent.
    pub(super) fn close_all(&self) {
        for connection in self.connections() {
            connection.end(End::Closed);
        }
    }

    /// Resets each connection and cancels its handler; says how many there were.
    pub(super) fn abort_all(self: &Rc<Self>) -> usize {
        let keys: Vec<usize> = self.list.borrow().iter().map(|(key, _)| key).collect();
        let aborted = keys.into_iter().filter(|key| self.abort(*key));
        aborted.count()
    }

    /// Aborts one, unless it is gone or was aborted already.
    fn abort(self: &Rc<Self>, key: usize) -> bool {
        let (connection, handler) = match self.list.borrow_mut().get_mut(key) {
            Some(client) => (client.connection.upgrade(), client.handler.take()),
            None => return false,
        };
        let seat = connection.as_ref().and_then(|connection| {
            connection.abort();
            connection.unseat()
        });
        let aborted = seat.is_some() || handler.is_some();
        if let Some(handler) = handler {
            handler.cancel("its server aborted it");
            self.see_off(key, handler);
        }
        aborted
    }

    /// Keeps a cancelled handler's seat until its clean-ups have ended: its own is in its future,
    /// which is dropped before they run.
    fn see_off(self: &Rc<Self>, key: usize, mut handler: Task<()>) {
        if !Kernel::runs_here() {
            return;
        }
        self.list.borrow_mut()[key].seats += 1;
        let seat = self.seat_at(key);
        let task = kernel::spawn(async move {
            if let Err(JoinError::Panicked(panic)) = (&mut handler).await {
                let message = format!("{} panicked when it was aborted", handler.name());
                report::report(&message, None, Some(&panic));
            }
            drop(seat);
        });
        drop(task.named("petla: waits for the clean-ups of a handler"));
    }

    fn connections(&self) -> Vec<Rc<Connection>> {
        let list = self.list.borrow();
        list.iter()
            .filter_map(|(_, client)| client.connection.upgrade())
            .collect()
    }

    /// Keeps **Told**.
    fn tell(&self) {
        if self.is_full() {
            self.room.clear();
        } else {
            self.room.set();
        }
        if self.closed.get() && self.len() == 0 {
            self.gone.set();
        }
    }
}

/// A part of a client.
pub(in crate::streams) struct Seat {
    clients: Rc<Clients>,
    key: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut list = self.clients.list.borrow_mut();
        let client = &mut list[self.key];
        client.seats -= 1;
        let gone = (client.seats == 0).then(|| list.remove(self.key));
        drop(list);
        if gone.is_some() {
            self.clients.tell();
        }
    }
}

/// Where a client comes from, as reports say it: nothing for a Unix socket.
pub(super) type Origin = Option<SocketAddr>;

/// What a handler holds as long as it runs.
pub(super) struct Guest {
    seat: Seat,
    from: Origin,
}

impl Guest {
    pub(super) fn key(&self) -> usize {
        self.seat.key
    }

    /// Says that the handler ended with an error.
    pub(super) fn failed(&self, error: &io::Error) {
        let message = format!("the handler of {} failed", self.name());
        report::report(&message, kernel::current_task().as_ref(), Some(error));
    }

    fn name(&self) -> String {
        match self.from {
            Some(from) => format!("the connection from {from}"),
            None => "a connection to a Unix socket".to_owned(),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut list = self.seat.clients.list.borrow_mut();
        let handler = list[self.seat.key].handler.take();
        drop(list);
        drop(handler);
        // The kernel will report it, under the name of its task.
        if thread::panicking()
            && let Some(task) = kernel::current_task()
        {
            task.set_name(format!("the handler of {}", self.name()));
        }
    }
}
