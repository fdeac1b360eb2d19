//! What does it cost to run many futures in one task, and to find the one that was woken?
//!
//! - `gather_pending`: 1,000 boxed children, each pending once (it wakes itself), all results.
//! - `gather_staggered`: 1,000 boxed children that wait, each woken in a turn of its own by
//!   another task, the last first. This is what a combinator is for: most children wait, one is
//!   ready. Whoever looks at all of them for each wake pays a thousand looks a child.
//! - `gather_100k`: the same with 100,000. Nothing may grow with the number but cache misses.
//! - `as_completed_1000`: the children of `gather_pending`, each result taken as it comes.
//! - `gather_tuple`: three futures in place, each pending once.
//! - `wait_first`: 100 tasks that end one a turn; which have ended, until none is left.
//!
//! Timed: from the call of the combinator to its result, polls and drops of the children, and for
//! the staggered ones the turns of the waking task; in `wait_first` the spawns too. Not timed: the
//! boxes' making. tokio's, smol's and monoio's columns run futures' `join_all`, `FuturesUnordered`
//! and `select_all`, and of three `tokio::join!` or futures' `join!`.
//!
//! Checked: each child gives its number, and only after it was pending; the sum is compared, and
//! that nobody was let through before all waited.
//!
//! How to read it: nanoseconds a child; of `gather_tuple` nanoseconds for all three. A turn of two
//! tasks is in the staggered ones: see `yield_1`.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::future::select_all;
use petla_bench::combinators::{
    CONCURRENCY_ON_TOKIO, Completes, Gathers, Joins, SELECT_ALL, TOKIO_JOIN, UNORDERED_ON_TOKIO,
};
use petla_bench::libraries::{
    Concurrency, Futures, JoinSets, Library as _, PetlaLocal, Tokio, Unordered,
};
use petla_bench::runtimes::{
    Monoio, Petla, Runtime, Smol, TokioCurrentThread, TokioLocal, in_task,
};
use petla_bench::{Contender, Cost, Figure, PETLA, Sizes, Unit, contenders};

/// Children of one combinator.
const CHILDREN: usize = 1_000;
/// Combinators one after the other.
const ROUNDS: Sizes = Sizes {
    table: 300,
    criterion: 30,
    smoke: 1,
};

/// More than a second-level cache holds.
const MANY: Sizes = Sizes {
    table: 100_000,
    criterion: 100_000,
    smoke: 300,
};

/// Tuples one after the other.
const TUPLES: Sizes = Sizes {
    table: 300_000,
    criterion: 100_000,
    smoke: 10,
};

/// Tasks of `wait_first`.
const TASKS: usize = 100;
/// Crowds of tasks one after the other.
const CROWDS: Sizes = Sizes {
    table: 200,
    criterion: 50,
    smoke: 1,
};

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, operations_each, sizes, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each,
        sizes,
        contenders,
    };
    vec![
        figure("gather_pending", CHILDREN, ROUNDS, pending_contenders()),
        figure("gather_staggered", CHILDREN, ROUNDS, staggered_contenders()),
        figure("gather_100k", 1, MANY, crowd_contenders()),
        figure(
            "as_completed_1000",
            CHILDREN,
            ROUNDS,
            completed_contenders(),
        ),
        figure("gather_tuple", 1, TUPLES, tuple_contenders()),
        figure("wait_first", TASKS, CROWDS, wait_contenders()),
    ]
}

/// What gathers `CHILDREN` or many more, by every library that does so in time, and by others.
macro_rules! gatherers {
    ($work:ident $(, $name:expr => $other:expr)* $(,)?) => {
        contenders![
            PETLA => $work::<Petla, PetlaLocal>,
            Futures::NAME => $work::<Petla, Futures>,
            Unordered::NAME => $work::<Petla, Unordered>,
            TokioLocal::NAME => $work::<TokioLocal, Futures>,
            TokioCurrentThread::NAME => $work::<TokioCurrentThread, Futures>,
            Smol::NAME => $work::<Smol, Futures>,
            Monoio::NAME => $work::<Monoio, Futures>,
            JoinSets::NAME => $work::<TokioLocal, JoinSets>,
            UNORDERED_ON_TOKIO => $work::<TokioLocal, Unordered>,
            $($name => $other,)*
        ]
    };
}

fn pending_contenders() -> Vec<Contender> {
    gatherers!(
        gather_pending,
        Concurrency::NAME => gather_pending::<Petla, Concurrency>,
        CONCURRENCY_ON_TOKIO => gather_pending::<TokioLocal, Concurrency>,
    )
}

