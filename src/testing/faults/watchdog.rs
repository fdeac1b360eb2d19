//! [`Watchdog`]: ends the process when what it does takes too long, and says what that was.

use std::process;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Longer than any scene takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(super) struct Watchdog(Arc<(Mutex<Watched>, Condvar)>);

struct Watched {
    what: String,
    turn: u64,
}

impl Watchdog {
    pub(super) fn new() -> Watchdog {
        let watched = Watched {
            what: String::from("the beginning"),
            turn: 0,
        };
        let watchdog = Watchdog(Arc::new((Mutex::new(watched), Condvar::new())));
        let theirs = watchdog.clone();
        thread::spawn(move || theirs.watch());
        watchdog
    }

    /// From now on this is under way.
    pub(super) fn begin(&self, what: &str) {
        let mut watched = self.0.0.lock().unwrap();
        watched.what.clear();
        watched.what.push_str(what);
        watched.turn += 1;
        drop(watched);
        self.0.1.notify_one();
    }

    fn watch(&self) {
        let mut watched = self.0.0.lock().unwrap();
        loop {
            let turn = watched.turn;
            let same = |watched: &mut Watched| watched.turn == turn;
            let (next, waited) = self.0.1.wait_timeout_while(watched, LIMIT, same).unwrap();
            watched = next;
            if waited.timed_out() {
                eprintln!("it hangs: {}", watched.what);
                process::exit(1);
            }
        }
    }
}
