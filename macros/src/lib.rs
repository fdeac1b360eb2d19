//! `#[petla::main]` and `#[petla::test]`, which `petla` hands on.
//!
//! The function stays what its author wrote, to the last token, and moves into a plain one of the
//! same name, attributes and return type, which runs it:
//!
//! ```text
//! /// Docs.                                /// Docs.
//! #[petla::main]                           fn main() -> Result<(), Error> {
//! async fn main() -> Result<(), Error> {       async fn main() -> Result<(), Error> { .. }
//!     ..                            ──►        ::petla::__private::run_main(.., main())
//! }                                        }
//! ```
//!
//! So the compiler's words about types, borrows and returns are those about any `async fn`, and
//! point to where they belong. An `async` block would make them words about a call.
//!
//! `function` takes the item apart, `arguments` the attribute, `write` puts tokens together.
//!
//! # Not here
//! What runs the futures: `petla::__private`. Parsers of Rust (syn, quote): the item is known by
//! its brackets and a few words, the rest is passed on.
#![forbid(unsafe_code)]

mod arguments;
mod function;
mod write;

use arguments::Arguments;
use function::Function;
use proc_macro::{Span, TokenStream};
use write::{Part, write};

/// What is wrong, and where.
struct Wrong(Span, String);

type Outcome<T> = Result<T, Wrong>;

/// Runs `async fn main` on a loop, and lets Ctrl-C end it in order.
///
/// The body runs as by `petla::run`, and may return what any `main` may: `()`, a `Result`, an
/// [`ExitCode`](std::process::ExitCode). What differs is SIGINT, which is cared for as
/// `Builder::sigint` says, since a `main` owns its process: the first one cancels the body and
/// waits for the clean-ups of all scopes, a second one ends it at once; then the process ends by
/// that signal, as a shell expects. To have no handler, call `petla::run` in a plain `main`; for
/// other settings of the loop, build an `EventLoop`.
///
/// # Arguments
/// - `sigterm`: the same for SIGTERM, by which service managers end a program.
/// - `crate = "name"`: the path of this crate, if it is not `::petla`.
///
/// # Panics
/// As `petla::run`, and if somebody stops the loop.
///
/// # Errors
/// It does not compile on what is not a plain `async fn main()`, or with other arguments.
///
/// # asyncio
/// `asyncio.run(main())` under `if __name__ == "__main__"`.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// #[petla::main]
/// async fn main() -> Result<(), petla::JoinError> {
///     let answer = petla::spawn(async {
///         petla::sleep(Duration::from_millis(1)).await;
///         42
///     });
///     assert_eq!(answer.await?, 42);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let (outcome, main) = (
        main_function(attribute, item.clone()),
        function::is_main(&item),
    );
    outcome.unwrap_or_else(|wrong| {
        // An empty `main`, so that nothing is said about a missing or an async one.
        let rest = if main {
            write("fn main() {}", Span::call_site(), &[])
        } else {
            item
        };
        [wrong.compile_error(), rest].into_iter().collect()
    })
}

fn main_function(attribute: TokenStream, item: TokenStream) -> Outcome<TokenStream> {
    let arguments = Arguments::parse(attribute, "main", &["sigterm", "crate"])?;
    let function = Function::parse(item, "main")?;
    if !function::is_name(&function.name, "main") {
        let text = "`#[petla::main]` is for `main`: elsewhere, give the future to `petla::run`";
        return Err(Wrong(function.name.span(), text.to_owned()));
    }
    function.refuse_parameters("`main` has no parameters: they are in `std::env::args`")?;
    let sigterm = if arguments.flag("sigterm")? {
        "true"
    } else {
        "false"
    };
    let call = format!("PETLA::__private::run_main({sigterm}, NAME())");
    Ok(function.run_by("", &call, &arguments.path()?, &[]))
}

