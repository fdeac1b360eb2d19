//! `#[petla::main]` and `#[petla::test]`.
