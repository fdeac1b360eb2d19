//! Events in both modes, polled by hand: who is woken by which set, and what a cancellation, a
//! foreign waker or a leak leaves behind.
//!
//! # Not here
//! Orders of threads: `models`. Tasks of a loop: the tests of the crate.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::{Event, EventWait, GENERATION, SET, WAITERS};
use crate::context;
use crate::primitives::hand::leak;
use crate::wait_list::{Local, Mode, Shared, Word};

/// More than two batches of wakers.
const MANY: usize = 70;

/// Runs each test with an event of each mode.
macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident<M>($event:ident) $body:block)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            fn with<M: Mode>($event: Event<M>) $body
            with(Event::<Local>::new());
            with(Event::<Shared>::new());
        }
    )*};
}

type Boxed<'a, M> = Pin<Box<EventWait<'a, M>>>;

fn poll_with<M: Mode>(wait: &mut Boxed<'_, M>, waker: &Waker) -> bool {
    let poll = wait.as_mut().poll(&mut Context::from_waker(waker));
    poll.is_ready()
}

fn is_over<M: Mode>(wait: &mut Boxed<'_, M>) -> bool {
    poll_with(wait, Waker::noop())
}

/// A wait that was polled once, and waits.
fn waiting<M: Mode>(event: &Event<M>) -> Boxed<'_, M> {
    waiting_with(event, Waker::noop())
}

fn waiting_with<'a, M: Mode>(event: &'a Event<M>, waker: &Waker) -> Boxed<'a, M> {
    let mut wait = Box::pin(event.wait());
    assert!(!poll_with(&mut wait, waker));
    wait
}

fn says_waiters<M: Mode>(event: &Event<M>) -> bool {
    event.news().word.load(Ordering::Relaxed) & WAITERS != 0
}

