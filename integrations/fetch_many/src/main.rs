//! A hundred slow pages one after the other and at once.

fn main() {}
