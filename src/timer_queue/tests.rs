//! Each promise by name, then all of them against a `BTreeMap` in random order.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

impl<T> TimerQueue<T> {
    /// Placed, Not after and Bound, checked the slow way.
    fn assert_sound(&self) {
        let (mut before, mut index, mut listed) = (NONE, self.oldest_new, 0);
        while index != NONE {
            let entry = &self.entries[index as usize];
            let Place::New { older, newer } = entry.place else {
                panic!("listed, but filed")
            };
            assert_eq!(older, before);
            assert!(entry.deadline >= self.new_bound);
            (before, index, listed) = (index, newer, listed + 1);
        }
        assert_eq!(self.newest_new, before);
        assert!(
            listed > 0 || self.new_bound == u64::MAX,
            "looks would file nothing"
        );
        assert_eq!(self.heap.len() + listed, self.entries.len());
        for (at, item) in self.heap.iter().enumerate() {
            let entry = &self.entries[item.index as usize];
            assert!(matches!(entry.place, Place::Heap { position } if position as usize == at));
            assert_eq!(entry.sequence, item.sequence);
            assert!(item.deadline <= entry.deadline);
            assert!(at == 0 || self.heap[parent(at)].key() < item.key());
        }
    }

    fn pop_all(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.pop_due(u64::MAX)).collect()
    }
}

#[test]
fn timers_fire_by_deadline_and_ties_by_creation() {
    let mut queue = TimerQueue::new();
    for (deadline, name) in [
        (5, "c"),
        (3, "a"),
        (5, "d"),
        (3, "b"),
        (0, "first"),
        (5, "e"),
    ] {
        queue.insert(deadline, name);
    }
    assert_eq!(queue.pop_all(), ["first", "a", "b", "c", "d", "e"]);
}

#[test]
fn a_timer_fires_at_its_deadline_and_not_a_nanosecond_earlier() {
    for looked_at in [false, true] {
        let mut queue = TimerQueue::new();
        queue.insert(1_000, ());
        if looked_at {
            assert_eq!(queue.next_deadline(), Some(1_000));
        }
        assert_eq!(queue.pop_due(999), None);
        assert_eq!(queue.pop_due(1_000), Some(()));
        assert!(queue.is_empty());
        assert_eq!(queue.next_deadline(), None);
    }
}

#[test]
fn new_timers_reach_the_heap_only_when_one_may_be_due_or_the_loop_is_to_sleep() {
    let mut queue = TimerQueue::new();
    queue.insert(10, ());
    queue.insert(20, ());
    assert_eq!((queue.pop_due(9), queue.heap.len()), (None, 0));
    assert_eq!((queue.next_deadline(), queue.heap.len()), (Some(10), 2));
}

#[test]
fn cancelled_timers_leave_nothing_behind() {
    let mut queue = TimerQueue::new();
    let mut keys: Vec<TimerKey> = (0..100).map(|i| queue.insert(i * 37 % 100, i)).collect();
    queue.next_deadline();
    keys.extend((100..200).map(|i| queue.insert(i, i)));
    for (i, key) in keys.iter().enumerate() {
        assert_eq!(queue.cancel(*key), Some(i as u64));
        assert_eq!(queue.cancel(*key), None);
        queue.assert_sound();
    }
    assert!(queue.is_empty() && queue.heap.is_empty());
    assert_eq!(queue.new_bound, u64::MAX);
}

#[test]
fn an_old_key_does_not_touch_the_timer_that_has_its_slot_now() {
    let mut queue = TimerQueue::new();
    let old = queue.insert(1, "old");
    assert_eq!(queue.pop_due(1), Some("old"));
    let new = queue.insert(2, "new");
    assert_eq!(old.index, new.index, "the slot is used again");
    assert_eq!(queue.payload(old), None);
    assert_eq!(queue.cancel(old), None);
    assert!(!queue.reset(old, 99));
    assert_eq!(queue.payload(new), Some(&mut "new"));
    assert_eq!(queue.next_deadline(), Some(2));
}

#[test]
fn a_payload_can_be_exchanged_in_place() {
    let mut queue = TimerQueue::new();
    let key = queue.insert(1, "before");
    *queue.payload(key).unwrap() = "after";
    assert_eq!(queue.pop_due(1), Some("after"));
}

#[test]
fn a_timer_moved_later_stays_where_it_is_filed_until_it_surfaces() {
    let mut queue = TimerQueue::new();
    let key = queue.insert(10, "moved");
    queue.insert(20, "other");
    queue.next_deadline();
    assert!(queue.reset(key, 30));
    assert_eq!(queue.heap[0].deadline, 10, "a store, no move");
    assert_eq!(queue.pop_due(19), None);
    assert_eq!(queue.next_deadline(), Some(20));
    assert_eq!(queue.pop_all(), ["other", "moved"]);
}

