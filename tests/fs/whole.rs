//! The functions that name a path.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use petla::fs;

use super::Folder;
use crate::common::within_io;

#[test]
fn each_function_does_what_its_namesake_does() {
    within_io(async {
        let folder = Folder::new();
        let (one, two) = (folder.join("a/b/one"), folder.join("two"));
        fs::create_dir_all(folder.join("a/b")).await?;
        fs::create_dir(folder.join("c")).await?;
        fs::write(&one, "words").await?;
        assert_eq!(fs::read(&one).await?, b"words");
        assert_eq!(fs::read_to_string(&one).await?, "words");
        assert_eq!(fs::copy(&one, &two).await?, 5);
        fs::rename(&two, folder.join("three")).await?;
        assert!(!fs::exists(&two).await?);
        fs::hard_link(&one, &two).await?;
        assert_eq!(fs::metadata(&two).await?.nlink(), 2);
        fs::symlink(&one, folder.join("link")).await?;
        assert_eq!(fs::read_link(folder.join("link")).await?, one);
        assert!(
            fs::symlink_metadata(folder.join("link"))
                .await?
                .is_symlink()
        );
        let one = fs::canonicalize(&one).await?;
        assert_eq!(fs::canonicalize(folder.join("link")).await?, one);
        let mut permissions = fs::metadata(&one).await?.permissions();
        permissions.set_mode(0o400);
        fs::set_permissions(&one, permissions).await?;
        assert_eq!(fs::metadata(&one).await?.mode() & 0o777, 0o400);
        fs::remove_file(&one).await?;
        fs::remove_dir(folder.join("c")).await?;
        fs::remove_dir_all(folder.join("a")).await?;
        assert_eq!(folder.names(), ["link", "three", "two"]);
        Ok(())
    });
}

#[test]
fn a_file_written_as_a_whole_keeps_its_permissions_and_the_link_to_it() {
    within_io(async {
        let folder = Folder::new();
        let file = folder.file("old");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640))?;
        let (link, other) = (folder.join("link"), folder.join("other"));
        std::os::unix::fs::symlink("file", &link)?;
        std::fs::hard_link(&file, &other)?;
        fs::write_atomic(&link, "new").await?;
        assert!(std::fs::symlink_metadata(&link)?.is_symlink());
        assert_eq!(std::fs::read(&file)?, b"new");
        assert_eq!(std::fs::read(&other)?, b"old", "a new file took the name");
        assert_eq!(std::fs::metadata(&file)?.mode() & 0o777, 0o640);
        let long = "n".repeat(255);
        fs::write_atomic(folder.join(&long), "fresh").await?;
        assert_eq!(folder.names(), ["file", "link", &long, "other"]);
        Ok(())
    });
}

#[test]
fn a_file_that_cannot_be_written_as_a_whole_is_as_it_was_and_nothing_is_left_beside_it() {
    within_io(async {
        let folder = Folder::new();
        std::fs::create_dir(folder.join("taken"))?;
        let error = fs::write_atomic(folder.join("taken"), "x")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
        assert_eq!(folder.names(), ["taken"]);
        let error = fs::write_atomic(folder.join("no/where"), "x")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let socket = folder.join("socket");
        let _listens = UnixListener::bind(&socket)?;
        let error = fs::write_atomic(&socket, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(folder.names(), ["socket", "taken"]);
        for path in ["/", "..", ""] {
            let error = fs::write_atomic(path, "x").await.unwrap_err();
            assert_ne!(error.kind(), ErrorKind::Other, "{path:?}: {error}");
        }
        Ok(())
    });
}

#[test]
fn readers_of_a_file_written_as_a_whole_never_see_a_part() {
    within_io(async {
        let folder = Folder::new();
        let path = folder.file(vec![0; 100_000]);
        let reader = petla::spawn({
            let path = path.clone();
            async move {
                loop {
                    let seen = fs::read(&path).await.unwrap();
                    assert_eq!(seen.len(), 100_000);
                    assert!(seen.iter().all(|byte| *byte == seen[0]));
                    if seen[0] == 20 {
                        return;
                    }
                }
            }
        });
        for round in 1..=20 {
            fs::write_atomic(&path, vec![round; 100_000]).await?;
        }
        reader.await?;
        Ok(())
    });
}

#[test]
fn a_large_folder_is_listed_in_whole_by_next_and_as_a_stream() {
    within_io(async {
        let folder = Folder::new();
        let names: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
        names
            .iter()
            .try_for_each(|name| std::fs::write(folder.join(name), ""))?;
        let mut entries = fs::read_dir(&folder.0).await?;
        let mut seen = Vec::new();
        while let Some(entry) = entries.next().await {
            seen.push(entry?.file_name().into_string().unwrap());
        }
        assert!(entries.next().await.is_none(), "it stays at its end");
        seen.sort();
        assert_eq!(seen, names);
        let mut entries = std::pin::pin!(fs::read_dir(&folder.0).await?);
        let mut count = 0;
        while let Some(entry) =
            std::future::poll_fn(|cx| petla::Stream::poll_next(entries.as_mut(), cx)).await
        {
            assert!(entry?.file_type()?.is_file());
            count += 1;
        }
        assert_eq!(count, 200);
        Ok(())
    });
}

#[test]
fn what_files_return_may_be_sent_to_threads() {
    fn send<T: Send>(_: T) {}
    fn is_send<T: Send>() {}
    is_send::<fs::File>();
    is_send::<fs::ReadDir>();
    send(fs::read(Path::new("x")));
    let std = std::fs::File::open("/dev/null").unwrap();
    let mut file = fs::File::from_std(std);
    send(file.read(&mut [0]));
    send(file.write_all(b""));
    send(file.read_at(&mut [0], 0));
    send(file.sync_all());
    send(file.close());
}

#[test]
fn what_will_replace_a_private_file_is_private_from_the_first_moment() {
    within_io(async {
        let folder = Folder::new();
        let file = folder.file("old");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600))?;
        let mut writes = petla::spawn(async move {
            for _ in 0..4 {
                fs::write_atomic(&file, vec![7; 4 << 20]).await?;
            }
            std::io::Result::Ok(())
        });
        while !writes.is_finished() {
            for entry in std::fs::read_dir(&folder.0)? {
                // It may be gone meanwhile.
                if let Ok(found) = entry?.metadata() {
                    assert_eq!(found.mode() & 0o077, 0);
                }
            }
            petla::yield_now().await;
        }
        (&mut writes).await.unwrap()
    });
}
