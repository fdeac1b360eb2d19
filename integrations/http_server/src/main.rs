//! hyper's HTTP/1 and HTTP/2 server on petla.

fn main() {}
