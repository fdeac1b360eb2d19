//! What has two ends: `oneshot`, `channel`, `Watch`, `CancelToken`.

use std::rc::Rc;

use super::*;

in_both_modes! {
    fn a_value_that_is_set_is_taken_by_its_getter() {
        let (setter, mut getter) = oneshot();
        let bell = Bell::new();
        assert_eq!(getter.get_nowait(), Ok(None));
        assert!(bell.poll(&mut getter).is_pending());
        assert_eq!(setter.set(7), Ok(()));
        assert_eq!((bell.rings(), at_once(getter)), (1, Ok(7)));
    }

    fn a_setter_that_is_dropped_fails_its_getter() {
        let (setter, getter) = oneshot::<u8>();
        let mut getter = waiting(getter);
        drop(setter);
        assert_eq!(getter.ready(), Err(Abandoned));
        assert_eq!(std::io::Error::from(Abandoned).kind(), std::io::ErrorKind::BrokenPipe);
    }

    fn a_value_for_a_getter_that_is_gone_comes_back() {
        let (mut setter, getter) = oneshot();
        {
            let mut abandoned = waiting(setter.abandoned());
            drop(waiting(getter));
            abandoned.ready();
        }
        assert!(setter.is_abandoned());
        assert_eq!(setter.set(7), Err(7));
    }

    fn a_getter_that_is_awaited_by_reference_loses_nothing_when_it_is_cancelled() {
        let (setter, mut getter) = oneshot();
        let wait = waiting(&mut getter);
        setter.set(7).unwrap();
        drop(wait);
        assert_eq!(at_once(getter), Ok(7));
    }

    fn a_task_that_is_cancelled_tells_its_setter() {
        within(async {
            let (mut setter, getter) = oneshot::<u8>();
            let task = spawn(getter);
            yield_now().await;
            task.cancel(());
            setter.abandoned().await;
            assert!(task.await.is_err());
        });
    }

    fn items_pass_a_channel_in_order_until_its_last_sender_is_gone() {
        within(async {
            let (sender, mut receiver) = channel(2);
            let producers = [sender.clone(), sender].map(|sender| {
                spawn(async move {
                    for item in 0..10 {
                        sender.put(item).await.unwrap();
                    }
                })
            });
            let mut got = Vec::new();
            while let Some(item) = receiver.next().await {
                got.push(item);
            }
            assert_eq!((got.len(), got.iter().sum::<i32>()), (20, 90));
            for producer in producers {
                producer.await.unwrap();
            }
            assert!(receiver.is_closed());
        });
    }

    fn the_last_receiver_ends_the_puts_that_wait_and_those_to_come() {
        let (sender, receiver) = channel(1);
        sender.put_nowait(1).unwrap();
        let mut put = waiting(sender.put(2));
        let other = receiver.clone();
        drop(receiver);
        put.waits();
        drop(other);
        assert_eq!(put.ready(), Err(PutError::ShutDown(2)));
        assert_eq!(sender.put_nowait(3), Err(PutError::ShutDown(3)));
        assert!(sender.is_closed());
    }

    fn what_is_left_in_a_channel_is_taken_before_it_ends() {
        let (sender, receiver) = channel(2);
        sender.put_nowait(1).unwrap();
        drop(sender);
        assert_eq!(at_once(receiver.get()), Ok(1));
        assert_eq!(at_once(receiver.get()), Err(ShutDown));
        assert_eq!(receiver.get_nowait(), Err(GetError::ShutDown));
    }

    fn the_get_of_one_receiver_that_is_cancelled_leaves_the_item_to_another() {
        let (sender, receiver) = channel(1);
        let other = receiver.clone();
        let (gone, mut stays) = (waiting(receiver.get()), waiting(other.get()));
        sender.put_nowait(1).unwrap();
        drop(gone);
        assert_eq!(stays.ready(), Ok(1));
    }

    #[should_panic(expected = "a channel with capacity 0 could never hold an item")]
    fn a_channel_without_room_is_refused() {
        drop(channel::<u8>(0));
    }

    fn a_watcher_sees_the_last_of_several_values_once() {
        let watch = Watch::new(0);
        let mut watcher = watch.watcher();
        let mut changed = waiting(watcher.changed());
        watch.set(1);
        watch.set(2);
        assert_eq!(changed.ready(), 2);
        drop(changed);
        waiting(watcher.changed()).waits();
        assert_eq!(watch.get(), 2);
    }

    fn a_change_that_a_cancelled_wait_was_woken_for_is_still_new() {
        let watch = Watch::new(0);
        let mut watcher = watch.watcher();
        let changed = waiting(watcher.changed());
        watch.set(1);
        drop(changed);
        assert_eq!(at_once(watcher.changed()), 1);
        assert_eq!(watch.statistics().waiting, 0);
    }

    fn a_change_wakes_a_hundred_watchers() {
        let watch = Rc::new(Watch::new(0));
        let mut watchers: Vec<_> = (0..100).map(|_| watch.watcher()).collect();
        let mut waits: Vec<_> =
            watchers.iter_mut().map(|watcher| waiting(watcher.changed())).collect();
        watch.set(1);
        assert!(waits.iter_mut().all(|wait| wait.ready() == 1));
    }
}

