//! `select!`: the first of several futures, then its handler.
//!
//! The macro works in two steps: it sorts the arms, one a recursion, which gives each a variable
//! of its own, and then writes them out. It holds no `unsafe` and knows no loop.
//!
//! # Not here
//! Random order, `else` arms, patterns that may not match: the arms are tried as written.
#![forbid(unsafe_code)]

/// Waits for the first of several futures, drops the others, then runs the handler of its arm.
///
/// Arms are written `pattern = future => handler,`; the comma may be left out after a block. The
/// patterns must always match. In each poll the arms are polled in the order written, so of two
/// that are ready the upper one wins, and an arm that is always ready keeps those below it from
/// running.
///
/// The handler runs in the enclosing function, when every future of the `select!` is gone: what
/// they borrowed is free again, and `?`, `break`, `continue`, `return` and `.await` work. All
/// handlers have one type, that of the whole.
///
/// A future given by value is dropped if it loses, which cancels it: a task that was awaited here
/// is cancelled with its handle. Give `&mut task`, or a future pinned before, to keep it.
///
/// # Cancel safety
/// That of each future, for those that lose: see the loser's own documentation.
///
/// # asyncio
/// None; `wait(tasks, return_when=FIRST_COMPLETED)` is [`wait`](crate::wait) here as well.
///
/// # Examples
/// ```
/// use petla::local::Queue;
/// use std::time::Duration;
///
/// petla::run(async {
///     let jobs = Queue::unbounded();
///     jobs.put_nowait(5).unwrap();
///     let mut end = std::pin::pin!(petla::sleep(Duration::from_millis(5)));
///     let mut sum = 0;
///     loop {
///         petla::select! {
///             job = jobs.get() => sum += job.unwrap(),
///             () = &mut end => break,
///         }
///     }
///     assert_eq!(sum, 5);
/// });
/// ```
#[macro_export]
macro_rules! select {
    // `@sort [arms so far] the rest`. Each level has names `future` and `value` of its own.
    (@sort [$($arms:tt)*] $pattern:pat = $future:expr => $handler:block $(,)? $($rest:tt)*) => {
        $crate::select!(
            @sort [$($arms)* { future value ($pattern) ($future) ($handler) }] $($rest)*
        )
    };
    (@sort [$($arms:tt)*] $pattern:pat = $future:expr => $handler:expr, $($rest:tt)*) => {
        $crate::select!(
            @sort [$($arms)* { future value ($pattern) ($future) ($handler) }] $($rest)*
        )
    };
    (@sort [$($arms:tt)*] $pattern:pat = $future:expr => $handler:expr) => {
        $crate::select!(@sort [$($arms)* { future value ($pattern) ($future) ($handler) }])
    };
    (@sort [
        $({ $future:ident $value:ident ($pattern:pat) ($expression:expr) ($handler:expr) })+
    ]) => {{
        $(let mut $value = ::core::option::Option::None;)+
        {
            $(let mut $future = ::core::pin::pin!(
                ::core::future::IntoFuture::into_future($expression)
            );)+
            ::core::future::poll_fn(|cx| {
                $(
                    let polled = ::core::future::Future::poll($future.as_mut(), cx);
                    if let ::core::task::Poll::Ready(output) = polled {
                        $value = ::core::option::Option::Some(output);
                        return ::core::task::Poll::Ready(());
                    }
                )+
                ::core::task::Poll::Pending
            })
            .await;
        }
        $(if let ::core::option::Option::Some(output) = $value {
            let $pattern = output;
            $handler
        } else)+ {
            ::core::unreachable!("one arm was ready")
        }
    }};
    (@sort $($wrong:tt)*) => {
        ::core::compile_error!("an arm of `select!` reads `pattern = future => handler,`")
    };
    () => {
        ::core::compile_error!("`select!` wants at least one arm: `pattern = future => handler,`")
    };
    ($($arms:tt)+) => { $crate::select!(@sort [] $($arms)+) };
}
