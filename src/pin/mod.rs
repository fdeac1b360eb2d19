//! Pin projection without a dependency: from `Pin<&mut Struct>` to its fields, safely.
//!
//! A future that is made of other futures gets `Pin<&mut Self>` and must hand `Pin<&mut F>`
//! to the future inside, and plain `&mut` to everything else. Written by hand that takes
//! `unsafe` in every such file. [`pinned!`] declares the struct and writes a method `project`
//! once for all, so that the files above contain no `unsafe`:
//!
//! ```text
//! pinned! {
//!     /// A future with a limit.
//!     pub struct Timeout<F> {
//!         /// Pinned for as long as the whole is.
//!         #[pin]
//!         future: F,
//!         limit: Instant,
//!     }
//! }
//!
//! impl<F: Future> Future for Timeout<F> {
//!     type Output = F::Output;
//!     fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
//!         let this = self.project(); // this.future: Pin<&mut F>, this.limit: &mut Instant
//!         this.future.poll(cx)
//!     }
//! }
//! ```
//!
//! It takes lifetimes and type parameters, with one bound each (or `?Sized`), and a `where` clause
//! of `Type: Bound` items (write `T: A, T: B` for two bounds). Fields may have doc comments, a
//! visibility and `#[pin]`; the struct any attributes. `project` is private to the module.
//!
//! # Invariants
//! What makes the projection sound, and how the macro enforces it:
//! - **Structural**: the struct is `Unpin` exactly when all `#[pin]` fields are; nobody can
//!   write another `impl Unpin`, because the macro's own would overlap with it.
//! - **NoDrop**: the struct has no `Drop` of its own, which could move a pinned field out
//!   through `&mut self`; an `impl Drop` overlaps with a blanket impl and does not compile.
//!   What needs a destructor goes into a field with a type of its own.
//! - **Aligned**: a `packed` struct, whose fields are moved to be dropped, does not compile:
//!   `project` takes references to the fields.
//!
//! # Not here
//! Enums, tuple structs, const parameters, shared projection (`Pin<&Self>`). Many futures at
//! addresses of their own: [`slab`].

mod slab;

pub(crate) use slab::PinSlab;

