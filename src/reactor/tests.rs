//! Real pipes and socket pairs on a real epoll. What one end does is visible at the other at
//! once, so a look that does not sleep sees it.

use super::Direction::{Read, Write};
use super::*;
use crate::sys::epoll::Events;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;

impl Reactor {
    /// Does a short read prove nothing any more?
    fn is_sticky(&self, key: SourceKey) -> bool {
        self.source(key).is_some_and(|source| source.sticky)
    }

    /// As a wait does, without a waiter.
    fn clear(&mut self, key: SourceKey, direction: Direction) {
        if let Some(source) = self.source_mut(key) {
            source.side_mut(direction).ready = false;
        }
    }
}

/// Counts its wakes.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rings(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A loop reduced to its reactor.
struct World {
    epoll: Epoll,
    reactor: Reactor,
}

/// One future's part: what it keeps to wait, and to be told apart.
struct Task {
    bell: Arc<Bell>,
    id: Option<WaiterId>,
}

impl World {
    fn new() -> Self {
        World {
            epoll: Epoll::new().unwrap(),
            reactor: Reactor::new(),
        }
    }

    fn register(&mut self, file: &impl AsRawFd) -> SourceKey {
        self.reactor
            .register(&self.epoll, file.as_raw_fd())
            .unwrap()
    }

    fn wait(&mut self, key: SourceKey, direction: Direction) -> Task {
        let mut task = Task {
            bell: Arc::default(),
            id: None,
        };
        let replaced = self
            .reactor
            .wait(key, direction, &mut task.id, task.bell.clone().into());
        assert!(replaced.is_none() && task.id.is_some());
        task
    }

    /// Fetches the events that are there, without taking them in.
    fn fetch(&self) -> Vec<(u64, Flags)> {
        let mut events = Events::new();
        self.epoll.wait(&mut events, Some(0)).unwrap();
        events.iter().collect()
    }

    fn take_in(&mut self, events: Vec<(u64, Flags)>) {
        let mut woken = Vec::new();
        for (data, flags) in events {
            self.reactor.event(data, flags, &mut woken);
        }
        woken.into_iter().for_each(Waker::wake);
    }

    fn look(&mut self) {
        self.take_in(self.fetch());
    }
}

/// A registered stream whose send buffer is full, so that nothing is ready, and its peer.
fn stuck_stream(world: &mut World) -> (UnixStream, UnixStream, SourceKey) {
    let (mut stream, peer) = UnixStream::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    let error = std::iter::repeat_with(|| stream.write(&[0; 4096])).find_map(Result::err);
    assert_eq!(error.unwrap().kind(), io::ErrorKind::WouldBlock);
    let key = world.register(&stream);
    world.look();
    assert!(!world.reactor.is_ready(key, Read) && !world.reactor.is_ready(key, Write));
    (stream, peer, key)
}

#[test]
fn what_became_ready_before_the_registration_is_not_lost() {
    let mut world = World::new();
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let key = world.register(&reader);
    assert!(!world.reactor.is_ready(key, Read));
    let task = world.wait(key, Read);
    world.look();
    assert_eq!(task.bell.rings(), 1);
    assert!(world.reactor.is_ready(key, Read));
}

#[test]
fn what_becomes_ready_before_the_clear_is_not_lost() {
    let mut world = World::new();
    let (reader, mut writer) = io::pipe().unwrap();
    let key = world.register(&reader);
    // A read said EAGAIN; the data comes, and only then does the reader draw its conclusion.
    writer.write_all(b"x").unwrap();
    world.reactor.clear(key, Read);
    let task = world.wait(key, Read);
    world.look();
    assert_eq!(task.bell.rings(), 1);
}

#[test]
fn a_direction_stays_ready_until_it_is_cleared() {
    let mut world = World::new();
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let key = world.register(&stream);
    peer.write_all(b"x").unwrap();
    world.look();
    world.look();
    assert!(world.reactor.is_ready(key, Read) && world.reactor.is_ready(key, Write));
    world.reactor.clear(key, Read);
    assert!(!world.reactor.is_ready(key, Read) && world.reactor.is_ready(key, Write));
    assert!(!world.reactor.is_sticky(key));
}

#[test]
fn an_event_wakes_every_waiter_of_its_direction_and_of_no_other() {
    let mut world = World::new();
    let (_stream, mut peer, key) = stuck_stream(&mut world);
    let readers = [(); 3].map(|()| world.wait(key, Read));
    let writer = world.wait(key, Write);
    peer.write_all(b"x").unwrap();
    world.look();
    assert_eq!(readers.map(|task| task.bell.rings()), [1, 1, 1]);
    assert_eq!(writer.bell.rings(), 0);
    assert!(world.reactor.is_ready(key, Read) && !world.reactor.is_ready(key, Write));
}

