//! The attribute's arguments are few.

#[petla::main(threads = 4)]
async fn main() {}