fn staggered_contenders() -> Vec<Contender> {
    gatherers!(
        gather_staggered,
        Concurrency::NAME => gather_staggered::<Petla, Concurrency>,
        CONCURRENCY_ON_TOKIO => gather_staggered::<TokioLocal, Concurrency>,
    )
}

/// Without futures-concurrency, which looks at all for each wake: 100,000 take half a minute.
fn crowd_contenders() -> Vec<Contender> {
    gatherers!(gather_100k)
}

fn completed_contenders() -> Vec<Contender> {
    contenders![
        PETLA => as_completed_1000::<Petla, PetlaLocal>,
        Unordered::NAME => as_completed_1000::<Petla, Unordered>,
        TokioLocal::NAME => as_completed_1000::<TokioLocal, Unordered>,
        TokioCurrentThread::NAME => as_completed_1000::<TokioCurrentThread, Unordered>,
        Smol::NAME => as_completed_1000::<Smol, Unordered>,
        Monoio::NAME => as_completed_1000::<Monoio, Unordered>,
        JoinSets::NAME => as_completed_1000::<TokioLocal, JoinSets>,
    ]
}

fn tuple_contenders() -> Vec<Contender> {
    contenders![
        PETLA => gather_tuple::<Petla, PetlaLocal>,
        Futures::NAME => gather_tuple::<Petla, Futures>,
        TOKIO_JOIN => gather_tuple::<Petla, Tokio>,
        Concurrency::NAME => gather_tuple::<Petla, Concurrency>,
        TokioLocal::NAME => gather_tuple::<TokioLocal, Tokio>,
        TokioCurrentThread::NAME => gather_tuple::<TokioCurrentThread, Tokio>,
        Smol::NAME => gather_tuple::<Smol, Futures>,
        Monoio::NAME => gather_tuple::<Monoio, Futures>,
        CONCURRENCY_ON_TOKIO => gather_tuple::<TokioLocal, Concurrency>,
    ]
}

fn wait_contenders() -> Vec<Contender> {
    contenders![
        PETLA => wait_first,
        SELECT_ALL => select_first::<Petla>,
        TokioLocal::NAME => select_first::<TokioLocal>,
        TokioCurrentThread::NAME => select_first::<TokioCurrentThread>,
        Smol::NAME => select_first::<Smol>,
        Monoio::NAME => select_first::<Monoio>,
        JoinSets::NAME => join_next,
    ]
}

type Child = Pin<Box<dyn Future<Output = usize>>>;

/// Wakes itself, is pending, and gives `number` when it is polled again.
async fn pending_once(number: usize) -> usize {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    number
}

fn boxed<F: Future<Output = usize> + 'static>(child: F) -> Child {
    Box::pin(child)
}

fn pending_children() -> Vec<Child> {
    let children = (0..CHILDREN).map(|number| boxed(pending_once(number)));
    children.collect()
}

fn sum_of(numbers: usize) -> usize {
    numbers * (numbers - 1) / 2
}

fn gather_pending<R: Runtime, G: Gathers>(size: usize) -> Cost {
    let (elapsed, sum) = in_task::<R, _>(async move {
        let (mut elapsed, mut sum) = (Duration::ZERO, 0);
        for _ in 0..size {
            let children = pending_children();
            let start = Instant::now();
            let results = G::gather(children).await;
            elapsed += start.elapsed();
            sum += results.into_iter().sum::<usize>();
        }
        (elapsed, sum)
    });
    assert_eq!(sum, size * sum_of(CHILDREN));
    elapsed.into()
}

fn as_completed_1000<R: Runtime, G: Completes>(size: usize) -> Cost {
    let (elapsed, sum) = in_task::<R, _>(async move {
        let (mut elapsed, mut sum) = (Duration::ZERO, 0);
        for _ in 0..size {
            let children = pending_children();
            let start = Instant::now();
            G::each(children, |number| sum += number).await;
            elapsed += start.elapsed();
        }
        (elapsed, sum)
    });
    assert_eq!(sum, size * sum_of(CHILDREN));
    elapsed.into()
}

fn gather_staggered<R: Runtime, G: Gathers>(size: usize) -> Cost {
    staggered::<R, G>(CHILDREN, size)
}

fn gather_100k<R: Runtime, G: Gathers>(size: usize) -> Cost {
    staggered::<R, G>(size, 1)
}

fn staggered<R: Runtime, G: Gathers>(children: usize, rounds: usize) -> Cost {
    let (elapsed, sum) = in_task::<R, _>(async move {
        let (mut elapsed, mut sum) = (Duration::ZERO, 0);
        for _ in 0..rounds {
            let doors = Doors::new(children);
            let waiting: Vec<_> = (0..children)
                .map(|number| boxed(doors.clone().pass(number)))
                .collect();
            let start = Instant::now();
            let opener = R::spawn(doors.open_all::<R>());
            let results = G::gather(waiting).await;
            opener.await;
            elapsed += start.elapsed();
            sum += results.into_iter().sum::<usize>();
        }
        (elapsed, sum)
    });
    assert_eq!(sum, rounds * sum_of(children));
    elapsed.into()
}

