//! Arguments that are unknown, doubled, without a value, or clash.

#[petla::test(paused)]
async fn unknown() {}

#[petla::test("virtual")]
async fn no_name() {}

#[petla::test(seed = 1, seed = 2)]
async fn doubled() {}

#[petla::test(seed)]
async fn no_value() {}

#[petla::test(seed = )]
async fn empty_value() {}

#[petla::test(seed(17))]
async fn in_parentheses() {}

#[petla::test(clock = virtual)]
async fn no_quotes() {}

#[petla::test(clock = "fast")]
async fn no_such_clock() {}

#[petla::test(seed = 1, seeds = 0..2)]
async fn seed_and_seeds() {}

#[petla::test(clock = "manual", seeds = 0..2)]
async fn manual_seeds() {}

#[petla::test(crate = 5)]
async fn no_path() {}

#[petla::test(, seed = 1)]
async fn leading_comma() {}

#[petla::test(seed = "17")]
async fn text() {}

#[petla::test(seed = 1.5)]
async fn broken() {}

fn main() {}
