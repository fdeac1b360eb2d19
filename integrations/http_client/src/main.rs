//! hyper's HTTP/1 and HTTP/2 client on petla.

fn main() {}
