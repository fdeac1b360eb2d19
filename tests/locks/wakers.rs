//! Wakers that run code of their own: in their wake, their clone, their drop.
//!
//! Such code comes back to the primitive that is at work. It must find it whole, and whatever it
//! changes must still be true afterwards.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};

use petla::{local, sync};

use super::common::raise;

type Hook = Option<Box<dyn FnMut()>>;

thread_local! {
    static ON_CLONE: RefCell<Hook> = const { RefCell::new(None) };
    static ON_DROP: RefCell<Hook> = const { RefCell::new(None) };
}

fn run_once(hook: &RefCell<Hook>) {
    let hook = hook.take();
    if let Some(mut hook) = hook {
        hook();
    }
}

/// A waker that runs, once, what this thread's hooks say.
fn hooked() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            ON_CLONE.with(run_once);
            RawWaker::new(data, &TABLE)
        },
        |_| ON_DROP.with(run_once),
        |_| (),
        |_| ON_DROP.with(run_once),
    );
    // SAFETY: the functions ignore their data, and the hooks are the thread's that calls them.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// An executor that polls its task from inside the wake.
struct Inline;

thread_local! {
    static TASK: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let Some(mut task) = TASK.take() else { return };
        let waker = Waker::from(self);
        if task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            TASK.set(Some(task));
        }
    }
}

fn run_inline(task: impl Future<Output = ()> + 'static) {
    TASK.set(Some(Box::pin(task)));
    Waker::from(Arc::new(Inline)).wake();
}

#[test]
fn a_lock_that_a_wake_takes_and_gives_back_is_free() {
    let lock = Rc::new(local::Lock::new(()));
    let guard = lock.try_lock();
    let other = lock.clone();
    run_inline(async move { drop(other.lock().await) });
    drop(guard);
    assert!(TASK.take().is_none(), "it ran inside the drop of the guard");
    assert!(!lock.is_locked());
    assert!(lock.try_lock().is_some());
}

#[test]
fn permits_that_a_wake_takes_and_gives_back_are_all_there() {
    let semaphore = Rc::new(local::Semaphore::new(3));
    let all = semaphore.try_acquire_many(3);
    let other = semaphore.clone();
    run_inline(async move {
        drop(other.acquire().await);
        drop(other.acquire_many(2).await);
    });
    drop(all);
    assert_eq!(semaphore.available(), 3);
    assert_eq!(semaphore.statistics().holders, 0);
}

#[test]
fn a_condition_whose_waiter_runs_inside_its_release_is_whole() {
    let shared = Rc::new((local::Lock::new(0), local::Condition::new()));
    let (ran, other) = (Rc::new(Cell::new(0)), shared.clone());
    let count = ran.clone();
    run_inline(async move {
        for _ in 0..2 {
            let guard = other.0.lock().await;
            drop(other.1.wait(guard).await);
            count.set(count.get() + 1);
        }
    });
    for rounds in 1..=2 {
        let guard = shared.0.try_lock().expect("it waits for the condition");
        shared.1.notify(&guard, 1);
        drop(guard);
        assert_eq!(ran.get(), rounds);
    }
    assert!(!shared.0.is_locked());
}

#[test]
fn a_permit_that_comes_while_a_waker_is_cloned_is_not_waited_for() {
    let semaphore = Rc::new(local::Semaphore::new(1));
    let other = semaphore.clone();
    semaphore.try_acquire().expect("one is free").forget();
    ON_CLONE.set(Some(Box::new(move || other.add_permits(1))));
    let waker = hooked();
    let mut acquire = std::pin::pin!(semaphore.acquire());
    let polled = acquire.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_ready());
}

#[test]
fn a_lock_that_is_taken_and_given_back_while_a_waker_is_cloned_is_granted() {
    let lock = Rc::new(local::Lock::new(()));
    let first = RefCell::new(lock.try_lock());
    let mut wait = std::pin::pin!(lock.lock());
    let other = lock.clone();
    ON_CLONE.set(Some(Box::new(move || assert!(other.try_lock().is_none()))));
    let waker = hooked();
    let mut cx = Context::from_waker(&waker);
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    drop(first.take());
    assert!(wait.as_mut().poll(&mut cx).is_ready());
}