/// Declares a struct with a safe `project` method; see the [module](self).
macro_rules! pinned {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident
        $(<
            $($lifetime:lifetime),* $(,)?
            $($param:ident $(: $(?$relaxed:ident)? $($bound:path)?)?),* $(,)?
        >)?
        $(where $($subject:ty : $clause:path),+ $(,)?)?
        { $($fields:tt)+ }
    ) => {
        $crate::pin::pinned! {
            @field
            [$(#[$attribute])* $vis struct $name]
            [$($($lifetime,)* $($param $(: $(?$relaxed)? $($bound)?)?,)*)?]
            [$($($lifetime,)* $($param,)*)?]
            [$($($subject: $clause,)+)?]
            declared [] pinned [] plain []
            rest [$($fields)+ ,]
        }
    };

    // One `#[pin]` field, moved from `rest` to `pinned`.
    (
        @field $head:tt $params:tt $names:tt $clauses:tt
        declared [$($declared:tt)*] pinned [$($pinned:tt)*] plain $plain:tt
        rest [
            $(#[doc = $doc:expr])* #[pin] $(#[doc = $more:expr])*
            $vis:vis $field:ident : $type:ty, $($rest:tt)*
        ]
    ) => {
        $crate::pin::pinned! {
            @field $head $params $names $clauses
            declared [$($declared)* $(#[doc = $doc])* $(#[doc = $more])* $vis $field: $type,]
            pinned [$($pinned)* $field: $type,] plain $plain
            rest [$($rest)*]
        }
    };

    // Any other field, moved to `plain`.
    (
        @field $head:tt $params:tt $names:tt $clauses:tt
        declared [$($declared:tt)*] pinned $pinned:tt plain [$($plain:tt)*]
        rest [$(#[doc = $doc:expr])* $vis:vis $field:ident : $type:ty, $($rest:tt)*]
    ) => {
        $crate::pin::pinned! {
            @field $head $params $names $clauses
            declared [$($declared)* $(#[doc = $doc])* $vis $field: $type,]
            pinned $pinned plain [$($plain)* $field: $type,]
            rest [$($rest)*]
        }
    };

    // All fields are sorted; the comma is the one added at the start.
    (
        @field
        [$(#[$attribute:meta])* $vis:vis struct $name:ident]
        [$($params:tt)*] [$($names:tt)*] [$($clauses:tt)*]
        declared [$($declared:tt)*]
        pinned [$($pinned:ident: $pinned_type:ty,)*]
        plain [$($plain:ident: $plain_type:ty,)*]
        rest [$(,)?]
    ) => {
        $(#[$attribute])*
        $vis struct $name<$($params)*> where $($clauses)* { $($declared)* }

        #[allow(unsafe_code, reason = "the projection; sound by the invariants of `pin`")]
        #[allow(dead_code, reason = "not every field is used through the projection")]
        const _: () = {
            /// The fields of a pinned struct, each pinned or free to move.
            struct Projection<'__pin, $($params)*> where $($clauses)* {
                $($pinned: ::core::pin::Pin<&'__pin mut $pinned_type>,)*
                $($plain: &'__pin mut $plain_type,)*
            }

            impl<$($params)*> $name<$($names)*> where $($clauses)* {
                #[inline(always)]
                fn project<'__pin>(
                    self: ::core::pin::Pin<&'__pin mut Self>,
                ) -> Projection<'__pin, $($names)*> {
                    // SAFETY: nothing is moved out of `this`: pinned fields are only handed
                    // on pinned, and the others promised nothing (Structural).
                    let this = unsafe { self.get_unchecked_mut() };
                    Projection {
                        $(
                            // SAFETY: the field is pinned with the struct: it is neither moved
                            // nor, by NoDrop and Aligned, invalidated before its own drop.
                            $pinned: unsafe { ::core::pin::Pin::new_unchecked(&mut this.$pinned) },
                        )*
                        $($plain: &mut this.$plain,)*
                    }
                }
            }

            // Structural. The lifetime keeps the bound from being judged here and now when no
            // field is generic.
            #[allow(private_bounds, reason = "a pinned field may have a private type")]
            impl<'__pin, $($params)*> ::core::marker::Unpin for $name<$($names)*>
            where
                (::core::marker::PhantomData<&'__pin ()>, $($pinned_type,)*): ::core::marker::Unpin,
                $($clauses)*
            {
            }

            // NoDrop.
            trait HasNoDrop {}
            #[allow(drop_bounds, reason = "a type with a `Drop` is what this must collide with")]
            impl<T: ::core::ops::Drop + ?Sized> HasNoDrop for T {}
            impl<$($params)*> HasNoDrop for $name<$($names)*> where $($clauses)* {}
        };
    };
}

pub(crate) use pinned;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{Future, Ready};
    use std::marker::PhantomPinned;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    pinned! {
        /// Polls both futures, counts the polls.
        struct Both<'a, A: Future, B>
        where
            B: Future<Output = A::Output>,
        {
            /// The first.
            #[pin]
            first: A,
            count: &'a RefCell<u32>,
            #[pin]
            /// The second.
            second: B,
        }
    }

    pinned! {
        struct Immovable { #[pin] marker: PhantomPinned, byte: u8 }
    }

    impl<A: Future, B: Future<Output = A::Output>> Future for Both<'_, A, B> {
        type Output = A::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
            let this = self.project();
            *this.count.borrow_mut() += 1;
            match this.first.poll(cx) {
                Poll::Pending => this.second.poll(cx),
                ready => ready,
            }
        }
    }

    /// Whether a type is `Unpin`: the inherent constant wins where its bound holds.
    trait Fallback {
        const IS_UNPIN: bool = false;
    }
    impl<T: ?Sized> Fallback for T {}
    struct Probe<T: ?Sized>(#[allow(dead_code, reason = "only a type to ask about")] T);
    impl<T: Unpin> Probe<T> {
        const IS_UNPIN: bool = true;
    }

    #[test]
    fn pinned_fields_are_polled_in_place_and_the_others_stay_mutable() {
        let count = RefCell::new(0);
        let mut both = pin!(Both {
            first: std::future::pending(),
            count: &count,
            second: async { 7 },
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(both.as_mut().poll(&mut cx), Poll::Ready(7));
        assert_eq!(*count.borrow(), 1);

        let mut immovable = pin!(Immovable {
            marker: PhantomPinned,
            byte: 1
        });
        *immovable.as_mut().project().byte += 1;
        assert_eq!(immovable.byte, 2);
    }

    #[test]
    fn a_struct_is_unpin_exactly_when_its_pinned_fields_are() {
        type Movable = Both<'static, Ready<u8>, Ready<u8>>;
        const { assert!(<Probe<Movable>>::IS_UNPIN) };
        const { assert!(!<Probe<Immovable>>::IS_UNPIN) };
    }
}