/// Notes its number in a list when it is woken.
struct Numbered(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

in_both_modes! {
    fn a_set_counts_also_if_it_finds_the_event_set<M>(event) {
        event.set();
        let mut wait = Box::pin(event.wait());
        event.set();
        event.clear();
        assert!(is_over(&mut wait));
    }

    /// asyncio's L9.
    fn a_wait_on_a_set_event_does_not_suspend<M>(event) {
        event.set();
        assert!(is_over(&mut Box::pin(event.wait())));
        assert!(event.is_set());
    }

    fn a_set_wakes_all_in_the_order_in_which_they_began_to_wait<M>(event) {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut waits: Vec<_> = (0..MANY)
            .map(|n| waiting_with(&event, &Arc::new(Numbered(n, woken.clone())).into()))
            .collect();
        assert_eq!(event.statistics().waiting, MANY);
        event.set();
        assert!(woken.lock().unwrap().iter().copied().eq(0..MANY));
        assert!(waits.iter_mut().all(is_over));
        assert_eq!(event.statistics().waiting, 0);
    }

    /// asyncio's L8.
    fn who_was_woken_goes_on_though_the_event_was_cleared<M>(event) {
        let mut wait = waiting(&event);
        event.set();
        event.clear();
        event.set();
        event.clear();
        assert!(!event.is_set());
        assert!(is_over(&mut wait));
        assert_eq!(event.statistics().waiting, 0);
    }

    /// Historical bug 18 of asyncio's kin.
    fn a_set_between_the_creation_and_the_first_poll_is_seen<M>(event) {
        let [mut set, mut cleared] = [(); 2].map(|()| Box::pin(event.wait()));
        event.set();
        assert!(is_over(&mut set));
        event.clear();
        assert!(is_over(&mut cleared));
        assert!(!is_over(&mut Box::pin(event.wait())));
    }

    /// A wait counts from the call, whenever it is polled.
    fn a_wait_that_was_made_while_it_was_set_is_over_whatever_follows<M>(event) {
        event.set();
        let mut wait = Box::pin(event.wait());
        event.clear();
        assert!(!is_over(&mut Box::pin(event.wait())));
        assert!(is_over(&mut wait));
    }

    /// asyncio's L10; dropped before the set, between it and the wake-up's poll, and after it.
    fn a_cancelled_wait_leaves_no_trace<M>(event) {
        for set in [false, true] {
            let [first, mut middle, last] = [(); 3].map(|()| waiting(&event));
            drop(first);
            assert_eq!(event.statistics().waiting, 2);
            assert!(says_waiters(&event));
            drop(last);
            if set {
                event.set();
                assert!(is_over(&mut middle));
                event.clear();
            }
            drop(middle);
            assert_eq!(event.statistics().waiting, 0);
            assert!(!says_waiters(&event), "a set need not take the lock any more");
        }
        drop(event.wait());
        event.set();
        assert!(is_over(&mut Box::pin(event.wait())));
    }

    fn a_woken_wait_may_be_dropped_unpolled<M>(event) {
        let wait = waiting(&event);
        event.set();
        drop(wait);
        assert!(event.is_set());
        event.clear();
        assert!(!is_over(&mut Box::pin(event.wait())));
        assert!(!says_waiters(&event));
    }

    fn the_word_never_says_that_somebody_waits_for_what_is_set<M>(event) {
        let word = || event.news().word.load(Ordering::Relaxed);
        assert_eq!(word(), 0);
        let wait = waiting(&event);
        assert_eq!(word(), WAITERS);
        event.set();
        assert_eq!(word(), GENERATION | SET);
        event.set();
        assert_eq!(word(), (2 * GENERATION) | SET);
        event.clear();
        event.clear();
        assert_eq!(word(), 2 * GENERATION);
        drop(wait);
        assert_eq!(word(), 2 * GENERATION);
    }

    fn the_last_waker_counts<M>(event) {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let waker = |n| Waker::from(Arc::new(Numbered(n, woken.clone())));
        let mut wait = waiting_with(&event, &waker(1));
        assert!(!poll_with(&mut wait, &waker(2)));
        event.set();
        assert_eq!(*woken.lock().unwrap(), [2]);
    }

    fn a_panicking_waker_costs_nobody_else_the_wake_up<M>(event) {
        let woken = Arc::new(AtomicUsize::new(0));
        let waker = Waker::from(Arc::new(Panics(woken.clone())));
        let mut waits: Vec<_> = (0..MANY).map(|_| waiting_with(&event, &waker)).collect();
        let set = catch_unwind(AssertUnwindSafe(|| event.set()));
        assert!(set.is_err());
        assert_eq!(woken.load(Ordering::Relaxed), MANY);
        assert!(waits.iter_mut().all(is_over));
        assert!(event.is_set());
    }

    /// News have no worth for others, so they do not lapse: also `local` keeps them.
    fn a_task_that_looks_past_the_news_still_gets_them<M>(event) {
        let in_task = |f: &mut dyn FnMut() -> bool| {
            let (outer, number) = context::begin_poll(1);
            let result = f();
            context::end_poll(outer);
            assert!(!crate::wait_list::has_unclaimed(1), "{number}");
            result
        };
        let mut wait = Box::pin(event.wait());
        assert!(!in_task(&mut || is_over(&mut wait)));
        event.set();
        event.clear();
        in_task(&mut || true);
        assert!(in_task(&mut || is_over(&mut wait)));
    }

    /// Memory that is leaked with its wait in it stays in line, wherever the event goes.
    fn an_event_moves_and_dies_though_leaked_waits_are_in_its_line<M>(event) {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let waker = |n| Waker::from(Arc::new(Numbered(n, woken.clone())));
        for n in 0..3 {
            leak(waiting_with(&event, &waker(n)));
        }
        let moved = Box::new(event);
        let mut wait = waiting_with(&moved, &waker(3));
        moved.set();
        assert_eq!(*woken.lock().unwrap(), [0, 1, 2, 3]);
        assert!(is_over(&mut wait));
        moved.clear();
        leak(waiting(&moved));
    }

    fn its_debug_form_says_whether_it_is_set<M>(event) {
        let wait = event.wait();
        assert_eq!(format!("{wait:?}"), "EventWait { .. }");
        event.set();
        assert_eq!(format!("{event:?}"), "Event { is_set: true, .. }");
    }
}

/// Counts, and panics.
struct Panics(Arc<AtomicUsize>);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a waker's panic");
    }
}

