//! `gather!` and `try_gather!`: futures of different types, in place.
//!
//! The futures stand in a struct for their number, one field each, which both macros share;
//! which of them have ended is a bit each. A poll polls all that have not: up to twelve polls cost
//! less than places for them on the loop, which a longer list has (`turns`).
//!
//! # Not here
//! Lists of any length: `gather`, `try_gather`.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::pin::pinned;

/// Waits for all of several futures of different types: `let (a, b) = gather!(f(), g()).await`.
///
/// One to twelve futures run at once, in one task and without an allocation each; they may
/// borrow. The expressions are evaluated at once, and the macro gives an ordinary future, which
/// may be kept in a variable. For many futures of one type there is the function
/// [`gather`](fn@crate::gather).
///
/// # Cancel safety
/// **Loses data**: what the others have given so far. Each unfinished future is dropped.
///
/// # asyncio
/// `gather(f(), g())`.
///
/// # Examples
/// ```
/// petla::run(async {
///     let word = String::from("loop");
///     let both = petla::gather!(async { word.len() }, async { word.to_uppercase() });
///     assert_eq!(both.await, (4, "LOOP".to_owned()));
/// });
/// ```
#[doc(alias = "join")]
#[macro_export]
macro_rules! gather {
    ($($future:expr),+ $(,)?) => { $crate::__private::gather_tuple(($($future,)+)) };
}

/// Waits for all values of several futures of different types, or for the first error, which
/// drops the others: `let (a, b) = try_gather!(f(), g()).await?`.
///
/// The futures end with `Result`s of one error type. Otherwise this is
/// [`gather!`](macro@crate::gather); for many futures of one type there is the function
/// [`try_gather`](fn@crate::try_gather).
///
/// # Errors
/// The first error of a future, in time; of two in one poll, that of the one written first.
///
/// # Cancel safety
/// **Loses data**: what the others have given so far. Each unfinished future is dropped.
///
/// # asyncio
/// A `TaskGroup` of a few children, without the tasks.
///
/// # Examples
/// ```
/// async fn number(text: &str) -> Result<u8, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// petla::run(async {
///     let letter = async { Ok('c') };
///     assert_eq!(petla::try_gather!(number("7"), letter).await, Ok((7, 'c')));
///     assert!(petla::try_gather!(number("seven"), std::future::pending::<Result<(), _>>())
///         .await
///         .is_err());
/// });
/// ```
#[doc(alias = "try_join")]
#[macro_export]
macro_rules! try_gather {
    ($($future:expr),+ $(,)?) => { $crate::__private::try_gather_tuple(($($future,)+)) };
}

/// What [`gather!`](macro@crate::gather) takes.
pub trait GatherTuple {
    /// The results.
    type Output;
    /// The futures in their places.
    type Places: Places<Output = Self::Output>;

    /// Puts the futures in their places.
    fn into_places(self) -> Self::Places;
}

/// Futures in places of their own, with their results.
pub trait Places {
    /// The results of all.
    type Output;
    /// How many there are.
    const COUNT: u32;

    /// Polls future `index`, which has not ended; has it ended now?
    fn poll_one(self: Pin<&mut Self>, index: u32, cx: &mut Context<'_>) -> bool;
    /// The results: each future has ended.
    fn take(self: Pin<&mut Self>) -> Self::Output;
}

/// Places of futures that end with `Result`s.
pub trait TryPlaces: Places {
    /// The values of all.
    type Values;
    /// The error of any.
    type Error;

    /// The error of future `index`, if it ended with one.
    fn error(self: Pin<&mut Self>, index: u32) -> Option<Self::Error>;
    /// The values: each future has ended, none with an error.
    fn values(self: Pin<&mut Self>) -> Self::Values;
}

pinned! {
    /// One place: the future, then its result, then nothing.
    #[allow(missing_debug_implementations, reason = "named by no user")]
    pub struct Child<F: Future> {
        #[pin]
        future: Option<F>,
        result: Option<F::Output>,
    }
}

impl<F: Future> Child<F> {
    fn new(future: F) -> Self {
        Child {
            future: Some(future),
            result: None,
        }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return false;
        };
        let Poll::Ready(result) = future.poll(cx) else {
            return false;
        };
        this.future.set(None);
        *this.result = Some(result);
        true
    }

