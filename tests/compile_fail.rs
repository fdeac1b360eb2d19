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
use petla::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use petla::time::{MissedTick, Tick, YieldNow};
use petla::{
    Cancelled, ContextVar, EventLoop, Interval, JoinError, LoopHandle, Panic, Reason, RemoteTask,
    Sleep, Task, TaskId, TaskRef, Timeout, local, sync,
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
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
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
