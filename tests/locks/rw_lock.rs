//! `RwLock`: readers together, writers alone, everybody in turn.

use std::rc::Rc;

use super::*;

in_both_modes! {
    fn readers_share_and_a_writer_is_alone() {
        let lock = RwLock::new(1);
        let (one, two) = (at_once(lock.read()), at_once(lock.read()));
        assert_eq!(*one + *two, 2);
        assert!(lock.try_write().is_none() && lock.try_read().is_some());
        let mut writer = waiting(lock.write());
        drop(one);
        writer.waits();
        drop(two);
        *writer.ready() += 1;
        let writer = at_once(lock.write());
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        assert_eq!(*writer, 2);
    }

    fn readers_that_keep_coming_do_not_keep_a_writer_out() {
        let lock = RwLock::new(());
        let reader = at_once(lock.read());
        let mut writer = waiting(lock.write());
        assert!(lock.try_read().is_none(), "a writer waits");
        let mut late = waiting(lock.read());
        drop(reader);
        late.waits();
        drop(writer.ready());
        drop(late.ready());
    }

    fn the_readers_behind_a_writer_are_let_in_together() {
        let lock = RwLock::new(());
        let first = at_once(lock.write());
        let mut readers: Vec<_> = (0..40).map(|_| waiting(lock.read())).collect();
        let mut last = waiting(lock.write());
        drop(first);
        let guards: Vec<_> = readers.iter_mut().map(Hand::ready).collect();
        assert_eq!(lock.statistics().holders, 40);
        last.waits();
        drop(guards);
        drop(last.ready());
    }

    fn a_writer_that_is_cancelled_lets_the_readers_behind_it_in() {
        let lock = RwLock::new(());
        let reader = at_once(lock.read());
        let writer = waiting(lock.write());
        let mut readers = [(); 2].map(|()| waiting(lock.read()));
        drop(writer);
        let guards = readers.each_mut().map(|wait| wait.ready());
        drop((reader, guards));
        assert!(lock.try_write().is_some());
    }

    fn a_right_granted_to_one_who_is_cancelled_goes_to_the_next() {
        for writer_first in [false, true] {
            let lock = RwLock::new(());
            let held = at_once(lock.write());
            if writer_first {
                let (gone, mut next) = (waiting(lock.write()), waiting(lock.read()));
                drop(held);
                drop(gone);
                drop(next.ready());
            } else {
                let (gone, mut next) = (waiting(lock.read()), waiting(lock.write()));
                drop(held);
                next.waits();
                drop(gone);
                drop(next.ready());
            }
            assert!(lock.try_write().is_some());
        }
    }

    fn tasks_that_read_and_write_see_whole_changes_only() {
        within(async {
            let lock = Rc::new(RwLock::new((0, 0)));
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    let lock = lock.clone();
                    spawn(async move {
                        for _ in 0..10 {
                            let mut pair = lock.write().await;
                            pair.0 += 1;
                            yield_now().await;
                            pair.1 += 1;
                        }
                    })
                })
                .collect();
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    let lock = lock.clone();
                    spawn(async move {
                        loop {
                            let pair = lock.read().await;
                            assert_eq!(pair.0, pair.1);
                            yield_now().await;
                            if pair.0 == 40 {
                                break;
                            }
                        }
                    })
                })
                .collect();
            for task in writers.into_iter().chain(readers) {
                task.await.unwrap();
            }
            assert_eq!(lock.statistics().holders, 0);
        });
    }

    fn statistics_tell_readers_from_a_writer() {
        let lock = RwLock::new(());
        let numbers = |waiting, holders| {
            let now = lock.statistics();
            assert_eq!((now.waiting, now.holders), (waiting, holders));
        };
        numbers(0, 0);
        let readers = [(); 3].map(|()| at_once(lock.read()));
        numbers(0, 3);
        let mut writer = waiting(lock.write());
        numbers(1, 3);
        drop(readers);
        numbers(0, 1);
        drop(writer.ready());
        numbers(0, 0);
    }

    fn the_value_is_reached_without_locking_by_who_owns_the_lock() {
        let mut lock = RwLock::new(1);
        *lock.get_mut() += 1;
        assert_eq!(format!("{lock:?}"), "RwLock(2)");
        assert_eq!(format!("{:?} {0}", at_once(lock.read())), "2 2");
        let writer = lock.try_write();
        assert_eq!(format!("{lock:?}"), "RwLock(<locked>)");
        drop(writer);
        assert_eq!(lock.into_inner(), 2);
    }
}