/// Doors that open one a turn, the last first, once somebody waits at each.
#[derive(Clone)]
struct Doors(Rc<RefCell<Row>>);

struct Row {
    doors: Vec<Door>,
    /// How many have somebody waiting, or had.
    waiting: usize,
}

enum Door {
    Nobody,
    Waiting(Waker),
    Open,
}

impl Doors {
    fn new(count: usize) -> Self {
        let doors = (0..count).map(|_| Door::Nobody).collect();
        Doors(Rc::new(RefCell::new(Row { doors, waiting: 0 })))
    }

    /// Waits until door `number` is open; gives the number.
    async fn pass(self, number: usize) -> usize {
        poll_fn(|cx| self.poll_pass(number, cx)).await;
        number
    }

    fn poll_pass(&self, number: usize, cx: &Context<'_>) -> Poll<()> {
        let row = &mut *self.0.borrow_mut();
        match &mut row.doors[number] {
            Door::Open => return Poll::Ready(()),
            Door::Waiting(waker) => waker.clone_from(cx.waker()),
            nobody => {
                *nobody = Door::Waiting(cx.waker().clone());
                row.waiting += 1;
            }
        }
        Poll::Pending
    }

    async fn open_all<R: Runtime>(self) {
        let count = self.0.borrow().doors.len();
        while self.0.borrow().waiting < count {
            R::yield_now().await;
        }
        for number in (0..count).rev() {
            self.open(number).wake();
            R::yield_now().await;
        }
    }

    /// Opens a door; who waits there is to be woken.
    fn open(&self, number: usize) -> Waker {
        let doors = &mut self.0.borrow_mut().doors;
        match std::mem::replace(&mut doors[number], Door::Open) {
            Door::Waiting(waker) => waker,
            _ => panic!("all are waiting, each at its own door"),
        }
    }
}

fn gather_tuple<R: Runtime, J: Joins>(size: usize) -> Cost {
    let (elapsed, sum) = in_task::<R, _>(async move {
        let start = Instant::now();
        let mut sum = 0;
        for number in 0..size {
            let [a, b, c] = [number, 1, 2].map(pending_once);
            let (a, b, c) = J::join(a, b, c).await;
            sum += a + b + c;
        }
        (start.elapsed(), sum)
    });
    assert_eq!(sum, sum_of(size) + 3 * size);
    elapsed.into()
}

fn wait_first(size: usize) -> Cost {
    crowds::<Petla, _>(size, async |doors| {
        let task = |number| petla::spawn(doors.clone().pass(number));
        let mut tasks: Vec<_> = (0..TASKS).map(task).collect();
        let mut sum = 0;
        while !tasks.is_empty() {
            let done = petla::wait(&mut tasks, petla::When::FirstCompleted, None).await;
            assert!(!done.is_empty());
            for task in done {
                sum += task.await.expect("the task ends with a value");
            }
        }
        sum
    })
}

fn select_first<R: Runtime>(size: usize) -> Cost {
    crowds::<R, _>(size, async |doors| {
        let task = |number| R::spawn(doors.clone().pass(number));
        let mut tasks: Vec<_> = (0..TASKS).map(task).collect();
        let mut sum = 0;
        while !tasks.is_empty() {
            let (number, _, left) = select_all(tasks).await;
            sum += number;
            tasks = left;
        }
        sum
    })
}

fn join_next(size: usize) -> Cost {
    crowds::<TokioLocal, _>(size, async |doors| {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..TASKS {
            tasks.spawn_local(doors.clone().pass(number));
        }
        let mut sum = 0;
        while let Some(ended) = tasks.join_next().await {
            sum += ended.expect("the task ends with a value");
        }
        sum
    })
}

/// Lets a crowd wait at doors that are opened one a turn, again and again.
fn crowds<R: Runtime, F>(size: usize, crowd: F) -> Cost
where
    F: AsyncFn(&Doors) -> usize + 'static,
{
    let (elapsed, sum) = in_task::<R, _>(async move {
        let (mut elapsed, mut sum) = (Duration::ZERO, 0);
        for _ in 0..size {
            let doors = Doors::new(TASKS);
            let start = Instant::now();
            let opener = R::spawn(doors.clone().open_all::<R>());
            sum += crowd(&doors).await;
            opener.await;
            elapsed += start.elapsed();
        }
        (elapsed, sum)
    });
    assert_eq!(sum, size * sum_of(TASKS));
    elapsed.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
