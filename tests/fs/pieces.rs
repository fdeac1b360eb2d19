//! The cursor of a file: reading ahead, gathering writes, places.

use std::io::{Read, SeekFrom, Write};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use petla::fs::File;
use petla::{gather, spawn};

use super::Folder;
use crate::common::{collect_reports, within, within_io};

/// The value of a future that needs no thread.
#[track_caller]
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_thousand_small_reads_are_one_trip() {
    within_io(async {
        let folder = Folder::new();
        let mut file = File::open(folder.file("abcd".repeat(1_000))).await?;
        let mut four = [0; 4];
        file.read_exact(&mut four).await?;
        for _ in 1..1_000 {
            at_once(file.read_exact(&mut four))?;
            assert_eq!(&four, b"abcd");
        }
        assert_eq!(file.read(&mut four).await?, 0);
        assert_eq!(file.read(&mut four).await?, 0, "it stays at its end");
        Ok(())
    });
}

#[test]
fn a_thousand_small_writes_are_no_trip_and_a_flush_shows_them() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.join("new");
        let mut file = File::create(&path).await?;
        for _ in 0..1_000 {
            at_once(file.write_all(b"abcd"))?;
        }
        assert_eq!(std::fs::read(&path)?, b"");
        file.flush().await?;
        at_once(file.flush())?;
        assert_eq!(std::fs::read(&path)?, "abcd".repeat(1_000).as_bytes());
        Ok(())
    });
}

#[test]
fn large_data_come_through_in_both_directions() {
    within_io(async {
        let folder = Folder::new();
        let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let path = folder.join("large");
        let mut file = File::create(&path).await?;
        file.write_all(&data).await?;
        file.close().await?;
        assert_eq!(std::fs::metadata(&path)?.len(), data.len() as u64);
        let mut file = File::open(&path).await?;
        let mut first = vec![0; 5_000_000];
        file.read_exact(&mut first).await?;
        let mut rest = Vec::new();
        assert_eq!(file.read_to_end(&mut rest).await?, data.len() - first.len());
        first.append(&mut rest);
        assert!(first == data);
        Ok(())
    });
}

#[test]
fn a_write_after_a_read_goes_where_the_user_is() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.file("0123456789");
        let mut file = File::options().read(true).write(true).open(&path).await?;
        let mut two = [0; 2];
        file.read_exact(&mut two).await?;
        file.write_all(b"XY").await?;
        file.read_exact(&mut two).await?;
        assert_eq!(&two, b"45");
        assert_eq!(file.seek(SeekFrom::Current(1)).await?, 7);
        file.write_all(b"Z").await?;
        assert_eq!(file.metadata().await?.len(), 10);
        assert_eq!(std::fs::read(&path)?, b"01XY456Z89");
        file.set_len(3).await?;
        assert_eq!(file.seek(SeekFrom::End(0)).await?, 3);
        let mut std = file.into_std().await?;
        std.write_all(b"!")?;
        assert_eq!(std::fs::read(&path)?, b"01X!");
        Ok(())
    });
}

#[test]
fn a_file_given_to_std_stands_where_it_stood() {
    within_io(async {
        let folder = Folder::new();
        let mut file = File::open(folder.file("0123456789")).await?;
        file.read_exact(&mut [0; 4]).await?;
        let mut rest = String::new();
        file.into_std().await?.read_to_string(&mut rest)?;
        assert_eq!(rest, "456789");
        Ok(())
    });
}

#[test]
fn places_are_read_and_written_side_by_side_whatever_the_cursor() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.file("0123456789");
        let mut file = File::options().read(true).write(true).open(&path).await?;
        let mut cells = [[0; 1]; 10];
        let reads = cells
            .iter_mut()
            .zip(0..)
            .map(|(cell, at)| file.read_exact_at(cell, at));
        for read in gather(reads).await {
            read?;
        }
        assert_eq!(cells.as_flattened(), b"0123456789");
        file.write_all_at("ab", 9).await?;
        assert_eq!(file.read_at(&mut [0; 8], 20).await?, 0);
        assert_eq!(file.read_at(&mut [0; 8], 8).await?, 3);
        let error = file.read_exact_at(&mut [0; 8], 8).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        let mut all = Vec::new();
        file.read_to_end(&mut all).await?;
        assert_eq!(all, b"012345678ab");
        Ok(())
    });
}

#[test]
fn a_dropped_file_is_written_before_run_returns_whoever_drops_it_and_when() {
    let folder = Folder::new();
    let names = [
        "in main",
        "in a task",
        "in a task that is cancelled at the end",
    ];
    let [main, task, late] = names.map(|name| folder.join(name));
    within(async {
        let reports = collect_reports();
        let mut file = File::create(&main).await.unwrap();
        file.write_all(b"data").await.unwrap();
        drop(file);
        let other = spawn(async move {
            let mut file = File::create(task).await.unwrap();
            file.write_all(b"data").await.unwrap();
        });
        other.await.unwrap();
        let mut file = File::create(late).await.unwrap();
        file.write_all(b"data").await.unwrap();
        drop(spawn(async move {
            std::future::pending::<()>().await;
            drop(file);
        }));
        assert!(reports.take().is_empty());
    });
    for name in names {
        assert_eq!(std::fs::read(folder.join(name)).unwrap(), b"data", "{name}");
    }
    let path = folder.join("outside");
    let mut file = within(File::create(&path)).unwrap();
    at_once(file.write_all(b"data")).unwrap();
    drop(file);
    assert_eq!(std::fs::read(path).unwrap(), b"data");
}

#[test]
fn what_is_appended_goes_behind_what_others_wrote() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.file("one ");
        let mut file = File::options().append(true).read(true).open(&path).await?;
        file.read_exact(&mut [0; 2]).await?;
        std::fs::write(&path, "one two ")?;
        file.write_all(b"three").await?;
        file.close().await?;
        assert_eq!(std::fs::read(&path)?, b"one two three");
        Ok(())
    });
}

#[test]
fn zero_lengths_need_no_trip() {
    within_io(async {
        let mut file = File::open("/dev/null").await?;
        at_once(file.read(&mut []))?;
        at_once(file.read_exact(&mut []))?;
        at_once(file.write_all(&[]))?;
        assert_eq!(at_once(file.write(&[]))?, 0);
        assert_eq!(file.read(&mut [0; 9]).await?, 0);
        Ok(())
    });
}
