//! Calls that are dropped before their end, at each point. A FIFO keeps a thread for as long as a
//! test likes.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use petla::fs::{self, File};
use petla::testing::VirtualClock;
use petla::{EventLoop, threads, timeout, yield_now};

use super::Folder;
use crate::common::{loop_on, succeeds_alone, within_io, yield_until};

/// Polls a few times while threads do what they can, then drops it.
async fn give_up(future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..3 {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "it should wait");
        yield_now().await;
    }
}

/// Both ends of a FIFO: ours, which blocks in threads, and one for the test.
fn fifo(folder: &Folder) -> (File, std::fs::File) {
    let path = folder.fifo();
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap()
    };
    (File::from_std(open()), open())
}

#[test]
fn what_an_abandoned_read_gets_is_there_for_the_next() {
    within_io(async {
        let folder = Folder::new();
        let (mut file, mut far) = fifo(&folder);
        for round in 0..10_u8 {
            let mut buf = [0; 8];
            give_up(file.read(&mut buf)).await;
            assert_eq!(buf, [0; 8]);
            give_up(file.read_exact(&mut buf)).await;
            far.write_all(&[round; 5])?;
            assert_eq!(file.read(&mut buf).await?, 5);
            assert_eq!(buf, [round, round, round, round, round, 0, 0, 0]);
        }
        Ok(())
    });
}

#[test]
fn a_read_of_many_parts_that_is_given_up_halfway_takes_none() {
    within_io(async {
        let folder = Folder::new();
        let (mut file, mut far) = fifo(&folder);
        far.write_all(b"half")?;
        give_up(file.read_exact(&mut [0; 8])).await;
        far.write_all(b"full")?;
        let mut buf = [0; 8];
        file.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"halffull");
        Ok(())
    });
}

#[test]
fn a_file_dropped_while_a_thread_has_it_is_closed_by_that_thread() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.fifo();
        let far = std::thread::spawn({
            let path = path.clone();
            move || OpenOptions::new().write(true).open(path)
        });
        let mut file = File::open(&path).await?;
        let mut far = far.join().unwrap()?;
        give_up(file.read(&mut [0; 8])).await;
        drop(file);
        // What the thread waits for, if it has begun.
        yield_until(|| far.write_all(b"x").is_err()).await;
        Ok(())
    });
}

#[test]
fn a_write_that_is_given_up_goes_on_and_its_order_is_kept() {
    within_io(async {
        let folder = Folder::new();
        let (mut file, mut far) = fifo(&folder);
        let size = 128 << 10; // more than a FIFO holds
        file.write_all(&vec![1; size]).await?;
        give_up(file.flush()).await;
        give_up(file.write(&[9; 10])).await; // not taken
        let later = petla::spawn(async move {
            file.write_all(&[2; 10]).await?;
            file.close().await
        });
        let far = petla::to_thread(move || {
            let mut all = vec![0; size + 10];
            far.read_exact(&mut all).map(|()| all)
        });
        let all = far.await??;
        assert!(all[..size].iter().all(|byte| *byte == 1));
        assert_eq!(all[size..], [2; 10]);
        later.await?
    });
}

#[test]
fn what_a_thread_still_writes_for_a_dropped_file_is_awaited_by_the_end_of_the_loop() {
    const LIMIT: Duration = Duration::from_millis(50);
    succeeds_alone(|| {
        let folder = Folder::new();
        let (mut file, mut far) = fifo(&folder);
        let data = vec![1; 120 << 10]; // more than a FIFO holds
        let event_loop = EventLoop::builder().cleanup_limit(LIMIT).build().unwrap();
        let main = event_loop.run_until_complete(async {
            file.write_all(&data).await.unwrap();
            while threads::default_limiter().borrowed() == 0 {
                give_up(file.flush()).await; // until a thread has begun before
            }
            drop(file);
        });
        main.unwrap();
        // Nobody reads, so the loop waits as long as it may.
        let begin = Instant::now();
        event_loop.close().unwrap();
        assert!(begin.elapsed() >= LIMIT);
        let mut all = vec![0; data.len()];
        far.read_exact(&mut all).unwrap();
        assert!(all == data, "the thread goes on");
    });
}

#[test]
fn time_stands_still_for_a_read_that_an_abandoned_one_began() {
    succeeds_alone(|| {
        let folder = Folder::new();
        let (mut file, mut far) = fifo(&folder);
        let event_loop = loop_on(&VirtualClock::auto());
        let read = event_loop.run_until_complete(async {
            while threads::default_limiter().borrowed() == 0 {
                give_up(file.read(&mut [0; 8])).await; // until a thread has begun before
            }
            let (mut buf, mut far) = ([0; 8], Some(&mut far));
            let mut read = pin!(file.read(&mut buf));
            let read = std::future::poll_fn(|cx| {
                let polled = read.as_mut().poll(cx);
                // It waits now, and the loop will be idle.
                if let Some(far) = far.take() {
                    far.write_all(b"late").unwrap();
                }
                polled
            });
            timeout(Duration::from_secs(3600), read).await
        });
        assert_eq!(read.unwrap().expect("time has jumped").unwrap(), 4);
    });
}

#[test]
fn a_call_that_waits_for_a_thread_never_happens_when_it_is_dropped() {
    succeeds_alone(|| {
        within_io(async {
            let folder = Folder::new();
            threads::default_limiter().set_total(1);
            let (mut busy, mut far) = fifo(&folder);
            let mut buf = [0; 1];
            let mut hog = pin!(busy.read(&mut buf));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(hog.as_mut().poll(&mut cx).is_pending());

            let path = folder.file("0123");
            let mut file = File::from_std(std::fs::File::open(&path)?);
            give_up(fs::write(&path, "other")).await;
            give_up(fs::remove_file(&path)).await;
            give_up(file.read(&mut [0; 2])).await;
            let mut entries = pin!(fs::read_dir("/dev"));
            assert!(entries.as_mut().poll(&mut cx).is_pending());
            far.write_all(b"x")?;
            assert_eq!(hog.await?, 1);
            drop(entries.await?);
            let mut all = Vec::new();
            file.read_to_end(&mut all).await?;
            assert_eq!(all, b"0123", "nothing was read, written or removed");
            assert_eq!(threads::default_limiter().borrowed(), 0);
            Ok(())
        });
    });
}

#[test]
fn a_loop_that_ends_while_a_thread_reads_does_not_wait_for_it() {
    let folder = Folder::new();
    let (mut file, mut far) = fifo(&folder);
    within_io(async {
        give_up(file.read(&mut [0; 8])).await;
        Ok(())
    });
    // Another loop goes on with it.
    far.write_all(b"data").unwrap();
    within_io(async {
        let mut buf = [0; 8];
        assert_eq!(file.read(&mut buf).await?, 4);
        Ok(())
    });
}

#[test]
fn a_listing_that_is_given_up_goes_on_where_it_was() {
    within_io(async {
        let folder = Folder::new();
        for n in 0..150 {
            std::fs::write(folder.join(n.to_string()), "")?;
        }
        let mut entries = fs::read_dir(&folder.0).await?;
        let (mut seen, mut round) = (Vec::new(), 0);
        loop {
            round += 1;
            let mut next = Box::pin(entries.next());
            let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let entry = match polled {
                Poll::Ready(entry) => entry,
                Poll::Pending if round % 2 == 0 => continue,
                Poll::Pending => next.await,
            };
            let Some(entry) = entry else { break };
            seen.push(entry?.file_name());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 150);
        Ok(())
    });
}
