//! What was moved into the body of a group goes with it, so a child may not borrow it.

use petla::TaskGroup;

fn main() {
    let words = vec![1, 2, 3];
    petla::run(async {
        TaskGroup::<std::io::Error>::run(async move |g| {
            g.spawn(async { drop(words.len()) });
        })
        .await
    })
    .unwrap();
}
