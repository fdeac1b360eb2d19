//! Servers on Unix sockets, and the file that is such a server's name.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener};
use std::path::{Path, PathBuf};

use petla::net::{UnixListener, UnixStream};
use petla::streams::{StreamReader, StreamWriter, open_unix_connection, serve, start_unix_server};

use super::echo;
use crate::common::{collect_reports, within_io};

/// A path of this test's own, removed before and after.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let file = format!("petla-server-{name}-{}", std::process::id());
        let place = Place(std::env::temp_dir().join(file));
        let _ = fs::remove_file(&place.0);
        place
    }

    fn exists(&self) -> bool {
        fs::symlink_metadata(&self.0).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn answers(path: &Path) -> std::io::Result<()> {
    let (mut reader, mut writer) = open_unix_connection(path).await?;
    writer.write(b"over a path\n");
    assert_eq!(reader.read_line().await?, Some("over a path"));
    writer.wait_closed().await
}

#[test]
fn a_unix_server_serves_and_takes_its_file_away() {
    within_io(async {
        let place = Place::new("plain");
        let server = start_unix_server(&place.0, echo)
            .limit(3)
            .backlog(9)
            .await?;
        answers(&place.0).await?;
        assert!(server.local_addrs().is_empty());
        let error = server.local_addr().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(place.exists());
        server.close();
        assert!(!place.exists());
        server.wait_closed().await;
        drop(start_unix_server(&place.0, echo).await?);
        assert!(!place.exists(), "a drop does the same");
        Ok(())
    });
}

#[test]
fn the_file_of_a_dead_server_is_replaced() {
    within_io(async {
        let place = Place::new("dead");
        drop(StdListener::bind(&place.0)?);
        assert!(place.exists());
        let server = start_unix_server(&place.0, echo).await?;
        answers(&place.0).await?;
        server.shutdown(None).await;
        Ok(())
    });
}

#[test]
fn the_name_of_a_living_server_is_not_taken() {
    within_io(async {
        let place = Place::new("living");
        let first = start_unix_server(&place.0, echo).await?;
        let error = start_unix_server(&place.0, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let path = place.0.display().to_string();
        assert!(error.to_string().contains(&path), "{error}");
        answers(&place.0).await?;

        // Its queue is full, so that a connect has to wait: it lives all the same.
        let full = Place::new("full");
        let listener = UnixListener::bind(&full.0).backlog(0).await?;
        let _first = UnixStream::connect(&full.0).await?;
        let error = start_unix_server(&full.0, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop((first, listener));
        Ok(())
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    within_io(async {
        let place = Place::new("file");
        fs::write(&place.0, "precious")?;
        let error = start_unix_server(&place.0, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&place.0)?, "precious");

        let error = start_unix_server("/no/such/folder/s", echo)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
        let long = "x".repeat(200);
        let error = start_unix_server(&long, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_file_that_another_server_made_meanwhile_stays() {
    within_io(async {
        let place = Place::new("another");
        let first = start_unix_server(&place.0, echo).await?;
        fs::remove_file(&place.0)?;
        let second = start_unix_server(&place.0, echo).await?;
        first.close();
        assert!(place.exists());
        answers(&place.0).await?;
        fs::remove_file(&place.0)?;
        second.close();
        Ok(())
    });
}

#[test]
fn a_server_on_given_unix_sockets_leaves_their_files() {
    within_io(async {
        let place = Place::new("given");
        let name = format!("petla-{}", std::process::id());
        let hidden = SocketAddr::from_abstract_name(name.as_bytes())?;
        let listeners = vec![
            UnixListener::bind(&place.0).await?,
            UnixListener::bind_addr(&hidden).await?,
        ];
        let server = serve(listeners, echo).await?;
        answers(&place.0).await?;
        let stream = UnixStream::connect_addr(&hidden).await?;
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0]).await?;
        server.close();
        assert!(place.exists());
        Ok(())
    });
}

#[test]
fn the_error_of_a_unix_handler_is_reported() {
    within_io(async {
        let reports = collect_reports();
        let place = Place::new("error");
        let handler = async |mut reader: StreamReader, _: StreamWriter| {
            reader.read_exact(&mut [0; 5]).await?;
            Ok(())
        };
        let server = start_unix_server(&place.0, handler).await?;
        let (mut reader, mut writer) = open_unix_connection(&place.0).await?;
        writer.write(b"four");
        writer.write_eof();
        assert_eq!(reader.read_line().await?, None);
        let report = reports.only();
        assert!(report.contains("a connection to a Unix socket"), "{report}");
        assert!(report.contains("after 4 bytes"), "{report}");
        server.shutdown(None).await;
        Ok(())
    });
}
