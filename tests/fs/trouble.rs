//! Errors of the system: typed, told once to whoever asks, and nothing leaks.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use petla::fs::{self, File};

use super::Folder;
use crate::common::{collect_reports, succeeds_alone, within, within_io, yield_until};

#[test]
fn what_is_missing_forbidden_or_a_folder_says_so() {
    within_io(async {
        let folder = Folder::new();
        let missing = folder.join("missing");
        let error = File::open(&missing).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(
            fs::read(&missing).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            fs::read_dir(&missing).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let error = fs::write(&folder.0, "x").await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
        let mut as_file = File::open(&folder.0).await?;
        for _ in 0..2 {
            let error = as_file.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
        }
        let file = folder.file(b"\xff");
        let error = fs::read_to_string(&file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let error = fs::read_dir(&file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        let error = File::options().open(&file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = File::options()
            .write(true)
            .create_new(true)
            .open(&file)
            .await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o000))?;
        match std::fs::read(&file) {
            Ok(_) => println!("skipped: this user may read everything"),
            Err(_) => {
                let error = fs::read(&file).await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EACCES));
            }
        }
        Ok(())
    });
}

#[test]
fn a_file_opened_for_the_other_direction_says_so_again_and_again() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.file("data");
        let mut file = File::options().write(true).open(&path).await?;
        for _ in 0..2 {
            let error = file.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
        let mut file = File::open(&path).await?;
        file.write_all(b"x").await?;
        for _ in 0..2 {
            let error = file.flush().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
        let error = file.close().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        Ok(())
    });
}

#[test]
fn a_full_disk_shows_at_the_flush_keeps_the_data_and_is_told_by_close() {
    within_io(async {
        let reports = collect_reports();
        let mut file = File::create("/dev/full").await?;
        file.write_all(b"data").await?;
        for _ in 0..2 {
            let error = file.flush().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
        let error = file.sync_all().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let large = vec![0; 300_000];
        let error = file.write_all(&large).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let error = file.close().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let error = fs::write("/dev/full", "data").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(
            reports.take().is_empty(),
            "whoever was told needs no report"
        );
        Ok(())
    });
}

#[test]
fn a_full_disk_is_reported_if_nobody_asks() {
    within(async {
        let reports = collect_reports();
        let mut file = File::create("/dev/full").await.unwrap();
        file.write_all(b"data").await.unwrap();
        drop(file);
        yield_until(|| reports.len() > 0).await;
        let report = reports.only();
        assert!(report.contains("could not be stored"), "{report}");
        assert!(report.contains("No space left"), "{report}");
    });
}

#[test]
fn a_fifo_cannot_seek_but_be_read_and_written() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.fifo();
        let mut file = File::options().read(true).write(true).open(&path).await?;
        let error = file.seek(std::io::SeekFrom::Start(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSeekable);
        file.write_all(b"round trip").await?;
        file.flush().await?;
        let mut buf = [0; 5];
        file.read_exact(&mut buf).await?;
        file.write_all(b"!").await?; // what was read ahead is not lost by it
        file.flush().await?;
        file.read_exact(&mut buf).await?;
        assert_eq!(&buf, b" trip");
        let mut last = [0; 1];
        file.read_exact(&mut last).await?;
        assert_eq!(&last, b"!");
        Ok(())
    });
}

#[test]
fn without_descriptors_opening_is_an_error_and_works_again_later_and_nothing_leaks() {
    succeeds_alone(|| {
        within_io(async {
            let folder = Folder::new();
            let path = folder.file("data");
            assert_eq!(fs::read(&path).await?, b"data");
            let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let before = open();
            let mut hogs = Vec::new();
            let mut limit = libc::rlimit {
                rlim_cur: 64,
                rlim_max: 64,
            };
            // SAFETY: `limit` is valid for the calls.
            unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
            limit.rlim_cur = 64;
            // SAFETY: as above.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
            while let Ok(hog) = std::fs::File::open("/dev/null") {
                hogs.push(hog);
            }
            for error in [
                File::open(&path).await.map(drop),
                fs::read(&path).await.map(drop),
                fs::read_dir(&folder.0).await.map(drop),
                fs::write_atomic(&path, "new").await,
            ] {
                assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EMFILE));
            }
            hogs.clear();
            let mut file = File::open(&path).await?;
            let mut all = Vec::new();
            file.read_to_end(&mut all).await?;
            assert_eq!(all, b"data");
            file.close().await?;
            fs::write_atomic(&path, "new").await?;
            drop(fs::read_dir(&folder.0).await?);
            assert_eq!(open(), before);
            Ok(())
        });
    });
}
