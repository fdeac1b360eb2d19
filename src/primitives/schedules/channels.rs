//! Channels: what was put is received, and the last end of a side closes it.

use super::{explore, join, perhaps, spawn_all};
use crate::primitives::{PutError, channel};
use crate::wait_list::Shared;

#[test]
fn a_channel_gives_all_that_was_put_and_ends_with_its_last_sender() {
    explore(|| {
        let (sender, receiver) = channel::<_, Shared>(2);
        let senders = spawn_all(5, |number| {
            let sender = sender.clone();
            async move {
                let mut put = 0;
                for item in 0..3 {
                    if perhaps(sender.put((number, item))).await == Some(Ok(())) {
                        put += 1;
                    }
                }
                put
            }
        });
        let receivers = spawn_all(2, |_| {
            let receiver = receiver.clone();
            async move {
                let mut taken = 0;
                loop {
                    match perhaps(receiver.get()).await {
                        Some(Ok(_)) => taken += 1,
                        Some(Err(_)) => return taken,
                        None => {}
                    }
                }
            }
        });
        drop((sender, receiver));
        let put: usize = join(senders).iter().sum();
        assert_eq!(join(receivers).iter().sum::<usize>(), put);
    });
}

#[test]
fn whoever_puts_is_refused_when_the_last_receiver_is_gone() {
    explore(|| {
        let (sender, receiver) = channel::<_, Shared>(2);
        let senders = spawn_all(5, |number| {
            let sender = sender.clone();
            async move {
                loop {
                    match perhaps(sender.put(number)).await {
                        Some(Err(PutError::ShutDown(item))) => return assert_eq!(item, number),
                        Some(Err(error)) => panic!("a put that waits never fails so: {error}"),
                        Some(Ok(())) | None => {}
                    }
                }
            }
        });
        let receivers = spawn_all(2, |_| {
            let receiver = receiver.clone();
            async move {
                for _ in 0..3 {
                    perhaps(receiver.get()).await;
                }
            }
        });
        drop((sender, receiver));
        join(senders);
        join(receivers);
    });
}