/// Two locks, a wait of the first, and one of the second that is refused.
macro_rules! refused_waker_is_dropped_outside_of_the_lock {
    ($name:ident, $mode:ident) => {
        #[test]
        fn $name() {
            let locks = Rc::new(($mode::Lock::new(()), $mode::Lock::new(())));
            let condition = $mode::Condition::new();
            let mut first = Box::pin(condition.wait(locks.0.try_lock().unwrap()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut cx).is_pending());
            let looked = Rc::new(Cell::new(false));
            let (other, saw) = (locks.clone(), looked.clone());
            ON_DROP.set(Some(Box::new(move || {
                assert_eq!(other.1.statistics().waiting, 0);
                saw.set(true);
            })));
            let waker = hooked();
            let mut second = Box::pin(condition.wait(locks.1.try_lock().unwrap()));
            let refused = catch_unwind(AssertUnwindSafe(|| {
                second.as_mut().poll(&mut Context::from_waker(&waker))
            }));
            assert!(refused.is_err() && looked.get());
            assert!(!locks.1.is_locked(), "the guard is given back");
        }
    };
}
refused_waker_is_dropped_outside_of_the_lock!(
    a_refused_waker_is_dropped_outside_of_the_lock_in_local,
    local
);
refused_waker_is_dropped_outside_of_the_lock!(
    a_refused_waker_is_dropped_outside_of_the_lock_in_sync,
    sync
);

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        raise("a waker's panic");
    }
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_costs_no_permit() {
    let semaphore = Rc::new(local::Semaphore::new(1));
    semaphore.try_acquire().expect("one is free").forget();
    let other = semaphore.clone();
    ON_CLONE.set(Some(Box::new(move || {
        other.add_permits(1); // so that the clone is not needed
        ON_DROP.set(Some(Box::new(|| raise("in the drop of a waker"))));
    })));
    let waker = std::mem::ManuallyDrop::new(hooked());
    let mut acquire = std::pin::pin!(semaphore.acquire());
    let polled = acquire.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_ready());
}

/// Drops `held` in a panic, which wakes `waits` with a waker that panics; then it is granted.
fn drop_in_a_panic<H, F: Future>(held: H, waits: &mut Pin<Box<F>>) {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let _held = held;
        let waker = Waker::from(Arc::new(Panics));
        let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        raise("in the critical section")
    }));
    assert!(ended.is_err());
    let polled = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready(), "it was woken all the same");
}

#[test]
fn a_waker_that_panics_while_a_guard_is_dropped_by_a_panic_does_not_end_the_process() {
    let lock = local::Lock::new(());
    drop_in_a_panic(lock.try_lock(), &mut Box::pin(lock.lock()));
    let limiter = local::CapacityLimiter::new(1);
    drop_in_a_panic(limiter.try_acquire(), &mut Box::pin(limiter.acquire()));
    let queue = local::Queue::bounded(1);
    let slot = std::pin::pin!(queue.reserve());
    let slot = slot.poll(&mut Context::from_waker(Waker::noop()));
    drop_in_a_panic(slot, &mut Box::pin(queue.put(1)));
    let (setter, getter) = local::oneshot::<u8>();
    drop_in_a_panic(setter, &mut Box::pin(getter));
    let (mut setter, getter) = local::oneshot::<u8>();
    drop_in_a_panic(getter, &mut Box::pin(setter.abandoned()));
}

#[test]
fn guarded_values_may_be_unsized() {
    let lock: &local::Lock<[u8]> = &local::Lock::new([1, 2, 3]);
    lock.try_lock().expect("it is free")[0] = 9;
    assert_eq!(lock.try_lock().expect("it is free")[..], [9, 2, 3]);
    let shared: Arc<sync::RwLock<dyn Send + Sync>> = Arc::new(sync::RwLock::new(5));
    assert!(shared.try_read().is_some());
}
