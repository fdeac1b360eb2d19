//! What is made once in a process, so that no scene can make it again and again: a loop's bell.

use super::alone;
use super::gauges::Held;
use crate::event_loop::EventLoop;
use crate::sys::faults::errnos::documented;
use crate::sys::faults::fail;

#[test]
fn a_loop_whose_bell_is_refused_is_an_error_and_takes_no_place() {
    let name = "refused::a_loop_whose_bell_is_refused_is_an_error_and_takes_no_place";
    let body = || {
        // Every place that was ever made is taken: the next loop needs a bell.
        let _living = [(); 3].map(|()| EventLoop::new().unwrap());
        let before = Held::descriptors();
        for &errno in documented("eventfd") {
            let _refused = fail("eventfd", 1, errno);
            let error = EventLoop::new().err().unwrap();
            assert_eq!(error.raw_os_error(), Some(errno.code));
        }
        assert_eq!(Held::descriptors(), before);
        let fourth = EventLoop::new().unwrap();
        assert_eq!(fourth.run_until_complete(async { 1 }), Ok(1));
    };
    alone(name, body);
}
