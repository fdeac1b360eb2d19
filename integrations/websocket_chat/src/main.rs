//! A chat over WebSockets, with its page.

fn main() {}
