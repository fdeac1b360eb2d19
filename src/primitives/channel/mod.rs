//! Channels: a queue that is shut down when its last sender, or its last receiver, is dropped.
//!
//! With a bare queue somebody has to know when all producers are done, and call `shutdown`; and
//! producers whose consumers all failed wait for ever. Here the ends themselves are counted. The
//! last sender's drop lets the receivers take what is left and then fail; the last receiver's
//! drops what is left, and every put fails from then on, those that wait included.
//!
//! Any number of senders and receivers may be cloned. Receivers share the items: each goes to
//! one of them.
//!
//! # Invariants
//! - **Counted**: `ends` says how many [`End`]s of each side there are. One is added by somebody
//!   who has one of that side, so that a count that came to 0 stays there.
//! - **Reachable**: while a future that was made by [`Receiver::get`] is alive, the receiver's own
//!   `place` is idle. Nobody could poll it then, and an item granted to it would be stuck.
//!
//! # Cost
//! That of the queue, and a lock for each end that is cloned or dropped. A stream's first wait
//! allocates its place in the line, which it keeps.
//!
//! # Not here
//! What waits, and for what: `queue`. Places that outlive a borrow: `queue::OwnedGet`.

#[cfg(all(test, petla_loom))]
mod models;
mod receiver;
mod sender;
#[cfg(all(test, not(petla_loom)))]
mod tests;

pub use receiver::{Receiver, ReceiverNext};
pub use sender::Sender;

use super::{Fifo, Mode, Queue};
use crate::wait_list::Guarded;

/// Makes the two first ends.
#[track_caller]
pub(crate) fn channel<T, M: Mode>(capacity: usize) -> (Sender<T, M>, Receiver<T, M>) {
    assert!(
        capacity > 0,
        "a channel with capacity 0 could never hold an item: use 1 or more, \
         or `usize::MAX` for any number"
    );
    let channel = M::share(Channel {
        queue: Queue::bounded(capacity),
        ends: M::Guarded::new([1, 1]),
    });
    let receives = End {
        channel: channel.clone(),
    };
    (Sender::new(End { channel }), Receiver::new(receives))
}

/// What all ends share.
struct Channel<T, M: Mode> {
    queue: Queue<T, Fifo, M>,
    /// How many there are of each side.
    ends: M::Guarded<[usize; 2]>,
}

const SENDS: usize = 0;
const RECEIVES: usize = 1;

/// One of the ends that keep the channel open, on one of its sides.
struct End<T, M: Mode, const SIDE: usize> {
    channel: M::Ref<Channel<T, M>>,
}

impl<T, M: Mode, const SIDE: usize> End<T, M, SIDE> {
    #[inline(always)]
    fn queue(&self) -> &Queue<T, Fifo, M> {
        &self.channel.queue
    }
}

impl<T, M: Mode, const SIDE: usize> Clone for End<T, M, SIDE> {
    fn clone(&self) -> Self {
        self.channel.ends.with(|ends| ends[SIDE] += 1);
        End {
            channel: self.channel.clone(),
        }
    }
}

impl<T, M: Mode, const SIDE: usize> Drop for End<T, M, SIDE> {
    fn drop(&mut self) {
        let is_last = self.channel.ends.with(|ends| {
            ends[SIDE] -= 1;
            ends[SIDE] == 0
        });
        if is_last {
            let nobody_gets = SIDE == RECEIVES;
            self.channel.queue.shutdown(nobody_gets);
        }
    }
}
