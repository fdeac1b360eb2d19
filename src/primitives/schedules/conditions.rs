//! Conditions: a bounded buffer, of which some consumers walk away.

use std::sync::Arc;

use super::{Condition, Lock, explore, join, perhaps, spawn_all};

const CAPACITY: usize = 2;
const EACH: usize = 4;
const ALL: usize = 3 * EACH;

#[derive(Default)]
struct Buffer {
    items: Vec<usize>,
    taken: usize,
}

#[derive(Default)]
struct Shop {
    buffer: Lock<Buffer>,
    has_place: Condition,
    has_item: Condition,
}

impl Shop {
    async fn put(&self, item: usize) {
        let guard = self.buffer.lock().await;
        let has_place = |buffer: &mut Buffer| buffer.items.len() < CAPACITY;
        let mut guard = self.has_place.wait_for(guard, has_place).await;
        guard.items.push(item);
        self.has_item.notify(&guard, 1);
    }

    /// The next item; `None` after the last one, of which each consumer learns.
    async fn take(&self) -> Option<usize> {
        let guard = self.buffer.lock().await;
        let has_news = |buffer: &mut Buffer| !buffer.items.is_empty() || buffer.taken == ALL;
        let mut guard = self.has_item.wait_for(guard, has_news).await;
        let item = guard.items.pop()?;
        guard.taken += 1;
        self.has_place.notify(&guard, 1);
        if guard.taken == ALL {
            self.has_item.notify_all(&guard);
        }
        Some(item)
    }
}

#[test]
fn each_item_of_a_buffer_is_taken_though_consumers_walk_away() {
    explore(|| {
        let shop = Arc::new(Shop::default());
        let producers = spawn_all(3, |number| {
            let shop = shop.clone();
            async move {
                for item in 0..EACH {
                    shop.put(number * EACH + item).await;
                }
            }
        });
        // Two walk away at their first cancellation: nobody else makes up for a notification
        // that is lost with them.
        let consumers = spawn_all(4, |number| {
            let shop = shop.clone();
            async move {
                let mut taken = Vec::new();
                loop {
                    let item = match number {
                        0 | 1 => Some(shop.take().await),
                        _ => perhaps(shop.take()).await,
                    };
                    match item.flatten() {
                        Some(item) => taken.push(item),
                        None => return taken,
                    }
                }
            }
        });
        join(producers);
        let mut taken = join(consumers).concat();
        taken.sort_unstable();
        assert_eq!(taken, Vec::from_iter(0..ALL));
        assert_eq!(shop.has_item.statistics().waiting, 0);
    });
}