#[test]
fn a_token_ends_waits_on_every_thread_with_its_first_reason() {
    use petla::sync::CancelToken;
    let token = CancelToken::new();
    assert!(token.check().is_ok());
    let plain = std::thread::spawn({
        let token = token.clone();
        move || token.blocking_cancelled()
    });
    let worker = std::thread::spawn({
        let token = token.clone();
        move || {
            while token.check().is_ok() {
                std::thread::yield_now();
            }
            token.check().unwrap_err()
        }
    });
    within(async {
        let task = spawn({
            let token = token.clone();
            async move { token.cancelled().await }
        });
        yield_now().await;
        assert!(token.cancel("enough"));
        assert!(!token.cancel("too late"));
        assert_eq!(task.await.unwrap().reason(), Some("enough"));
        let text = panic_text(|| token.blocking_cancelled());
        assert!(text.ends_with("await `cancelled` instead"), "{text}");
    });
    for thread in [plain, worker] {
        assert_eq!(thread.join().unwrap().reason(), Some("enough"));
    }
    assert!(token.is_cancelled());
}

#[test]
fn two_loops_share_a_channel_a_oneshot_and_a_watch() {
    use petla::sync::{Watch, channel, oneshot};
    use std::sync::Arc;
    let (sender, receiver) = channel(3);
    let (setter, getter) = oneshot();
    let watch = Arc::new(Watch::new(0));
    let producer = std::thread::spawn({
        let watch = watch.clone();
        move || {
            within(async move {
                let mut watcher = watch.watcher();
                for item in 1..=500 {
                    sender.put(item).await.unwrap();
                }
                while watch.get() < 500 {
                    watcher.changed().await;
                }
                setter.set("all were seen").unwrap();
            });
        }
    });
    within(async {
        let mut sum = 0;
        while let Ok(item) = receiver.get().await {
            sum += item;
            watch.set(item);
            if item == 500 {
                break;
            }
        }
        assert_eq!(getter.await, Ok("all were seen"));
        assert_eq!(
            (sum, receiver.get().await),
            (125_250, Err(petla::sync::ShutDown))
        );
    });
    producer.join().unwrap();
}

#[test]
fn plain_threads_use_the_ends_as_tasks_do() {
    use petla::sync::{channel, oneshot};
    let (sender, receiver) = channel(1);
    let (setter, getter) = oneshot();
    let thread = std::thread::spawn(move || {
        for item in 0..100 {
            sender.blocking_put(item).unwrap();
        }
        getter.blocking_get()
    });
    within(async {
        for item in 0..100 {
            assert_eq!(receiver.get().await, Ok(item));
        }
        let text = panic_text(|| receiver.blocking_get());
        assert!(text.contains("on a thread that runs a loop"), "{text}");
        setter.set(1).unwrap();
        assert!(receiver.get().await.is_err());
    });
    assert_eq!(thread.join().unwrap(), Ok(1));
}