#[test]
fn a_timer_moved_earlier_overtakes() {
    let mut queue = TimerQueue::new();
    queue.insert(20, "other");
    let filed = queue.insert(30, "filed");
    queue.next_deadline();
    let listed = queue.insert(40, "listed");
    assert!(queue.reset(filed, 10) && queue.reset(listed, 5));
    assert_eq!(queue.pop_due(4), None);
    assert_eq!(queue.pop_due(5), Some("listed"));
    assert_eq!(queue.pop_due(10), Some("filed"));
}

#[test]
fn the_ends_of_the_clock_are_deadlines_like_others() {
    let mut queue = TimerQueue::new();
    queue.insert(u64::MAX, "never");
    queue.insert(0, "at once");
    assert_eq!(queue.pop_due(0), Some("at once"));
    assert_eq!(queue.pop_due(u64::MAX - 1), None);
    assert_eq!(queue.dense_until(u64::MAX), None);
    assert_eq!(queue.next_deadline(), Some(u64::MAX));
}

#[test]
fn a_crowd_is_dense_only_if_enough_of_it_is_really_due() {
    let mut queue = TimerQueue::new();
    let keys: Vec<TimerKey> = (0..DENSE as u64)
        .map(|i| queue.insert(1_000 + i, ()))
        .collect();
    assert_eq!(queue.next_deadline(), Some(1_000));
    assert_eq!(
        queue.dense_until(DENSE as u64 - 1),
        Some(1_000 + DENSE as u64 - 1)
    );
    assert_eq!(queue.dense_until(DENSE as u64 - 2), None);
    queue.reset(keys[DENSE - 1], 9_000);
    assert_eq!(queue.dense_until(100), None);
}

#[test]
fn timers_moved_later_do_not_hide_a_crowd_of_ordinary_size() {
    let mut queue = TimerQueue::new();
    let keys: Vec<TimerKey> = (0..20).map(|i| queue.insert(i, ())).collect();
    assert_eq!(queue.next_deadline(), Some(0));
    for key in &keys[1..13] {
        queue.reset(*key, 9_000);
    }
    assert_eq!(queue.dense_until(100), Some(100));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Cancel(usize),
    Reset(usize, u64),
    Pop(u64),
    Next,
}

fn deadlines() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..24, 2 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => deadlines().prop_map(Step::Insert),
        2 => any::<usize>().prop_map(Step::Cancel),
        3 => (any::<usize>(), deadlines()).prop_map(|(i, to)| Step::Reset(i, to)),
        3 => deadlines().prop_map(Step::Pop),
        2 => Just(Step::Next),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn the_queue_does_what_a_sorted_map_does(steps in steps()) {
        let mut queue = TimerQueue::new();
        let mut model = BTreeMap::new(); // (deadline, number) in order
        let mut timers: Vec<(TimerKey, u64)> = Vec::new(); // by number, the dead ones too
        for step in steps {
            match step {
                Step::Insert(deadline) => {
                    let number = timers.len();
                    timers.push((queue.insert(deadline, number), deadline));
                    model.insert((deadline, number), ());
                }
                Step::Cancel(any) if !timers.is_empty() => {
                    let number = any % timers.len();
                    let (key, deadline) = timers[number];
                    let alive = model.remove(&(deadline, number)).is_some();
                    prop_assert_eq!(queue.cancel(key), alive.then_some(number));
                }
                Step::Reset(any, to) if !timers.is_empty() => {
                    let number = any % timers.len();
                    let (key, deadline) = timers[number];
                    let alive = model.remove(&(deadline, number)).is_some();
                    if alive {
                        model.insert((to, number), ());
                        timers[number].1 = to;
                    }
                    prop_assert_eq!(queue.reset(key, to), alive);
                }
                Step::Pop(now) => {
                    let due = model.first_key_value().map(|(&first, ())| first);
                    let due = due.filter(|&(deadline, _)| deadline <= now);
                    due.and_then(|first| model.remove(&first));
                    prop_assert_eq!(queue.pop_due(now), due.map(|(_, number)| number));
                }
                Step::Next => {
                    let first = model.keys().next().map(|&(deadline, _)| deadline);
                    prop_assert_eq!(queue.next_deadline(), first);
                }
                Step::Cancel(_) | Step::Reset(..) => {}
            }
            queue.assert_sound();
            prop_assert_eq!(queue.len(), model.len());
        }
        let order: Vec<usize> = model.keys().map(|&(_, number)| number).collect();
        prop_assert_eq!(queue.pop_all(), order);
    }

    #[test]
    fn without_resets_density_is_exact(
        deadlines in prop::collection::vec(0_u64..200, 1..60),
        window in 0_u64..100,
    ) {
        let mut queue = TimerQueue::new();
        for &deadline in &deadlines {
            queue.insert(deadline, ());
        }
        let until = queue.next_deadline().unwrap() + window;
        let crowd = deadlines.iter().filter(|&&deadline| deadline <= until).count();
        prop_assert_eq!(queue.dense_until(window), (crowd >= DENSE).then_some(until));
    }
}
