//! Detaching a task whose value would be lost is refused with advice.

fn main() {
    petla::run(async {
        petla::spawn(async { 42 }).detach();
    });
}
