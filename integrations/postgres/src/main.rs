//! asyncpg's first program on tokio-postgres over petla's sockets, with a small pool.

fn main() {}
