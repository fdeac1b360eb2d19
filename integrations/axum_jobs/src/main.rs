//! A job service on axum: 202 Accepted, statuses, decisions, with PostgreSQL and Redis.

fn main() {}
