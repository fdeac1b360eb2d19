//! What is no plain `async fn` with a body.

#[petla::test]
struct Case;

#[petla::test]
fn not_async() {}

#[petla::test]
async unsafe fn promises() {}

#[petla::test]
async fn generic<T>() {}

#[petla::test]
#[test]
async fn twice() {}

trait Cases {
    #[petla::test]
    async fn no_body();
}

#[petla::test]
async fn parameter(clock: petla::testing::VirtualClock) {}

#[petla::test(clock = "virtual")]
async fn parameters(clock: petla::testing::VirtualClock, seed: u64) {}

#[petla::test(clock = "manual")]
async fn nobody_turns_the_clock() {}

#[petla::test(seeds = 0..5)]
async fn seeds_and_a_clock(clock: petla::testing::VirtualClock) {}

fn main() {}
