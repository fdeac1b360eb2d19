//! What the compiler must refuse, and what it must let pass.
//!
//! Which types may cross threads is asked of the compiler directly, on every version of it. What
//! it says about a wrong program is compared with the `.stderr` files in `compile_fail/`; its
//! words change from version to version, so that is done on one version only, [`COMPILER`].
//! After a change: `TRYBUILD=overwrite cargo test --test compile_fail`, and read the difference.

use std::future::Future;
use std::io;
use std::marker::{PhantomData, PhantomPinned};
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;

use petla::error::Elapsed;
use petla::event_loop::{Builder, CallHandle, LoopClosed, Report, RunError};
use petla::io::{PipeReader, PipeWriter};
use petla::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use petla::primitives::{
    Acquire, AcquirePermit, AcquireToken, BarrierWait, EventWait, Local, OwnedPermit, Read, Shared,
    Token, Wait, WaitFor, Watcher, Write,
};
use petla::sync::UntilCancelled;
use petla::task_group::{Cause, NotReady, TaskFailure};
use petla::time::{MissedTick, Tick, YieldNow};
use petla::{
    Cancelled, ContextVar, ErrorGroup, EventLoop, Interval, JoinError, LoopHandle, Panic, Reason,
    RemoteTask, Sleep, Task, TaskGroup, TaskId, TaskRef, Timeout, local, sync,
};

/// The version whose words the `.stderr` files are.
const COMPILER: &str = "rustc 1.95";

