//! The files that give Unix sockets their names: dead ones are replaced, live ones never.

mod common;

use std::io::{self, ErrorKind};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram, UnixListener as StdListener};
use std::path::{Path, PathBuf};

use common::fork::{exit_after, fork, reap};
use common::{succeeds_alone, within_io as within};
use petla::net::{UnixDatagram, UnixListener, UnixStream};
use petla::streams::{serve, start_unix_server};

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("petla-files-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Leaves a socket file behind, as a server does that was killed.
fn leave_dead(path: &Path) {
    drop(StdListener::bind(path).unwrap());
    assert!(path.exists());
}

/// What binding says, with and without the wish to replace.
async fn refusals(path: &Path) -> [String; 2] {
    let mut texts = Vec::new();
    for replace in [false, true] {
        let error = UnixListener::bind(path)
            .replace_stale(replace)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        texts.push(error.to_string());
        let error = UnixDatagram::bind(path)
            .replace_stale(replace)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), *texts.last().unwrap());
    }
    texts.try_into().unwrap()
}

#[test]
fn a_dead_servers_file_is_in_the_way_until_it_may_be_replaced() {
    within(async {
        let folder = Folder::new("dead");
        let path = folder.path();
        leave_dead(&path);
        let error = UnixListener::bind(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("replace_stale(true)"), "{error}");
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
        let listener = UnixListener::bind(&path).replace_stale(true).await?;
        UnixStream::connect(&path).await?;
        listener.accept().await?;
        drop(listener);
        assert!(path.exists()); // it was not asked to go
        let socket = UnixDatagram::bind(&path).replace_stale(true).await?;
        UnixDatagram::unbound()?.send_to(b"x", &path).await?;
        assert_eq!(socket.recv(&mut [0; 8]).await?.len, 1);
        Ok(())
    });
}

#[test]
fn a_live_socket_keeps_its_name() {
    within(async {
        let folder = Folder::new("alive");
        let path = folder.path();
        let listener = UnixListener::bind(&path).await?;
        for text in refusals(&path).await {
            assert!(text.contains("a socket that lives has this name"), "{text}");
        }
        let _client = UnixStream::connect(&path).await?;
        let (_, peer) = listener.accept().await?; // the one client: nothing else has knocked
        assert!(peer.is_unnamed());
        drop(listener);
        std::fs::remove_file(&path)?;

        let _datagrams = StdDatagram::bind(&path)?;
        for text in refusals(&path).await {
            assert!(text.contains("a socket that lives has this name"), "{text}");
        }
        Ok(())
    });
}

