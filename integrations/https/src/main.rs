//! HTTPS with a certificate of its own.

fn main() {}
