//! The body of a group ends before its children do, so they may not borrow from it.

use petla::TaskGroup;

fn main() {
    petla::run(async {
        TaskGroup::<std::io::Error>::run(async |g| {
            let words = vec![1, 2, 3];
            g.spawn(async { drop(words.len()) });
        })
        .await
    })
    .unwrap();
}