/// Makes a test of an `async fn`: on a loop of its own, by a virtual clock and a seed if asked to.
///
/// Without arguments the test runs as by `petla::run`: sockets and threads work, time passes. It
/// returns what any test may, and other attributes (`#[should_panic]`, `#[ignore]`) work as ever.
///
/// # Arguments
/// - `clock = "virtual"`: as by `testing::run`. The clock jumps to the next deadline when nothing
///   else is left to do, and a test all of whose tasks are blocked for good fails.
/// - `clock = "manual"`: time stands still until the test turns it, so the test takes the clock.
/// - `seed = 17`: the tasks that are ready together run in the order that this `u64` decides,
///   whatever `PETLA_SEED` says. As an order is repeated only where time is, this brings the
///   virtual clock, unless the manual one was asked for.
/// - `seeds = 0..100`: the test runs once with each, as by `testing::Explorer`, on the virtual
///   clock. The first that fails is named, and `PETLA_SEED` replays it.
/// - `crate = "name"`: the path of this crate, if it is not `::petla`.
///
/// Seeds may be any expressions of type `u64` and `Range<u64>`. A test on a virtual or manual
/// clock may have one parameter, a `VirtualClock`: the clock of its loop.
///
/// # Panics
/// The test fails by any panic of its body, as those of `petla::run` and `testing::run` do; with
/// `seeds`, also if the range is empty.
///
/// # Errors
/// It does not compile on what is not a plain `async fn`, or with other arguments.
///
/// # asyncio
/// `IsolatedAsyncioTestCase`, whose methods wait for time to pass.
///
/// # Examples
/// ```
/// use petla::testing::VirtualClock;
/// use std::time::Duration;
///
/// #[petla::test(clock = "virtual")]
/// async fn an_hour_passes_at_once(clock: VirtualClock) {
///     petla::sleep(Duration::from_secs(3600)).await;
///     assert_eq!(clock.elapsed(), Duration::from_secs(3600));
/// }
///
/// #[petla::test(seeds = 0..100)]
/// async fn every_order_gives_the_sum() -> Result<(), petla::JoinError> {
///     let (a, b) = (petla::spawn(async { 1 }), petla::spawn(async { 2 }));
///     assert_eq!(a.await? + b.await?, 3);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let outcome = test_function(attribute, item.clone());
    outcome.unwrap_or_else(|wrong| [wrong.compile_error(), item].into_iter().collect())
}

fn test_function(attribute: TokenStream, item: TokenStream) -> Outcome<TokenStream> {
    let arguments = Arguments::parse(attribute, "test", &["clock", "seed", "seeds", "crate"])?;
    let function = Function::parse(item, "test")?;
    let clock = arguments.word("clock", &["virtual", "manual"])?;
    let (seed, seeds) = (
        arguments.number("seed")?,
        arguments.value("seeds", "0..100")?,
    );
    let path = arguments.path()?;
    let attribute = "#[::core::prelude::v1::test]";
    if let Some((span, seeds)) = seeds {
        let clash = match clock.as_deref() {
            _ if seed.is_some() => Some("`seeds` tries many: leave `seed` out"),
            Some("manual") => Some("`seeds` runs on the virtual clock, not on a manual one"),
            _ => None,
        };
        if let Some(text) = clash {
            return Err(Wrong(span, text.to_owned()));
        }
        function.refuse_parameters("with `seeds` each run has a clock of its own: no parameter")?;
        let call = "let petla_seeds: TYPE = SEEDS; \
                    PETLA::__private::run_seeds(petla_seeds, async || NAME().await)";
        let kind = write("::core::ops::Range<u64>", span, &[]); // underlined if it does not fit
        let function = function.without_return_type(); // the explorer's panic is the outcome
        return Ok(function.run_by(
            attribute,
            call,
            &path,
            &[Part("TYPE", &kind), Part("SEEDS", &seeds)],
        ));
    }
    if clock.is_none() && seed.is_none() {
        let text = "the parameter is the virtual clock: ask for it, with `clock = \"virtual\"`";
        function.refuse_parameters(text)?;
        return Ok(function.run_by(attribute, "PETLA::run(NAME())", &path, &[]));
    }
    let manual = clock.as_deref() == Some("manual");
    if manual && function.parameters.stream().is_empty() {
        let text = "who turns the manual clock? write `async fn name(clock: VirtualClock)`";
        return Err(Wrong(function.parameters.span(), text.to_owned()));
    }
    let kind = if manual { "manual" } else { "auto" };
    let given = if seed.is_some() {
        "Some(petla_seed)"
    } else {
        "None"
    };
    let (span, seed) = seed.unwrap_or((Span::mixed_site(), write("0", Span::mixed_site(), &[])));
    let argument = function.parameter_or_nothing("petla_clock.clone()")?;
    let call = format!(
        "let petla_seed: TYPE = SEED; let petla_clock = PETLA::testing::VirtualClock::{kind}(); \
         PETLA::__private::run_test(petla_clock.clone(), \
         ::core::option::Option::{given}, NAME(ARGUMENT))"
    );
    let parts = [
        Part("TYPE", &write("u64", span, &[])),
        Part("SEED", &seed),
        Part("ARGUMENT", &argument),
    ];
    Ok(function.run_by(attribute, &call, &path, &parts))
}
