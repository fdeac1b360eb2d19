//! New reasons may be added to `RunError`: a match needs a last arm.

use petla::event_loop::RunError;

fn main() {
    let event_loop = petla::EventLoop::new().unwrap();
    match event_loop.run_forever().unwrap_err() {
        RunError::Stopped => {}
        RunError::Interrupted => {}
        RunError::Terminated => {}
        RunError::Closed => {}
        RunError::Nested => {}
        RunError::Running => {}
        RunError::Cancelled => {}
        RunError::Forked => {}
    }
}
