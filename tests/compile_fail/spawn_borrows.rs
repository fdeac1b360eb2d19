//! A spawned task may outlive its spawner, so it may not borrow from it; the main future may.

fn main() {
    let words = vec![1, 2, 3];
    petla::run(async {
        let borrowed = words.len();
        let task = petla::spawn(async { words.len() });
        task.await.unwrap() + borrowed
    });
}
