//! Servers in trouble: no descriptors, listeners that fail, peers that reset or do not read.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use petla::net::TcpListener;
use petla::streams::{StreamReader, StreamWriter, serve, start_server};
use petla::{EventLoop, all_tasks};

use super::{LOCAL, MUCH, client, echo, echo_server, read_all, served};
use crate::common::peers::reset;
use crate::common::{collect_reports, poll_once, succeeds_alone, within_io, yield_until};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_half_closed_peer_gets_its_answer() {
    within_io(async {
        let handler = async |mut reader: StreamReader, mut writer: StreamWriter| {
            let mut length = 0;
            while let n @ 1.. = reader.read(&mut [0; 1024]).await? {
                length += n;
            }
            writer.write(length.to_string().as_bytes());
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        peer.write_all(&[0; 100_000]).await?;
        peer.shutdown(Shutdown::Write)?;
        assert_eq!(read_all(&peer).await?, b"100000");
        Ok(())
    });
}

#[test]
fn a_reset_in_any_phase_ends_that_connection_alone() {
    within_io(async {
        let reports = collect_reports();
        let server = echo_server().await?;
        let survivor = served(&server).await?;
        for phase in 0..4 {
            let peer = client(&server).await?;
            match phase {
                // In the backlog, before the handler reads, while it waits, while it writes.
                0 => {}
                1 => peer.write_all(b"x").await?,
                2 => {
                    peer.write_all(b"x").await?;
                    peer.read_exact(&mut [0]).await?;
                }
                _ => {
                    let mut write = peer.write_all(&[1; MUCH]);
                    assert!(poll_once(&mut write).is_pending());
                    yield_until(|| server.connections() == 2).await;
                    for _ in 0..100 {
                        petla::yield_now().await;
                    }
                }
            }
            reset(peer);
            yield_until(|| server.connections() == 1).await;
        }
        assert!(
            reports
                .take()
                .iter()
                .all(|report| report.contains("failed"))
        );
        survivor.write_all(b"x").await?;
        survivor.read_exact(&mut [0]).await?;
        Ok(())
    });
}

#[test]
fn a_peer_that_does_not_read_costs_bounded_memory() {
    within_io(async {
        let most = Rc::new(Cell::new(0));
        let peak = Rc::clone(&most);
        let handler = async move |_: StreamReader, mut writer: StreamWriter| {
            let piece = [5; 10_000];
            for _ in 0..10 * MUCH / piece.len() {
                writer.write(&piece);
                peak.set(peak.get().max(writer.unsent()));
                writer.drain().await?;
            }
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        yield_until(|| most.get() > 64 << 10).await;
        for _ in 0..200 {
            petla::yield_now().await;
        }
        // The high mark and one piece: it waits there.
        assert!(most.get() <= (64 << 10) + 10_000, "{}", most.get());
        assert_eq!(server.shutdown(Duration::ZERO).await, 1);
        assert!(read_all(&peer).await.is_err());
        Ok(())
    });
}

/// A server whose listening socket can be broken from outside.
async fn fragile() -> io::Result<(petla::streams::Server, std::net::TcpListener)> {
    let listener = std::net::TcpListener::bind(LOCAL)?;
    let server = serve(TcpListener::from_std(listener.try_clone()?)?, echo).await?;
    served(&server).await?;
    Ok((server, listener))
}

/// Its next accept fails.
fn break_listener(listener: &std::net::TcpListener) {
    // SAFETY: no pointers.
    let result = unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RD) };
    assert_eq!(result, 0);
}

