//! The handle of a task stays on the thread of its loop.

fn main() {
    petla::run(async {
        let task = petla::spawn(async { 1 });
        std::thread::spawn(move || task.cancel("from afar"));
    });
}
