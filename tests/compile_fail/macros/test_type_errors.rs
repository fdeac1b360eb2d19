//! Seeds that are none, a parameter that is no clock, a body that gives something else.
//!
//! `#[petla::test]` writes `#[test]`, which compiles for tests alone: here it is `cfg`'s name.

#[petla::test(seed = "17")]
async fn text() {}

fn main() {}