#[test]
fn a_hang_up_wakes_both_directions_and_sticks() {
    let mut world = World::new();
    let (_stream, peer, key) = stuck_stream(&mut world);
    let (reader, writer) = (world.wait(key, Read), world.wait(key, Write));
    drop(peer);
    world.look();
    assert_eq!((reader.bell.rings(), writer.bell.rings()), (1, 1));
    world.reactor.clear(key, Read);
    assert!(world.reactor.is_sticky(key));
}

#[test]
fn a_later_ordinary_event_does_not_unstick() {
    let mut world = World::new();
    let (closed, _) = io::pipe().unwrap();
    let key = world.register(&closed);
    let hang_up = world.fetch()[0].1;
    let (reader, mut writer) = io::pipe().unwrap();
    let other = world.register(&reader);
    assert!(!world.reactor.is_sticky(other));
    world.take_in(vec![(key.to_bits(), hang_up), (other.to_bits(), hang_up)]);
    writer.write_all(b"x").unwrap();
    world.look();
    assert!(world.reactor.is_sticky(other));
}

#[test]
fn a_forgotten_waiter_is_not_woken_and_the_others_are() {
    for forgotten in 0..3 {
        let mut world = World::new();
        let (reader, mut writer) = io::pipe().unwrap();
        let key = world.register(&reader);
        let tasks = [(); 3].map(|()| world.wait(key, Read));
        let id = tasks[forgotten].id.unwrap();
        assert!(
            world.reactor.forget(key, Write, id).is_none(),
            "it waits to read"
        );
        assert!(world.reactor.forget(key, Read, id).is_some());
        assert!(world.reactor.forget(key, Read, id).is_none());
        writer.write_all(b"x").unwrap();
        world.look();
        for (number, task) in tasks.iter().enumerate() {
            assert_eq!(task.bell.rings(), u32::from(number != forgotten));
        }
    }
}

#[test]
fn a_waiter_that_waits_again_replaces_its_waker_or_joins_anew() {
    let mut world = World::new();
    let (reader, mut writer) = io::pipe().unwrap();
    let key = world.register(&reader);
    let mut task = world.wait(key, Read);
    let (old, id) = (Waker::from(task.bell.clone()), task.id);
    task.bell = Arc::default();
    let replaced = world
        .reactor
        .wait(key, Read, &mut task.id, task.bell.clone().into());
    assert!(replaced.unwrap().will_wake(&old));
    assert_eq!(task.id, id);
    for rings in 1..=2 {
        writer.write_all(b"x").unwrap();
        world.look();
        assert_eq!(task.bell.rings(), rings);
        world.reactor.clear(key, Read);
        let gone = world
            .reactor
            .wait(key, Read, &mut task.id, task.bell.clone().into());
        assert!(gone.is_none());
    }
}

#[test]
fn an_event_of_a_former_owner_does_not_reach_the_slots_next_one() {
    let mut world = World::new();
    let (reader, mut writer) = io::pipe().unwrap();
    let old = world.register(&reader);
    writer.write_all(b"x").unwrap();
    let fetched = world.fetch();
    assert_eq!(fetched[0].0, old.to_bits());
    assert!(world.reactor.deregister(old).is_empty());

    // The duplicate keeps the registration alive in epoll after the descriptor is closed.
    let duplicate = reader.try_clone().unwrap();
    drop(reader);
    let (other, _other_writer) = io::pipe().unwrap();
    let new = world.register(&other);
    assert_eq!(old.index, new.index, "the slot is used again");
    let task = world.wait(new, Read);
    world.take_in(fetched);
    writer.write_all(b"y").unwrap();
    let late = world.fetch();
    assert_eq!(late[0].0, old.to_bits());
    world.take_in(late);
    assert_eq!(task.bell.rings(), 0);
    assert!(!world.reactor.is_ready(new, Read));
    drop(duplicate);
}

#[test]
fn a_stale_key_finds_nothing_and_changes_nothing() {
    let mut world = World::new();
    let (reader, writer) = io::pipe().unwrap();
    let old = world.register(&reader);
    drop(world.reactor.deregister(old));
    let new = world.register(&writer);
    world.look();
    assert!(world.reactor.is_ready(new, Write));
    let reactor = &mut world.reactor;
    reactor.clear(old, Write);
    assert!(reactor.is_ready(new, Write) && !reactor.is_ready(old, Write));
    let mut id = Some(WaiterId(1));
    assert!(
        reactor
            .wait(old, Write, &mut id, Waker::noop().clone())
            .is_some()
    );
    assert_eq!(id, None);
    assert!(reactor.forget(old, Write, WaiterId(1)).is_none());
    assert!(!reactor.is_sticky(old) && reactor.deregister(old).is_empty());
    assert_eq!(reactor.len(), 1);
}

#[test]
fn deregistering_hands_out_every_waker() {
    let mut world = World::new();
    let (_stream, _peer, key) = stuck_stream(&mut world);
    let tasks = [Read, Write, Read].map(|direction| world.wait(key, direction));
    let wakers = world.reactor.deregister(key);
    assert!(world.reactor.is_empty());
    wakers.into_iter().for_each(Waker::wake);
    assert_eq!(tasks.map(|task| task.bell.rings()), [1, 1, 1]);
}

