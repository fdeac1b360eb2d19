//! A child whose error is not the group's is refused with advice.

use petla::TaskGroup;

fn main() {
    petla::run(async {
        TaskGroup::<std::io::Error>::run(async |g| {
            g.spawn(async { "five".parse::<u32>() });
        })
        .await
    })
    .unwrap();
}
