//! Many loops: the threads of `Workers`, and what passes between loops that live side by side.

mod common;

#[path = "many_loops/sockets.rs"]
mod sockets;
#[path = "many_loops/workers.rs"]
mod workers;
