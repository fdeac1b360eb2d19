//! Several futures at once: `gather`, `try_gather`, `as_completed`, `wait`, `Task::wait_for`, and
//! the macros.
//!
//! asyncio had bugs here, and its own tests name behaviours; each that has a meaning in Rust is a
//! test whose first comment names it (B: a bug, W: a behaviour).
//!
//! | asyncio | here |
//! | --- | --- |
//! | B25, B26, B27, B28 | `wait_for.rs` |
//! | B49, B50, B51, B52 | `gather.rs` |
//! | B53 | none: a gather is no object whose state can lie; its task says that it was cancelled |
//! | B54 | `wait.rs` |
//! | B55 | `many.rs` |
//! | B56 | `ends.rs`: the types let no bad member in; an iterator may panic half-way |
//! | B57 | `elsewhere.rs` |
//! | B58 | `scope/shields.rs` |
//! | B59 | `wait.rs`: there are no edges but the wakers, which are gone |
//! | W1 | `gather.rs`; the same future twice does not compile: it would have to be given twice |
//! | W2 to W6 | `gather.rs` |
//! | W7 | `gather.rs`, with borrowed handles in the place of shields |
//! | W8 | `ends.rs` |
//! | W9 to W13 | `wait.rs`; duplicates cannot be in a `Vec` of handles |
//! | W14 | `ends.rs` |
//! | W14 | `as_completed.rs`; two tasks cannot await it at once, nor out of order: it is borrowed |
//! | W15 | `wait_for.rs` |
//! | W16 | `scope/shields.rs` |

mod common;

#[path = "combinators/as_completed.rs"]
mod as_completed;
#[path = "combinators/elsewhere.rs"]
mod elsewhere;
#[path = "combinators/ends.rs"]
mod ends;
#[path = "combinators/gather.rs"]
mod gather;
#[path = "combinators/many.rs"]
mod many;
#[path = "combinators/select.rs"]
mod select;
#[path = "combinators/switch.rs"]
mod switch;
#[path = "combinators/tuple.rs"]
mod tuple;
#[path = "combinators/wait.rs"]
mod wait;
#[path = "combinators/wait_for.rs"]
mod wait_for;

#[test]
fn every_number_of_the_list_has_a_test_or_a_reason() {
    let numbers = [('B', 25..=28), ('B', 49..=59), ('W', 1..=16)];
    common::numbers::are_accounted_for("combinators", &numbers);
}