#[test]
fn a_listener_that_fails_ends_serve_forever_with_its_error() {
    within_io(async {
        let reports = collect_reports();
        let (server, listener) = fragile().await?;
        let peer = served(&server).await?;
        let mut forever = Box::pin(server.serve_forever());
        assert!(poll_once(&mut forever).is_pending());
        break_listener(&listener);
        let error = forever.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(reports.len(), 0, "told");
        assert!(!server.is_serving());
        peer.write_all(b"x").await?;
        peer.read_exact(&mut [0]).await?;
        let again = server.serve_forever().await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_listener_that_fails_and_nobody_asks_is_reported() {
    within_io(async {
        let reports = collect_reports();
        let (server, listener) = fragile().await?;
        break_listener(&listener);
        yield_until(|| !server.is_serving()).await;
        let report = reports.only();
        assert!(report.contains("cannot accept on 127.0.0.1:"), "{report}");

        let (server, listener) = fragile().await?;
        let mut forever = Box::pin(server.serve_forever());
        assert!(poll_once(&mut forever).is_pending());
        break_listener(&listener);
        yield_until(|| !server.is_serving()).await;
        assert_eq!(reports.len(), 0);
        drop(forever);
        let report = reports.only();
        assert!(report.contains("cannot accept on 127.0.0.1:"), "{report}");
        Ok(())
    });
}

#[test]
fn without_a_descriptor_clients_wait_and_are_served_later() {
    succeeds_alone(|| {
        within_io(async {
            let reports = collect_reports();
            let server = echo_server().await?;
            let first = served(&server).await?;
            let second = client(&server).await?;
            second.write_all(b"x").await?;
            let old = limit_descriptors(lowest_free());
            // It tries, pauses, and lets the others go on.
            yield_until(|| reports.len() == 1).await;
            first.write_all(b"y").await?;
            first.read_exact(&mut [0]).await?;
            assert_eq!(server.connections(), 1);
            let report = reports.only();
            assert!(report.contains("ulimit -n"), "{report}");
            limit_descriptors(old);
            second.read_exact(&mut [0]).await?;
            assert_eq!(reports.len(), 0, "one report");
            assert_eq!(server.connections(), 2);
            Ok(())
        });
    });
}

#[test]
fn a_server_that_pauses_for_lack_of_descriptors_can_be_closed() {
    succeeds_alone(|| {
        within_io(async {
            let reports = collect_reports();
            let server = echo_server().await?;
            let _waiting = client(&server).await?;
            let old = limit_descriptors(lowest_free());
            yield_until(|| reports.len() == 1).await;
            server.close();
            petla::yield_now().await;
            petla::yield_now().await;
            assert_eq!(all_tasks().len(), 1, "nothing pauses any more");
            server.wait_closed().await;
            limit_descriptors(old);
            Ok(())
        });
    });
}

#[test]
fn no_end_of_a_server_or_a_client_leaves_a_descriptor() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let main = async {
            for round in 0..6 {
                let reports = collect_reports();
                let before = descriptors();
                let server = echo_server().await?;
                let mut peers = Vec::new();
                for _ in 0..20 {
                    peers.push(served(&server).await?);
                }
                let waiting = client(&server).await?;
                match round {
                    0 => {}
                    1 => server.close_clients(),
                    2 => server.abort_clients(),
                    3 => peers.drain(..).for_each(reset),
                    4 => {
                        for peer in &peers {
                            let _ = poll_once(&mut peer.write_all(&[0; MUCH]));
                        }
                        server.abort_clients();
                    }
                    _ => drop(Box::pin(server.serve_forever())),
                }
                drop((server, peers, waiting));
                yield_until(|| all_tasks().len() == 1).await;
                yield_until(|| descriptors() == before).await;
                drop(reports);
            }
            io::Result::Ok(())
        };
        event_loop.run_until_complete(main).unwrap().unwrap();
    });
}

#[test]
fn a_stranger_that_cancels_the_accepting_closes_the_server() {
    within_io(async {
        for yields in 0..6 {
            let server = echo_server().await?;
            let peer = client(&server).await?;
            peer.write_all(b"ping").await?;
            for _ in 0..yields {
                petla::yield_now().await;
            }
            let accepts = |task: &petla::TaskRef| task.name() == "petla: accepts connections";
            let accepting = all_tasks().into_iter().find(accepts).unwrap();
            let accepted = server.connections();
            assert!(accepting.cancel("not mine"));
            // B64: an accept that is cancelled has taken nobody.
            let answered = peer.read_exact(&mut [0; 4]).await;
            assert_eq!(answered.is_ok(), accepted == 1, "after {yields} yields");
            yield_until(|| !server.is_serving()).await;
            drop(peer);
            server.wait_closed().await;
        }
        Ok(())
    });
}

#[test]
fn a_server_goes_on_in_the_next_run_of_its_loop() {
    let event_loop = EventLoop::new().unwrap();
    let server = event_loop.run_until_complete(echo_server());
    let server = server.unwrap().unwrap();
    for _ in 0..2 {
        let peer = event_loop.run_until_complete(served(&server));
        drop(peer.unwrap().unwrap());
    }
    server.abort_clients(); // between two runs: the handlers end in the next
    let aborted = event_loop.run_until_complete(server.shutdown(None));
    assert_eq!(aborted.unwrap(), 0);
    event_loop.close().unwrap();
}

/// The number that the next descriptor will have.
fn lowest_free() -> RawFd {
    std::fs::File::open("/dev/null").unwrap().as_raw_fd()
}

/// Forbids descriptors from `limit` on; returns the limit before.
fn limit_descriptors(limit: RawFd) -> RawFd {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call fills the structure.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) };
    let old = limits.rlim_cur;
    limits.rlim_cur = limit as libc::rlim_t;
    // SAFETY: the call reads the structure.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) };
    old as RawFd
}
