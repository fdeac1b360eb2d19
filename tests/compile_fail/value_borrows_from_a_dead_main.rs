//! The value of a run may borrow from the caller, not from inside the run.

fn main() {
    let text: &str = petla::run(async {
        let inside = String::from("inside");
        inside.as_str()
    });
    println!("{text}");
}
