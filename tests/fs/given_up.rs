//! Calls that are dropped before their end, at each point. A FIFO keeps a thread for as long as a
//! test likes.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use petla::fs::{self, File};
use petla::{threads, yield_now};

use super::Folder;
use crate::common::{poll_once, succeeds_alone, within_io, yield_until};

const HOUR: Duration = Duration::from_secs(3600);

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

#[test]
fn virtual_time_stands_still_while_a_call_waits_for_the_one_that_was_given_up() {
    succeeds_alone(|| {
        petla::testing::run(async {
            let folder = Folder::new();
            let (mut file, mut far) = fifo(&folder);
            let mut buf = [0; 8];
            // What has not begun gives its place back when it is dropped.
            while threads::default_limiter().borrowed() == 0 {
                let mut read = pin!(file.read(&mut buf));
                assert!(poll_once(&mut read).is_pending());
                linger();
            }
            // Nor does one that is given up as well hold it up for ever.
            assert!(poll_once(&mut pin!(file.read(&mut buf))).is_pending());
            petla::sleep(HOUR).await;
            let writer = std::thread::spawn(move || {
                linger();
                far.write_all(b"late").unwrap();
            });
            let read = petla::timeout(HOUR, file.read(&mut buf)).await;
            assert_eq!(read.expect("an hour has passed").unwrap(), 4);
            writer.join().unwrap();
        });
    });
}

fn linger() {
    for _ in 0..200 {
        std::thread::yield_now();
    }
}
