//! The future of a group drops its children: they may not borrow what is gone by then.

use petla::TaskGroup;

fn main() {
    petla::run(async {
        let group;
        let words = vec![1, 2, 3];
        group = TaskGroup::<std::io::Error>::run(async |g| {
            g.spawn(async { drop(words.len()) });
        });
        let mut group = std::pin::pin!(group);
        drop(words);
        group.as_mut().await.unwrap();
    });
}
