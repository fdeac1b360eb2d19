//! How many bytes is a primitive, and how many is one that waits for it?
//!
//! Two tables, a row a primitive, a column a library. The first has the primitive itself: its size
//! in place, and after a `+` what it keeps on the heap once somebody has waited. The second has a
//! waiter: the size of the waiting future in place, which is in the waiting task, and after a `+`
//! what each one that waits has on the heap. Bytes, as asked of the allocator.
//!
//! Not counted: the number in a lock (8 bytes, subtracted), the task, and the `Rc` or `Arc` that
//! users put around a primitive to share it. Of a oneshot and a queue both ends count, with what
//! they share and a queue's room for items. Where a oneshot's getter is itself the future, it is
//! with the primitive, and a waiter is the 8 bytes that refer to it. Checked: all futures measured
//! do wait, and petla's take nothing of the heap for it.
//!
//! Nothing here is timed, so a busy machine does no harm, and the numbers are the same in every
//! run.

use std::fmt::{self, Display, Formatter};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use petla_bench::events::{Barriers, Conditions, Events};
use petla_bench::heap;
use petla_bench::libraries::{
    AsyncLock, Intrusive, IntrusiveLocal, Library, LocalSync, PetlaLocal, PetlaSync, Tokio,
};
use petla_bench::locks::{Locks, RwLocks, Semaphores};
use petla_bench::pinned::PinnedSlice;
use petla_bench::queues::{PetlaLocalChannel, PetlaSyncChannel, Queues};
use petla_bench::runtimes::{Petla, Runtime};
use petla_bench::values::{Oneshots, Watches};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// So many that what a library allocates for several waiters at once is seen.
const WAITERS: usize = 1_000;

/// The guarded number.
const VALUE: usize = size_of::<usize>();

/// In place, and on the heap.
#[derive(Clone, Copy, Debug)]
struct Bytes {
    in_place: usize,
    heap: usize,
}

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.heap {
            0 => write!(f, "{}", self.in_place),
            heap => write!(f, "{} + {heap}", self.in_place),
        }
    }
}

/// What one library's primitive takes.
#[derive(Clone, Copy, Debug)]
struct Taken {
    itself: Bytes,
    waiter: Bytes,
}

/// A row: what each library that has the primitive takes.
type Row = (&'static str, Vec<(&'static str, Taken)>);

macro_rules! on_each {
    ($measure:ident: $($library:ident),+) => {
        vec![$((<$library as Library>::NAME, $measure::<$library>())),+]
    };
}

macro_rules! on_all {
    ($measure:ident) => {
        on_each!($measure:
            PetlaLocal, PetlaSync, Tokio, AsyncLock, LocalSync, IntrusiveLocal, Intrusive)
    };
}

macro_rules! on_two {
    ($measure:ident) => {
        on_each!($measure: PetlaLocal, PetlaSync, Tokio, AsyncLock)
    };
}

fn rows() -> Vec<Row> {
    vec![
        ("lock", on_all!(lock)),
        ("read-write lock, read", on_two!(read)),
        ("read-write lock, write", on_two!(write)),
        ("semaphore", on_all!(semaphore)),
        ("event", on_all!(event)),
        ("barrier", on_two!(barrier)),
        ("condition", on_two!(condition)),
        ("oneshot", on_all!(oneshot)),
        (
            "watch",
            on_each!(watch: PetlaLocal, PetlaSync, Tokio, IntrusiveLocal, Intrusive),
        ),
        ("full queue of 64, put", on_all!(queue)),
        (
            "full channel of 64, put",
            on_each!(queue: PetlaLocalChannel, PetlaSyncChannel),
        ),
    ]
}

/// Makes a primitive and counts what that takes of the heap.
fn made<P>(make: impl FnOnce() -> P) -> (P, usize) {
    let before = heap::in_use();
    let primitive = make();
    (primitive, heap::in_use() - before)
}

/// What does not wait.
fn granted<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing is held yet, but this waits"),
    }
}

/// What one waiter takes of the heap, of many that `wait`; what the first took beyond that belongs
/// to the primitive `itself`.
fn taken<F: Future>(mut itself: Bytes, mut wait: impl FnMut() -> F) -> Taken {
    let mut waiting = Vec::with_capacity(WAITERS);
    let mut begin = || {
        let mut future = Box::pin(wait());
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "a future to measure does not wait");
        waiting.push(future);
    };
    let before = heap::in_use();
    begin();
    let first = heap::in_use() - before - size_of::<F>();
    (1..WAITERS).for_each(|_| begin());
    let all = heap::in_use() - before - WAITERS * size_of::<F>();
    let each = (all - first) / (WAITERS - 1);
    itself.heap += first.saturating_sub(each);
    let waiter = Bytes {
        in_place: size_of::<F>(),
        heap: each,
    };
    Taken { itself, waiter }
}

