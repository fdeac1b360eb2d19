//! A reference to a task stays on the thread of its loop.

fn main() {
    petla::run(async {
        let me = petla::current_task().unwrap();
        std::thread::spawn(move || me.cancel("from afar"));
    });
}