#[test]
fn programs_that_break_the_rules_are_refused_with_a_clear_message() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("cargo runs rustc too");
    let version = String::from_utf8_lossy(&version.stdout);
    if !version.starts_with(COMPILER) {
        println!("skipped: the expected messages are those of {COMPILER}, this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
    #[cfg(feature = "macros")]
    cases.compile_fail("tests/compile_fail/macros/*.rs");
}

/// Questions about a type. Where the bound of an inherent constant holds, it wins over the trait's.
struct IsSend<T>(PhantomData<T>);
struct IsSync<T>(PhantomData<T>);
struct IsUnpin<T>(PhantomData<T>);

impl<T: Send> IsSend<T> {
    const YES: bool = true;
}

impl<T: Sync> IsSync<T> {
    const YES: bool = true;
}

impl<T: Unpin> IsUnpin<T> {
    const YES: bool = true;
}

trait No {
    const YES: bool = false;
}

impl<T> No for IsSend<T> {}
impl<T> No for IsSync<T> {}
impl<T> No for IsUnpin<T> {}

macro_rules! crosses_threads {
    ($($type:ty: $send:literal, $sync:literal;)+) => { $(
        const _: () = assert!(<IsSend<$type>>::YES == $send, stringify!($type is Send));
        const _: () = assert!(<IsSync<$type>>::YES == $sync, stringify!($type is Sync));
    )+ };
}

// Send, Sync
crosses_threads! {
    // What lives on its loop's thread:
    Task<u8>: false, false;
    TaskRef: false, false;
    EventLoop: false, false;
    CallHandle: false, false;
    petla::task::Flatten<u8, io::Error>: false, false;
    Report<'static>: false, false;
    local::Queue<u8>: false, false;
    Timeout<Task<u8>>: false, false;
    TaskGroup<'static, io::Error>: false, false;
    petla::Ready<u8>: false, false;
    // What only waits, or only names a loop:
    LoopHandle: true, true;
    Sleep: true, true;
    YieldNow: true, true;
    Interval: true, true;
    Tick<'static>: true, true;
    Timeout<Sleep>: true, true;
    Timeout<Rc<Sleep>>: false, false;
    RemoteTask<u8>: true, true;
    RemoteTask<Rc<u8>>: false, false;
    TcpStream: true, true;
    TcpListener: true, true;
    UnixStream: true, true;
    UnixListener: true, true;
    UdpSocket: true, true;
    UnixDatagram: true, true;
    PipeReader: true, true;
    PipeWriter: true, true;
    sync::Queue<u8>: true, true;
    sync::Queue<Rc<u8>>: false, false;
    ContextVar<u8>: true, true;
    Builder: true, true;
    // Errors, and what they are made of:
    JoinError: true, true;
    Cancelled: true, true;
    Panic: true, true;
    Reason: true, true;
    Elapsed: true, true;
    RunError: true, true;
    LoopClosed: true, true;
    TaskId: true, true;
    MissedTick: true, true;
    NotReady: true, true;
    ErrorGroup<io::Error>: true, true;
    ErrorGroup<Stays>: false, false;
    TaskFailure<io::Error>: true, true;
    Cause<io::Error>: true, true;
}

/// `Send`, but not `Sync`.
type SendOnly = std::cell::Cell<u8>;
/// `Sync`, but not `Send`.
type SyncOnly = std::sync::MutexGuard<'static, u8>;
/// Neither.
type Stays = Rc<u8>;

// Primitives, their guards and their futures. Send, Sync
crosses_threads! {
    // A lock hands its value from thread to thread, a guard shows it:
    sync::Lock<SendOnly>: true, true;
    sync::Lock<SyncOnly>: false, false;
    sync::Lock<Stays>: false, false;
    sync::LockGuard<'static, u8>: true, true;
    sync::LockGuard<'static, SendOnly>: true, false;
    sync::LockGuard<'static, SyncOnly>: false, false;
    sync::LockGuard<'static, Stays>: false, false;
    Acquire<'static, SendOnly, Shared>: true, true;
    Acquire<'static, Stays, Shared>: false, false;
    // Readers show it to several threads at once:
    sync::RwLock<u8>: true, true;
    sync::RwLock<SendOnly>: true, false;
    sync::RwLock<SyncOnly>: false, false;
    sync::RwLock<Stays>: false, false;
    sync::ReadGuard<'static, u8>: true, true;
    sync::ReadGuard<'static, SendOnly>: false, false;
    sync::ReadGuard<'static, SyncOnly>: false, false;
    Read<'static, u8, Shared>: true, true;
    Read<'static, Stays, Shared>: false, false;
    Write<'static, u8, Shared>: true, true;
    Write<'static, Stays, Shared>: false, false;
    // A wait for a condition has a guard in it:
    sync::Condition: true, true;
    Wait<'static, 'static, u8, Shared>: true, true;
    Wait<'static, 'static, SendOnly, Shared>: true, false;
    Wait<'static, 'static, Stays, Shared>: false, false;
    WaitFor<'static, 'static, u8, fn(&mut u8) -> bool, Shared>: true, true;
    WaitFor<'static, 'static, Stays, fn(&mut Stays) -> bool, Shared>: false, false;
    // The others guard nothing:
    sync::Semaphore: true, true;
    sync::BoundedSemaphore: true, true;
    sync::Permit<'static>: true, true;
    OwnedPermit<Shared>: true, true;
    AcquirePermit<'static, Shared>: true, true;
    sync::Event: true, true;
    EventWait<'static, Shared>: true, true;
    sync::Barrier: true, true;
    BarrierWait<'static, Shared>: true, true;
    sync::CapacityLimiter: true, true;
    Token<'static, Shared>: true, true;
    AcquireToken<'static, Shared>: true, true;
    sync::CancelToken: true, true;
    UntilCancelled<'static>: true, true;
    // Values that are handed over:
    sync::Sender<SendOnly>: true, true;
    sync::Sender<Stays>: false, false;
    sync::Receiver<SendOnly>: true, true;
    sync::Receiver<Stays>: false, false;
    sync::Setter<SendOnly>: true, true;
    sync::Setter<Stays>: false, false;
    sync::Getter<SendOnly>: true, true;
    sync::Getter<Stays>: false, false;
    // A value that several look at:
    sync::Watch<u8>: true, true;
    sync::Watch<SendOnly>: false, false;
    sync::Watch<Stays>: false, false;
    Watcher<'static, u8, Shared>: true, true;
}

// Nothing of `local` leaves its thread.
crosses_threads! {
    local::Lock<u8>: false, false;
    local::LockGuard<'static, u8>: false, false;
    Acquire<'static, u8, Local>: false, false;
    local::RwLock<u8>: false, false;
    local::ReadGuard<'static, u8>: false, false;
    Read<'static, u8, Local>: false, false;
    Write<'static, u8, Local>: false, false;
    local::Condition: false, false;
    Wait<'static, 'static, u8, Local>: false, false;
    local::Semaphore: false, false;
    local::BoundedSemaphore: false, false;
    local::Permit<'static>: false, false;
    OwnedPermit<Local>: false, false;
    AcquirePermit<'static, Local>: false, false;
    local::Event: false, false;
    EventWait<'static, Local>: false, false;
    local::Barrier: false, false;
    BarrierWait<'static, Local>: false, false;
    local::CapacityLimiter: false, false;
    Token<'static, Local>: false, false;
    AcquireToken<'static, Local>: false, false;
    local::Sender<u8>: false, false;
    local::Receiver<u8>: false, false;
    local::Setter<u8>: false, false;
    local::Getter<u8>: false, false;
    local::Watch<u8>: false, false;
    Watcher<'static, u8, Local>: false, false;
}

#[test]
fn waits_that_own_or_limit_something_cross_threads_too() {
    fn crosses<T: Send + Sync>(_: T) {}
    let (lock, condition) = (sync::Lock::new(1), sync::Condition::new());
    let guard = lock.blocking_lock();
    crosses(condition.wait_for_timeout(guard, std::time::Duration::MAX, |n| *n > 1));
    crosses(std::sync::Arc::new(sync::Semaphore::new(1)).acquire_owned());
}

#[test]
fn errors_fit_into_boxes_and_into_io_results() {
    fn error<E: std::error::Error + Send + Sync + 'static>()
    where
        io::Error: From<E>,
    {
    }
    error::<JoinError>();
    error::<Cancelled>();
    error::<Elapsed>();
    error::<RunError>();
    error::<LoopClosed>();
    error::<NotReady>();
    error::<ErrorGroup<io::Error>>();
    error::<local::ShutDown>();
}

#[test]
fn handles_and_timers_can_be_polled_where_they_lie() {
    const {
        assert!(<IsUnpin<Task<PhantomPinned>>>::YES);
        assert!(<IsUnpin<RemoteTask<PhantomPinned>>>::YES);
        assert!(<IsUnpin<petla::task::Flatten<PhantomPinned, io::Error>>>::YES);
        assert!(<IsUnpin<Sleep>>::YES);
        assert!(<IsUnpin<YieldNow>>::YES);
        assert!(<IsUnpin<Interval>>::YES);
        assert!(<IsUnpin<Timeout<Sleep>>>::YES);
        assert!(!<IsUnpin<Timeout<PhantomPinned>>>::YES);
    }
}

#[test]
fn futures_of_the_crate_fit_behind_a_send_bound_unless_they_hold_a_task() {
    fn boxed<F: Future + Send + 'static>(
        future: F,
    ) -> Pin<Box<dyn Future<Output = F::Output> + Send>> {
        Box::pin(future)
    }
    drop(boxed(async {
        petla::sleep(std::time::Duration::MAX).await;
        petla::timeout(std::time::Duration::ZERO, petla::yield_now()).await?;
        let mut ticks = petla::interval(std::time::Duration::MAX);
        ticks.tick().await;
        petla::wait_for(std::future::ready(1), None).await
    }));
}