fn lock<L: Locks>() -> Taken {
    let (lock, heap) = made(L::new);
    let in_place = size_of::<L::Lock>() - VALUE;
    let _guard = granted(L::lock(&lock));
    taken(Bytes { in_place, heap }, || L::lock(&lock))
}

fn read<L: RwLocks>() -> Taken {
    let (lock, heap) = made(L::new);
    let in_place = size_of::<L::RwLock>() - VALUE;
    let _guard = granted(L::write(&lock));
    taken(Bytes { in_place, heap }, || L::read(&lock))
}

fn write<L: RwLocks>() -> Taken {
    let (lock, heap) = made(L::new);
    let in_place = size_of::<L::RwLock>() - VALUE;
    let _guard = granted(L::write(&lock));
    taken(Bytes { in_place, heap }, || L::write(&lock))
}

fn semaphore<S: Semaphores>() -> Taken {
    let (semaphore, heap) = made(|| S::new(1));
    let in_place = size_of::<S::Semaphore>();
    let _permit = granted(S::acquire(&semaphore));
    taken(Bytes { in_place, heap }, || S::acquire(&semaphore))
}

fn event<E: Events>() -> Taken {
    let (event, heap) = made(E::new);
    let in_place = size_of::<E::Event>();
    taken(Bytes { in_place, heap }, || E::wait(&event))
}

fn barrier<B: Barriers>() -> Taken {
    let (barrier, heap) = made(|| B::new(WAITERS + 1));
    let in_place = size_of::<B::Barrier>();
    taken(Bytes { in_place, heap }, || B::wait(&barrier))
}

fn condition<C: Conditions>() -> Taken {
    let lock = C::new_lock();
    let (condition, heap) = made(C::new);
    let in_place = size_of::<C::Condition>();
    taken(Bytes { in_place, heap }, || {
        let guard = granted(C::lock(&lock)); // the waiter before has left the lock
        C::wait_for(&condition, &lock, guard, Option::is_some)
    })
}

/// Each waits for a oneshot of its own.
fn oneshot<O: Oneshots>() -> Taken {
    let (_one, heap) = made(O::new);
    let in_place = size_of::<O::Setter>() + size_of::<O::Getter>();
    let (_setters, getters): (Vec<_>, Vec<_>) = (0..WAITERS).map(|_| O::new()).unzip();
    let mut getters = PinnedSlice::from_iter(getters);
    let mut waiting = getters.iter_mut();
    taken(Bytes { in_place, heap }, || {
        O::get(waiting.next().expect("one each"))
    })
}

fn watch<W: Watches>() -> Taken {
    let (watch, heap) = made(W::new);
    let in_place = size_of::<W::Watch>();
    let mut watchers: Vec<_> = (0..WAITERS).map(|_| W::watcher(&watch)).collect();
    let mut waiting = watchers.iter_mut();
    taken(Bytes { in_place, heap }, || {
        W::changed(waiting.next().expect("one each"))
    })
}

fn queue<Q: Queues>() -> Taken {
    const CAPACITY: usize = 64;
    let ((sender, _receiver), heap) = made(|| {
        let ends = Q::queue(CAPACITY);
        (0..CAPACITY).for_each(|item| drop(granted(Q::put(&ends.0, item))));
        ends
    });
    let in_place = size_of::<Q::Sender<usize>>() + size_of::<Q::Receiver<usize>>();
    taken(Bytes { in_place, heap }, || Q::put(&sender, CAPACITY))
}

fn print(title: &str, rows: &[Row], part: impl Fn(&Taken) -> Bytes) {
    const COLUMNS: [&str; 7] = [
        PetlaLocal::NAME,
        PetlaSync::NAME,
        Tokio::NAME,
        AsyncLock::NAME,
        LocalSync::NAME,
        IntrusiveLocal::NAME,
        Intrusive::NAME,
    ];
    let rule = "| --- ".repeat(COLUMNS.len() + 1);
    println!("{title}\n\n| bytes | {} |\n{rule}|", COLUMNS.join(" | "));
    for (name, cells) in rows {
        print!("| {name} ");
        for column in COLUMNS {
            let cell = cells.iter().find(|(library, _)| *library == column);
            let cell = cell.map_or("-".into(), |(_, taken)| part(taken).to_string());
            print!("| {cell} ");
        }
        println!("|");
    }
    println!();
}

fn main() {
    let rows = Petla::block_on(async { rows() });
    for (name, cells) in &rows {
        for (library, taken) in cells {
            let petla = [PetlaLocal::NAME, PetlaSync::NAME].contains(library);
            let allocates = taken.waiter.heap > 0;
            assert!(
                !(petla && allocates),
                "{name}: one that waits in {library} allocates"
            );
        }
    }
    print("A primitive, in place and on the heap:", &rows, |taken| {
        taken.itself
    });
    print(
        "One that waits for it, in place and on the heap:",
        &rows,
        |taken| taken.waiter,
    );
}
