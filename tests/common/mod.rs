//! What several test programs need: things that count, wakers that tell, a process of one's own.
//!
//! Tests of an executor ask three questions again and again: in which order did it happen
//! ([`Log`]), how often was it dropped ([`Drops`]), who was woken ([`Bell`]). Panics on purpose
//! go through [`raise`], which does not print.
//!
//! What changes the whole process, or might end it, runs [`alone`].
//!
//! # Not here
//! Sleeping until something has probably happened. Threads meet through channels, tasks by
//! yielding; [`LONG`] only bounds what would otherwise hang for ever.
#![allow(dead_code, reason = "each test program uses its own part")]

pub(crate) mod fd;
pub(crate) mod fork;
pub(crate) mod hand;
pub(crate) mod numbers;
pub(crate) mod peers;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::{Future, pending};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use petla::EventLoop;
use petla::net::{TcpListener, TcpStream};
use petla::testing::VirtualClock;

/// Longer than anything takes; only what hangs takes so long.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Runs `main` on a new loop, and fails if it hangs.
#[track_caller]
pub(crate) fn within<F: Future>(main: F) -> F::Output {
    match petla::run(petla::timeout(LONG, main)) {
        Ok(value) => value,
        Err(elapsed) => panic!("it hangs: {elapsed}"),
    }
}

/// The same for `main` that may fail.
#[track_caller]
pub(crate) fn within_io<F: Future<Output = io::Result<()>>>(main: F) {
    within(main).unwrap();
}

/// Runs `main` on virtual time, which must stand still from its end on: it left no timer armed.
#[track_caller]
pub(crate) fn leaves_no_timer(main: impl Future) {
    let (ended, stuck) = (Cell::new(None), Cell::new(None));
    let text = panic_text(|| {
        petla::testing::run(async {
            main.await;
            ended.set(Some(petla::now()));
            let _stuck = OnDrop(|| stuck.set(Some(petla::now())));
            pending::<()>().await
        })
    });
    assert!(text.starts_with("all tasks are blocked for good"), "{text}");
    assert_eq!(stuck.get(), ended.get(), "a timer was left");
}

/// A loop that goes by a virtual clock.
pub(crate) fn loop_on(clock: &VirtualClock) -> EventLoop {
    let builder = EventLoop::builder().clock(clock.clone());
    builder.build().unwrap()
}

/// Two ends of a TCP connection.
pub(crate) async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, peer) = listener.accept().await?;
    assert_eq!(peer, client.local_addr()?);
    Ok((client, server))
}

/// One poll whose wake-up goes nowhere.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// One poll that leaves `waker` behind.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// The smallest executor there is: it polls on this thread, which sleeps in between.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match poll_with(&mut future, &waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Yields until `done`, and fails if that never comes.
pub(crate) async fn yield_until(mut done: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !done() {
        assert!(begin.elapsed() < LONG, "it never comes");
        petla::yield_now().await;
    }
}

/// Panics without a word on stderr.
pub(crate) fn raise(message: &str) -> ! {
    std::panic::resume_unwind(Box::new(message.to_owned()))
}

/// The text that `f` panics with.
pub(crate) fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f))
        .err()
        .expect("it should panic");
    text_of(&*payload).expect("the payload should be text")
}

/// The text in a panic's payload.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    let literal = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    literal.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// What happened, in order. Clones write into the same log.
pub(crate) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Log(Rc::default())
    }

    pub(crate) fn push(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// The entries since the last call.
    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }

    /// The one entry since the last call.
    #[track_caller]
    pub(crate) fn only(&self) -> T
    where
        T: Debug,
    {
        let [entry] = <[T; 1]>::try_from(self.take()).expect("there should be one entry");
        entry
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Log(Rc::clone(&self.0))
    }
}

/// Everything that the current loop reports from now on, as text.
pub(crate) fn collect_reports() -> Log<String> {
    collect_reports_of(&EventLoop::current())
}

/// The same for a loop that need not run.
pub(crate) fn collect_reports_of(event_loop: &EventLoop) -> Log<String> {
    let log = Log::new();
    let reports = log.clone();
    event_loop.set_exception_handler(move |report| reports.push(report.to_string()));
    log
}

/// Counts how often its guards were dropped, on any thread.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Counts one when it is dropped.
    pub(crate) fn guard(&self) -> DropGuard {
        DropGuard(self.clone())
    }

    /// Waits for ever; counts one when it is dropped, begun or not.
    pub(crate) fn forever(&self) -> impl Future<Output = ()> + use<> {
        let guard = self.guard();
        async move {
            let _guard = guard;
            pending().await
        }
    }
}

pub(crate) struct DropGuard(Drops);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker of no executor that counts how often it rang.
pub(crate) struct Bell {
    rings: AtomicUsize,
    /// Panics after counting.
    broken: bool,
}

impl Bell {
    pub(crate) fn new() -> Arc<Bell> {
        Arc::new(Bell {
            rings: AtomicUsize::new(0),
            broken: false,
        })
    }

    pub(crate) fn broken() -> Arc<Bell> {
        Arc::new(Bell {
            rings: AtomicUsize::new(0),
            broken: true,
        })
    }

    pub(crate) fn rings(&self) -> usize {
        self.rings.load(Ordering::SeqCst)
    }

    /// Polls `future` with this bell as the waker.
    pub(crate) fn poll<F: Future + Unpin>(self: &Arc<Self>, future: &mut F) -> Poll<F::Output> {
        poll_with(future, &Waker::from(Arc::clone(self)))
    }

    /// Is a waker made of this bell kept anywhere?
    pub(crate) fn is_kept(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        if self.broken {
            raise("the bell is broken");
        }
    }
}

/// Leaves its task's waker in `place` at each poll and never ends.
pub(crate) struct KeepWaker(pub(crate) Rc<RefCell<Option<Waker>>>);

impl Future for KeepWaker {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// A number that tasks share.
pub(crate) type Count = Rc<Cell<usize>>;

/// Adds one.
pub(crate) fn bump(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

/// The command that runs the body of the calling test in a process of its own; in that process
/// runs the body and gives nothing.
pub(crate) fn alone_command(body: impl FnOnce()) -> Option<Command> {
    const MARK: &str = "PETLA_TEST_ALONE";
    let name = thread::current()
        .name()
        .expect("a test's thread has its name")
        .to_owned();
    if std::env::var(MARK).is_ok_and(|alone| alone == name) {
        default_signals();
        body();
        return None;
    }
    let mut same = Command::new(std::env::current_exe().unwrap());
    same.args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, &name);
    Some(same)
}

/// A shell's job in the background is born with SIGINT ignored; these tests are about signals.
fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: both are constants.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Runs the body of the calling test in a process of its own and gives that process's output;
/// in that process runs the body and gives nothing.
pub(crate) fn alone(body: impl FnOnce()) -> Option<Output> {
    Some(alone_command(body)?.output().unwrap())
}

/// The same for a body that must succeed.
#[track_caller]
pub(crate) fn succeeds_alone(body: impl FnOnce()) {
    let Some(output) = alone(body) else { return };
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
    assert!(out.contains("1 passed"), "{out}");
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
