//! The handle of a group stays on the thread of its loop.

use petla::TaskGroup;

fn main() {
    petla::run(async {
        TaskGroup::<std::io::Error>::run(async |g| {
            let g = g.clone();
            std::thread::spawn(move || g.cancel("from afar"));
        })
        .await
    })
    .unwrap();
}