#[test]
fn a_refused_descriptor_takes_no_slot_and_harms_nobody() {
    let mut world = World::new();
    let (reader, mut writer) = io::pipe().unwrap();
    let key = world.register(&reader);
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let refused = [reader.as_raw_fd(), file.as_raw_fd(), -1, RawFd::MAX];
    let kinds = refused.map(|fd| {
        let error = world.reactor.register(&world.epoll, fd).unwrap_err();
        (error.kind(), error.raw_os_error())
    });
    assert_eq!(kinds[0].0, io::ErrorKind::AlreadyExists);
    assert_eq!(kinds[1].0, io::ErrorKind::Unsupported);
    const EBADF: Option<i32> = Some(9);
    assert_eq!([kinds[2].1, kinds[3].1], [EBADF, EBADF]);
    assert_eq!(world.reactor.len(), 1);
    let task = world.wait(key, Read);
    writer.write_all(b"x").unwrap();
    world.look();
    assert_eq!(task.bell.rings(), 1);
}

#[test]
fn no_key_looks_like_a_small_number_even_when_versions_wrap() {
    let mut world = World::new();
    let (reader, writer) = io::pipe().unwrap();
    world.reactor.last_version = u32::MAX - 1;
    for file in [reader.as_raw_fd(), writer.as_raw_fd()] {
        let key = world.register(&file);
        assert!(key.to_bits() > u64::from(u32::MAX));
        assert_eq!(SourceKey::from_bits(key.to_bits()), key);
    }
}

thread_local! {
    static SHARED: RefCell<Reactor> = const { RefCell::new(Reactor::new()) };
    static SHUT_OUT: Cell<bool> = const { Cell::new(false) };
}

/// A waker whose executor uses the reactor when the waker is dropped.
struct Meddler;

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let shut_out = SHARED.try_with(|shared| shared.try_borrow_mut().is_err());
        SHUT_OUT.set(SHUT_OUT.get() || shut_out.unwrap_or(false));
    }
}

#[test]
fn a_foreign_waker_may_use_the_reactor_when_it_is_dropped() {
    let epoll = Epoll::new().unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let waker = || Waker::from(Arc::new(Meddler));
    let with = |f: &mut dyn FnMut(&mut Reactor) -> Vec<Waker>| {
        drop(SHARED.with(|shared| f(&mut shared.borrow_mut())));
    };
    let key = SHARED.with(|shared| shared.borrow_mut().register(&epoll, reader.as_raw_fd()));
    let key = key.unwrap();
    let mut ids = [None; 3];
    for id in &mut ids {
        with(&mut |reactor| reactor.wait(key, Read, id, waker()).into_iter().collect());
        with(&mut |reactor| reactor.wait(key, Read, id, waker()).into_iter().collect());
    }
    with(&mut |reactor| {
        reactor
            .forget(key, Read, ids[1].unwrap())
            .into_iter()
            .collect()
    });
    let mut events = Events::new();
    epoll.wait(&mut events, Some(0)).unwrap();
    let (data, flags) = events.iter().next().unwrap();
    with(&mut |reactor| {
        let mut woken = Vec::new();
        reactor.event(data, flags, &mut woken);
        assert_eq!(woken.len(), 2);
        woken
    });
    with(&mut |reactor| {
        reactor.clear(key, Read);
        reactor
            .wait(key, Read, &mut ids[0], waker())
            .into_iter()
            .collect()
    });
    with(&mut |reactor| reactor.deregister(key));
    with(&mut |reactor| {
        reactor
            .wait(key, Read, &mut ids[0], waker())
            .into_iter()
            .collect()
    });
    assert!(
        !SHUT_OUT.get(),
        "a waker was dropped while the reactor was borrowed"
    );
}

proptest! {
    /// Steps below 8 are that future waiting, the others are one that is dropped.
    #[test]
    fn waiters_are_woken_in_the_order_they_came(
        steps in prop::collection::vec(0_usize..16, 0..60),
    ) {
        let mut side = Side::default();
        let mut model: Vec<u64> = Vec::new();
        for step in steps {
            let id = step as u64 % 8;
            let position = model.iter().position(|&waiting| waiting == id);
            match (step < 8, position) {
                (true, None) => {
                    side.push(Waiter { id: WaiterId(id), waker: Waker::noop().clone() });
                    model.push(id);
                }
                (true, Some(_)) => prop_assert_eq!(side.find(WaiterId(id)).unwrap().id.0, id),
                (false, _) => {
                    prop_assert_eq!(side.take(WaiterId(id)).is_some(), position.is_some());
                    model.retain(|&waiting| waiting != id);
                }
            }
            let order: Vec<u64> = side.first.iter().chain(&side.others).map(|w| w.id.0).collect();
            prop_assert_eq!(&order, &model);
        }
    }
}
