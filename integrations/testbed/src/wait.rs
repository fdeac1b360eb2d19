//! Waiting with an end, and ports to listen on.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where ports are looked for: below those that Linux gives to outgoing connections (32768 to
/// 60999), one of which could else take the place of a server that restarts.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;
const _: () = assert!(FIRST + COUNT < 32_768);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `condition` holds, and panics with `what` if it does not within `limit`.
///
/// ```
/// # use std::time::Duration;
/// let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// petla_testbed::wait_for("a port", Duration::from_secs(1), || {
///     socket.local_addr().is_ok()
/// });
/// ```
#[track_caller]
pub fn wait_for(what: &str, limit: Duration, condition: impl FnMut() -> bool) {
    assert!(
        holds_within(limit, condition),
        "not within {limit:?}: {what}"
    );
}

/// Does `condition` hold at some time within `limit`?
pub(crate) fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if begin.elapsed() >= limit {
            return false;
        }
        sleep(PAUSE);
    }
}

/// A loopback port where nobody listens, and that this process was not given before.
///
/// Another process may be faster than whoever listens there next: each picks at random among
/// thousands, so that this is rare.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let given = given.get_or_insert_default();
    let start = RandomState::new().hash_one(0_u8) % u64::from(COUNT);
    for offset in 0..COUNT {
        let port = FIRST + (start as u16 + offset) % COUNT;
        let is_free = || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if !given.contains(&port) && is_free() {
            given.insert(port);
            return port;
        }
    }
    panic!("no port is free between {FIRST} and {}", FIRST + COUNT);
}
