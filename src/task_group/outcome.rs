//! [`Outcome`]: what a child or a body may end with.

use crate::task::Never;

/// What a child or the body of a group may end with: `()`, `!`, or a `Result` of the group's
/// error type. Sealed.
#[diagnostic::on_unimplemented(
    message = "a child of a `TaskGroup<{E}>` must end with `()` or `Result<_, {E}>`, not `{Self}`",
    note = "wrap it: `g.spawn(async {{ Ok(work().await?) }})` converts the error"
)]
pub trait Outcome<E>: sealed::Sealed<E> {
    /// What the handle gives.
    type Value;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value, E>;
}

impl<E> Outcome<E> for () {
    type Value = ();

    fn into_result(self) -> Result<(), E> {
        Ok(())
    }
}

/// A child that loops for ever: `async { loop { .. } }`.
impl<E> Outcome<E> for Never {
    type Value = ();

    fn into_result(self) -> Result<(), E> {
        self
    }
}

impl<T, E> Outcome<E> for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, E> {
        self
    }
}

mod sealed {
    pub trait Sealed<E> {}
    impl<E> Sealed<E> for () {}
    impl<E> Sealed<E> for super::Never {}
    impl<T, E> Sealed<E> for Result<T, E> {}
}
