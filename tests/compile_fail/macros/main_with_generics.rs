//! `main` has no generics.

#[petla::main]
async fn main<'a>() {}