thread_local! {
    /// What the re-entrant waker does.
    static ON_WAKE: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Comes back to the event that wakes it.
struct Returns;

impl Wake for Returns {
    fn wake(self: Arc<Self>) {
        let act = ON_WAKE.with(|act| act.borrow_mut().take());
        if let Some(mut act) = act {
            act();
        }
    }
}

/// The first of many who are woken clears the event and gets in line again, before the later
/// batches are notified.
fn late_comer<M: Mode>(event: &'static Event<M>) {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    let late: &'static RefCell<Option<Boxed<'static, M>>> = leak(Default::default());
    ON_WAKE.set(Some(Box::new(move || {
        event.clear();
        *late.borrow_mut() = Some(waiting(event));
        DONE.fetch_add(1, Ordering::Relaxed);
    })));
    let before = DONE.load(Ordering::Relaxed);
    let mut early: Vec<_> = (0..MANY)
        .map(|_| waiting_with(event, &Arc::new(Returns).into()))
        .collect();
    event.set();
    assert_eq!(DONE.load(Ordering::Relaxed), before + 1);
    assert!(early.iter_mut().all(is_over), "who waited before is woken");
    let mut late = late.borrow_mut().take().unwrap();
    assert!(!is_over(&mut late), "it was woken by a set before its time");
    assert_eq!(event.statistics().waiting, 1);
    assert!(says_waiters(event));
    event.set();
    assert!(is_over(&mut late));
}

#[test]
fn a_late_comer_is_not_among_the_later_batches() {
    late_comer(leak(Event::<Local>::new()));
    late_comer(leak(Event::<Shared>::new()));
}

/// The first of many who are woken drops the rest, of whom most are not notified yet.
fn dropper<M: Mode>(event: &'static Event<M>) {
    let rest: &'static RefCell<Vec<Boxed<'static, M>>> = leak(Default::default());
    ON_WAKE.set(Some(Box::new(move || rest.borrow_mut().clear())));
    let mut first = waiting_with(event, &Arc::new(Returns).into());
    rest.borrow_mut().extend((0..MANY).map(|_| waiting(event)));
    event.set();
    assert!(is_over(&mut first));
    assert!(rest.borrow().is_empty());
    assert_eq!(event.statistics().waiting, 0);
    assert!(!says_waiters(event));
}

#[test]
fn a_woken_waiter_may_drop_those_who_are_woken_with_it() {
    dropper(leak(Event::<Local>::new()));
    dropper(leak(Event::<Shared>::new()));
}

/// The first of many who are woken sets the event itself.
fn setter<M: Mode>(event: &'static Event<M>) {
    ON_WAKE.set(Some(Box::new(move || {
        event.clear();
        event.set();
    })));
    let mut waits: Vec<_> = (0..MANY)
        .map(|_| waiting_with(event, &Arc::new(Returns).into()))
        .collect();
    event.set();
    assert!(waits.iter_mut().all(is_over));
    assert!(event.is_set());
}

#[test]
fn a_woken_waiter_may_set_the_event_itself() {
    setter(leak(Event::<Local>::new()));
    setter(leak(Event::<Shared>::new()));
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    static EVENT: Event<Shared> = Event::<Shared>::new();
    let outside = context::set_loop_thread(true);
    let wait = catch_unwind(|| EVENT.blocking_wait());
    context::set_loop_thread(outside);
    let panic = wait.expect_err("it may not");
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("await `wait` instead"), "{text}");
    EVENT.set();
    EVENT.blocking_wait();
}

#[test]
fn a_shared_event_and_its_waits_cross_threads() {
    fn crosses<T: Send + Sync>(_: &T) {}
    let event = Event::<Shared>::default();
    crosses(&event);
    let mut wait = pin!(event.wait());
    crosses(&wait);
    let mut poll = || wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    std::thread::scope(|scope| {
        scope.spawn(|| event.set());
    });
    assert_eq!(poll(), Poll::Ready(()));
}

#[test]
fn an_event_is_a_constant_and_a_wait_takes_56_bytes() {
    static SHARED: Event<Shared> = Event::<Shared>::new();
    thread_local! {
        static LOCAL: Event<Local> = const { Event::<Local>::new() };
    }
    assert_eq!(
        (size_of_val(&SHARED), size_of_val(&SHARED.wait())),
        (32, 56)
    );
    LOCAL.with(|event| assert_eq!((size_of_val(event), size_of_val(&event.wait())), (56, 56)));
}