#[test]
fn a_server_that_has_yet_to_listen_is_alive() {
    within(async {
        let folder = Folder::new("early");
        let path = folder.path();
        let _early = bound_and_not_listening(&path);
        for text in refusals(&path).await {
            assert!(text.contains("a socket that lives has this name"), "{text}");
        }
        Ok(())
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    within(async {
        let folder = Folder::new("others");
        let path = folder.path();
        std::fs::write(&path, "precious")?;
        for text in refusals(&path).await {
            assert!(text.contains("no socket, and left alone"), "{text}");
        }
        assert_eq!(std::fs::read(&path)?, b"precious");
        std::fs::remove_file(&path)?;

        let dead = folder.0.join("dead");
        leave_dead(&dead);
        symlink(&dead, &path)?;
        for text in refusals(&path).await {
            assert!(text.contains("no socket, and left alone"), "{text}");
        }
        Ok(())
    });
}

#[test]
fn a_file_goes_with_its_socket_if_it_was_asked_to() {
    within(async {
        let folder = Folder::new("gone");
        let path = folder.path();
        let listener = UnixListener::bind(&path).unlink_on_drop(true).await?;
        assert!(path.exists());
        drop(listener);
        assert!(!path.exists());
        let socket = UnixDatagram::bind(&path).unlink_on_drop(true).await?;
        drop(socket);
        assert!(!path.exists());

        let listener = UnixListener::bind(&path).unlink_on_drop(true).await?;
        let given = listener.into_std();
        assert!(path.exists());
        drop((given, std::fs::remove_file(&path)?));
        let socket = UnixDatagram::bind(&path).unlink_on_drop(true).await?;
        drop(socket.into_std());
        assert!(path.exists());
        Ok(())
    });
}

#[test]
fn a_file_that_took_its_place_stays() {
    within(async {
        let folder = Folder::new("stays");
        let path = folder.path();
        let first = UnixListener::bind(&path).unlink_on_drop(true).await?;
        std::fs::remove_file(&path)?;
        let second = UnixListener::bind(&path).unlink_on_drop(true).await?;
        drop(first);
        UnixStream::connect(&path).await?;
        drop(second);
        assert!(!path.exists());

        let first = UnixListener::bind(&path).unlink_on_drop(true).await?;
        std::fs::remove_file(&path)?;
        std::fs::write(&path, "precious")?;
        drop(first);
        assert_eq!(std::fs::read(&path)?, b"precious");
        Ok(())
    });
}

#[test]
fn a_servers_file_goes_when_it_closes_also_if_its_listener_was_given() {
    within(async {
        let folder = Folder::new("served");
        let path = folder.path();
        leave_dead(&path);
        let server = start_unix_server(&path, async |_, _| Ok(())).await?;
        assert!(path.exists());
        server.close();
        assert!(!path.exists());

        for unlink in [true, false] {
            let listener = UnixListener::bind(&path).unlink_on_drop(unlink).await?;
            let server = serve(listener, async |_, _| Ok(())).await?;
            UnixStream::connect(&path).await?;
            server.close();
            assert_eq!(path.exists(), !unlink);
        }
        Ok(())
    });
}

#[test]
fn a_relative_path_is_found_again_from_another_folder() {
    succeeds_alone(|| {
        within(async {
            let folder = Folder::new("relative");
            std::env::set_current_dir(&folder.0)?;
            let listener = UnixListener::bind("socket").unlink_on_drop(true).await?;
            std::env::set_current_dir("/")?;
            drop(listener);
            assert!(!folder.path().exists());
            Ok(())
        });
    });
}

#[test]
fn an_abstract_name_has_no_file_to_replace_or_to_remove() {
    within(async {
        let name = format!("petla-files-{}", std::process::id());
        let name = SocketAddr::from_abstract_name(name)?;
        let bind = || UnixListener::bind_addr(&name);
        let listener = bind().replace_stale(true).unlink_on_drop(true).await?;
        let error = bind().replace_stale(true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop(listener);
        bind().await?;
        Ok(())
    });
}

#[test]
fn a_forked_child_leaves_its_parents_file() {
    succeeds_alone(|| {
        let folder = Folder::new("fork");
        let path = folder.path();
        within(async {
            let listener = UnixListener::bind(&path).unlink_on_drop(true).await?;
            let child = fork();
            if child == 0 {
                exit_after(|| drop(listener));
            }
            reap(child);
            assert!(path.exists());
            drop(listener);
            assert!(!path.exists());
            Ok(())
        });
    });
}

#[test]
fn a_path_that_cannot_name_a_socket_says_what_is_wrong_with_it() {
    within(async {
        for (path, advice) in [
            (
                "x".repeat(108),
                "108 bytes, and a socket's path 107 at most",
            ),
            ("a\0b".to_owned(), "has a NUL byte inside"),
        ] {
            for error in [
                UnixListener::bind(&path).await.unwrap_err(),
                UnixStream::connect(&path).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains(advice), "{error}");
            }
        }
        Ok(())
    });
}

/// A stream socket between its calls of bind(2) and listen(2).
fn bound_and_not_listening(path: &Path) -> OwnedFd {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert_ne!(fd, -1, "{}", io::Error::last_os_error());
    // SAFETY: new, so nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the structure is numbers only.
    let mut name: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    name.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, byte) in name.sun_path.iter_mut().zip(path.as_os_str().as_bytes()) {
        *to = *byte as libc::c_char;
    }
    let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the name lives, and is as long as said.
    let bound = unsafe { libc::bind(fd, (&raw const name).cast(), len) };
    assert_eq!(bound, 0, "{}", io::Error::last_os_error());
    socket
}
