//! The flag alone: what it orders without help from the bits or the mutex.
//!
//! Loom runs read-modify-writes in one order for all threads, so in a whole mailbox, where the
//! bits' own come right after the flag's, it cannot show a flag that orders too little. A plain
//! cell behind the flag shows it.
//!
//! # Bounds
//! All orders: 4.
//!
//! # Not here
//! The flag in its place: `models::wakes`, `models::posts`.

use super::*;
use crate::mailbox::flag::Flag;

#[test]
fn what_is_put_before_a_notification_is_seen_after_opening() {
    exhaust(|| {
        let shared = Arc::new((Flag::new(), Letter::new()));
        let sender = shared.clone();
        let sender = thread::spawn(move || {
            let (flag, letter) = &*sender;
            letter.write();
            flag.notify();
        });
        let (flag, letter) = &*shared;
        if flag.open() {
            assert!(letter.is_written());
        }
        join([sender]);
    });
}
