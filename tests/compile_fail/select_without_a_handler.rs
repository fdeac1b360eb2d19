//! An arm of `select!` has a handler.

fn main() {
    petla::run(async {
        petla::select! { () = petla::yield_now() }
    });
}
