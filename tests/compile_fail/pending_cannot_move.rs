//! A future that was polled where it stands cannot be moved out, unless it is `Unpin`.

fn main() {
    let set = petla::as_completed([1, 2].map(async |n| n));
    let _ = set.into_pending();
}
