//! Cancel scopes.
mod common;
#[path = "scope/trouble.rs"]
mod trouble;