    fn take(self: Pin<&mut Self>) -> F::Output {
        let result = self.project().result.take();
        result.expect("each future has ended")
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Child<F> {
    fn error(self: Pin<&mut Self>) -> Option<E> {
        let result = self.project().result;
        result.take_if(|result| result.is_err())?.err()
    }

    fn value(self: Pin<&mut Self>) -> T {
        let value = self.take().ok();
        value.expect("an error ends it at once")
    }
}

/// For each number of futures a struct of places, and the traits above.
macro_rules! tuples {
    ($($name:ident $count:literal: $($index:literal $field:ident $future:ident $value:ident),+;)+)
    => { $(
        pinned! {
            #[allow(missing_debug_implementations, reason = "named by no user")]
            /// The places of a few futures.
            pub struct $name<$($future: Future),+> {
                $(#[pin] $field: Child<$future>),+
            }
        }

        impl<$($future: IntoFuture),+> GatherTuple for ($($future,)+) {
            type Output = ($($future::Output,)+);
            type Places = $name<$($future::IntoFuture),+>;

            fn into_places(self) -> Self::Places {
                let ($($field,)+) = self;
                $name { $($field: Child::new($field.into_future())),+ }
            }
        }

        impl<$($future: Future),+> Places for $name<$($future),+> {
            type Output = ($($future::Output,)+);
            const COUNT: u32 = $count;

            fn poll_one(self: Pin<&mut Self>, index: u32, cx: &mut Context<'_>) -> bool {
                let this = self.project();
                match index {
                    $($index => this.$field.poll(cx),)+
                    _ => false,
                }
            }

            fn take(self: Pin<&mut Self>) -> Self::Output {
                let this = self.project();
                ($(this.$field.take(),)+)
            }
        }

        impl<Error, $($future, $value),+> TryPlaces for $name<$($future),+>
        where
            $($future: Future<Output = Result<$value, Error>>),+
        {
            type Values = ($($value,)+);
            type Error = Error;

            fn error(self: Pin<&mut Self>, index: u32) -> Option<Error> {
                let this = self.project();
                match index {
                    $($index => this.$field.error(),)+
                    _ => None,
                }
            }

            fn values(self: Pin<&mut Self>) -> Self::Values {
                let this = self.project();
                ($(this.$field.value(),)+)
            }
        }
    )+ };
}

tuples! {
    Places1 1: 0 a A Ta;
    Places2 2: 0 a A Ta, 1 b B Tb;
    Places3 3: 0 a A Ta, 1 b B Tb, 2 c C Tc;
    Places4 4: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td;
    Places5 5: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te;
    Places6 6: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf;
    Places7 7: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf, 6 g G Tg;
    Places8 8: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf, 6 g G Tg, 7 h H Th;
    Places9 9: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf, 6 g G Tg, 7 h H Th,
        8 i I Ti;
    Places10 10: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf, 6 g G Tg, 7 h H Th,
        8 i I Ti, 9 j J Tj;
    Places11 11: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf, 6 g G Tg, 7 h H Th,
        8 i I Ti, 9 j J Tj, 10 k K Tk;
    Places12 12: 0 a A Ta, 1 b B Tb, 2 c C Tc, 3 d D Td, 4 e E Te, 5 f F Tf, 6 g G Tg, 7 h H Th,
        8 i I Ti, 9 j J Tj, 10 k K Tk, 11 l L Tl;
}

/// Which futures have not ended, and whose turn it is. Bits, one each.
struct Crew {
    left: u16,
    /// Those that this poll has not polled yet.
    rest: u16,
    /// Between two polls. Not before the result was given, nor after a panic.
    waits: bool,
}

impl Crew {
    fn new(count: u32) -> Self {
        Crew {
            left: (1 << count) - 1,
            rest: 0,
            waits: true,
        }
    }

    fn enter(&mut self) {
        assert!(
            mem::take(&mut self.waits),
            "a `gather!` was polled again after it gave its results, or after a future panicked"
        );
        self.rest = self.left;
    }

    /// The next future to end; `None` when all have.
    fn next<P: Places>(&mut self, mut all: Pin<&mut P>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        while self.rest != 0 {
            let index = self.rest.trailing_zeros();
            self.rest &= !(1 << index);
            if all.as_mut().poll_one(index, cx) {
                self.left &= !(1 << index);
                return Poll::Ready(Some(index));
            }
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.waits = true;
        Poll::Pending
    }
}

/// What [`gather!`](macro@crate::gather) is made of.
///
/// # Cancel safety
/// That of the macro.
pub fn gather_tuple<G: GatherTuple>(futures: G) -> GatherAll<G> {
    GatherAll {
        places: futures.into_places(),
        crew: Crew::new(G::Places::COUNT),
    }
}

/// What [`try_gather!`](macro@crate::try_gather) is made of.
///
/// # Cancel safety
/// That of the macro.
pub fn try_gather_tuple<G: GatherTuple>(futures: G) -> TryGatherAll<G> {
    TryGatherAll {
        places: Some(futures.into_places()),
        crew: Crew::new(G::Places::COUNT),
    }
}

pinned! {
    /// The future of [`gather!`](macro@crate::gather). `Send` if the futures and results are.
    #[must_use = "futures do nothing unless awaited"]
    pub struct GatherAll<G: GatherTuple> {
        #[pin]
        places: G::Places,
        crew: Crew,
    }
}

impl<G: GatherTuple> Future for GatherAll<G> {
    type Output = G::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G::Output> {
        let mut this = self.project();
        this.crew.enter();
        while ready!(this.crew.next(this.places.as_mut(), cx)).is_some() {}
        Poll::Ready(this.places.take())
    }
}

impl<G: GatherTuple> Debug for GatherAll<G> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatherAll")
            .field("running", &self.crew.left.count_ones())
            .finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`try_gather!`](macro@crate::try_gather). `Send` if the futures and results
    /// are.
    #[must_use = "futures do nothing unless awaited"]
    pub struct TryGatherAll<G: GatherTuple> {
        /// Until there is a result: an error drops the others.
        #[pin]
        places: Option<G::Places>,
        crew: Crew,
    }
}

impl<G: GatherTuple<Places: TryPlaces>> Future for TryGatherAll<G> {
    type Output = Result<<G::Places as TryPlaces>::Values, <G::Places as TryPlaces>::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        this.crew.enter();
        let end = loop {
            let Some(mut places) = this.places.as_mut().as_pin_mut() else {
                unreachable!("`enter` panics then");
            };
            let Some(index) = ready!(this.crew.next(places.as_mut(), cx)) else {
                break Ok(places.values());
            };
            if let Some(error) = places.error(index) {
                break Err(error);
            }
        };
        this.places.set(None);
        Poll::Ready(end)
    }
}

impl<G: GatherTuple> Debug for TryGatherAll<G> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryGatherAll")
            .field("running", &self.crew.left.count_ones())
            .finish_non_exhaustive()
    }
}
