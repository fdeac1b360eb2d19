//! The ends of a server: what each leaves alone, and whom it waits for (B74, E13).

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use petla::all_tasks;
use petla::net::{TcpListener, TcpStream};
use petla::streams::{Server, StreamReader, StreamWriter, start_server};

use super::{LOCAL, MUCH, client, echo_server, idle_server, read_all, served};
use crate::common::{Drops, OnDrop, collect_reports, poll_once, raise, within_io, yield_until};

const SECOND: Duration = Duration::from_secs(1);

/// Pins a future on the heap, so that it may be polled by hand.
macro_rules! by_hand {
    ($future:expr) => {
        Box::pin($future)
    };
}

#[test]
fn wait_closed_waits_for_the_close_and_for_the_clients() {
    within_io(async {
        // E13: neither, one, the other, both; asyncio returned early for an open server (B74).
        let server = echo_server().await?;
        let mut wait = by_hand!(server.wait_closed());
        assert!(poll_once(&mut wait).is_pending(), "open, no clients");
        let client = served(&server).await?;
        assert!(poll_once(&mut wait).is_pending(), "open, a client");
        server.close();
        assert!(poll_once(&mut wait).is_pending(), "closed, a client");
        drop(client);
        wait.await;
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn wait_closed_after_the_close_of_a_server_without_clients_is_ready() {
    within_io(async {
        let server = echo_server().await?;
        drop(served(&server).await?);
        yield_until(|| server.connections() == 0).await;
        server.close();
        server.close();
        assert!(poll_once(&mut by_hand!(server.wait_closed())).is_ready());
        assert!(!server.is_serving());
        Ok(())
    });
}

#[test]
fn all_who_wait_are_told() {
    within_io(async {
        let server = Rc::new(echo_server().await?);
        let client = served(&server).await?;
        let wait = || {
            let server = Rc::clone(&server);
            petla::spawn(async move { server.wait_closed().await })
        };
        let waits = [wait(), wait(), wait()];
        petla::yield_now().await;
        server.close();
        drop(client);
        for wait in waits {
            wait.await?;
        }
        Ok(())
    });
}

#[test]
fn a_close_frees_the_port_at_once_and_leaves_the_clients() {
    within_io(async {
        let server = echo_server().await?;
        let addr = server.local_addr()?;
        let peer = served(&server).await?;
        server.close();
        let again = TcpListener::bind(addr).await?;
        assert_eq!(server.local_addr()?, addr, "it is still known");
        peer.write_all(b"still there").await?;
        let mut answer = [0; 11];
        peer.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"still there");
        drop(again);
        Ok(())
    });
}

#[test]
fn a_dropped_server_is_closed_and_its_clients_live_on() {
    within_io(async {
        let server = echo_server().await?;
        let addr = server.local_addr()?;
        let peer = served(&server).await?;
        drop(server);
        let again = TcpListener::bind(addr).await?;
        peer.write_all(b"x").await?;
        peer.read_exact(&mut [0]).await?;
        drop((again, peer));
        yield_until(|| all_tasks().len() == 1).await;
        Ok(())
    });
}

#[test]
fn a_close_in_the_moment_of_an_accept_loses_no_client() {
    within_io(async {
        // B74: whoever was accepted is served, at whichever poll the close comes.
        for polls in 0..12 {
            let server = echo_server().await?;
            let peer = client(&server).await?;
            peer.write_all(b"ping").await?;
            for _ in 0..polls {
                petla::yield_now().await;
            }
            let accepted = server.connections();
            server.close();
            let mut answer = [0; 4];
            let answered = peer.read_exact(&mut answer).await;
            assert_eq!(answered.is_ok(), accepted == 1, "after {polls} polls");
            drop(peer);
            server.wait_closed().await;
        }
        Ok(())
    });
}

#[test]
fn clients_that_are_closed_get_what_is_unsent_and_handlers_read_the_end() {
    within_io(async {
        let ends = Rc::new(Cell::new(0));
        let count = Rc::clone(&ends);
        let handler = async move |mut reader: StreamReader, mut writer: StreamWriter| {
            writer.write(&vec![7; MUCH]);
            assert_eq!(reader.read_line().await?, None);
            count.set(count.get() + 1);
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peers = [client(&server).await?, client(&server).await?];
        yield_until(|| server.connections() == 2).await;
        petla::yield_now().await;
        server.close_clients();
        for peer in &peers {
            assert_eq!(read_all(peer).await?, vec![7; MUCH]);
        }
        server.close();
        server.wait_closed().await;
        assert_eq!(ends.get(), 2);
        Ok(())
    });
}

#[test]
fn clients_may_be_closed_and_aborted_while_the_server_goes_on() {
    within_io(async {
        let server = echo_server().await?;
        let first = served(&server).await?;
        server.close_clients();
        assert_eq!(read_all(&first).await?, b"");
        let second = served(&server).await?;
        server.abort_clients();
        let error = read_all(&second).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        yield_until(|| server.connections() == 0).await;
        served(&server).await?;
        Ok(())
    });
}

#[test]
fn aborted_clients_go_also_with_full_buffers_and_handlers_that_never_end() {
    within_io(async {
        // E13: abort_clients with a peer that does not read.
        let handler = async |_: StreamReader, mut writer: StreamWriter| {
            writer.write(&vec![1; MUCH]);
            let _kept = writer;
            pending().await
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        yield_until(|| server.connections() == 1).await;
        petla::yield_now().await;
        server.close();
        server.abort_clients();
        server.wait_closed().await;
        let error = read_all(&peer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        yield_until(|| all_tasks().len() == 1).await;
        Ok(())
    });
}

#[test]
fn an_aborted_connection_whose_handler_has_ended_stops_sending() {
    within_io(async {
        let handler = async |_: StreamReader, mut writer: StreamWriter| {
            writer.write(&vec![1; MUCH]);
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        // The handler's task has gone, the one that sends the rest has come.
        yield_until(|| {
            let sends = |task: &petla::TaskRef| task.name().starts_with("petla: sends");
            all_tasks().iter().any(sends)
        })
        .await;
        petla::yield_now().await;
        assert_eq!(server.shutdown(Duration::ZERO).await, 1);
        assert!(read_all(&peer).await.is_err());
        Ok(())
    });
}

#[test]
fn an_abort_does_not_wait_for_a_writer_that_somebody_keeps() {
    within_io(async {
        let kept = Rc::new(Cell::new(None));
        let place = Rc::clone(&kept);
        let handler = async move |_: StreamReader, writer: StreamWriter| {
            place.set(Some(writer));
            pending().await
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        let mut writer = loop {
            match kept.take() {
                Some(writer) => break writer,
                None => petla::yield_now().await,
            }
        };
        assert_eq!(server.shutdown(Duration::ZERO).await, 1);
        assert!(read_all(&peer).await.is_err());
        let error = writer.drain().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        Ok(())
    });
}

#[test]
fn a_handler_that_panics_when_it_is_aborted_is_reported() {
    within_io(async {
        let reports = collect_reports();
        let handler = async |_reader, _writer| {
            let _angry = OnDrop(|| raise("not like this"));
            pending().await
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        yield_until(|| server.connections() == 1).await;
        petla::yield_now().await;
        assert_eq!(server.shutdown(Duration::ZERO).await, 1);
        let report = reports.only();
        let who = format!("the handler of the connection from {}", peer.local_addr()?);
        assert!(report.starts_with(&who), "{report}");
        assert!(report.contains("not like this"), "{report}");
        Ok(())
    });
}

#[test]
fn a_cancelled_handler_has_its_clean_ups() {
    within_io(async {
        let cleaned = Rc::new(Cell::new(false));
        let mark = Rc::clone(&cleaned);
        let handler = async move |_reader, _writer| {
            let mark = Rc::clone(&mark);
            petla::on_cancel(async move {
                petla::yield_now().await;
                mark.set(true);
            });
            pending().await
        };
        let server = start_server(LOCAL, handler).await?;
        let _peer = client(&server).await?;
        yield_until(|| server.connections() == 1).await;
        petla::yield_now().await;
        assert_eq!(server.shutdown(Duration::ZERO).await, 1);
        assert!(cleaned.get(), "and shutdown has waited for them");
        Ok(())
    });
}

#[test]
fn a_shutdown_waits_up_to_its_limit_and_says_how_many_it_aborted() {
    petla::testing::run(async {
        let begin = petla::now();
        for (limit, waits) in [
            (Some(Duration::ZERO), Duration::ZERO),
            (Some(5 * SECOND), 5 * SECOND),
        ] {
            let (server, begun) = idle_server().await.unwrap();
            let addr = server.local_addr().unwrap();
            let mut peers = Vec::new();
            for _ in 0..3 {
                peers.push(client(&server).await.unwrap());
            }
            yield_until(|| begun.get() == 3).await;
            let from = petla::now();
            assert_eq!(server.shutdown(limit).await, 3);
            assert_eq!(petla::now() - from, waits);
            assert!(TcpStream::connect(addr).await.is_err());
            for peer in peers {
                assert!(peer.read(&mut [0]).await.is_err());
            }
        }
        assert_eq!(petla::now() - begin, 5 * SECOND);
    });
}

#[test]
fn a_shutdown_ends_with_the_last_client() {
    petla::testing::run(async {
        let server = echo_server().await.unwrap();
        let client = served(&server).await.unwrap();
        let begin = petla::now();
        let leave = async {
            petla::sleep(SECOND).await;
            drop(client);
        };
        let (aborted, ()) = petla::gather!(server.shutdown(10 * SECOND), leave).await;
        assert_eq!(aborted, 0);
        assert_eq!(petla::now() - begin, SECOND);
        let nobody = echo_server().await.unwrap();
        assert_eq!(nobody.shutdown(Duration::ZERO).await, 0);
    });
}

#[test]
fn a_shutdown_that_is_given_up_leaves_the_clients() {
    within_io(async {
        let server = echo_server().await?;
        let addr = server.local_addr()?;
        let peer = served(&server).await?;
        assert!(poll_once(&mut by_hand!(server.shutdown(None))).is_pending());
        assert!(TcpStream::connect(addr).await.is_err());
        peer.write_all(b"x").await?;
        peer.read_exact(&mut [0]).await?;
        Ok(())
    });
}

#[test]
fn a_handler_may_close_its_own_server() {
    within_io(async {
        let place: Rc<RefCell<Option<Rc<Server>>>> = Rc::default();
        let own = Rc::clone(&place);
        let handler = async move |_: StreamReader, mut writer: StreamWriter| {
            let server = own.take().unwrap();
            server.close();
            let mut wait = by_hand!(server.wait_closed());
            assert!(poll_once(&mut wait).is_pending(), "it waits for itself");
            writer.write(b"closed");
            writer.wait_closed().await
        };
        let server = Rc::new(start_server(LOCAL, handler).await?);
        place.replace(Some(Rc::clone(&server)));
        let peer = client(&server).await?;
        server.serve_forever().await?;
        assert_eq!(read_all(&peer).await?, b"closed");
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn a_handler_may_abort_all_clients_with_itself() {
    within_io(async {
        let place: Rc<RefCell<Option<Rc<Server>>>> = Rc::default();
        let (own, drops) = (Rc::clone(&place), Drops::default());
        let guards = drops.clone();
        let handler = async move |_reader, _writer| {
            let _guard = guards.guard();
            let server = own.borrow().clone().unwrap();
            if server.connections() == 2 {
                server.abort_clients();
            }
            pending().await
        };
        let server = Rc::new(start_server(LOCAL, handler).await?);
        place.replace(Some(Rc::clone(&server)));
        let peers = [client(&server).await?, client(&server).await?];
        yield_until(|| drops.count() > 0 && server.connections() == 0).await;
        for peer in &peers {
            assert!(read_all(peer).await.is_err());
        }
        assert!(server.is_serving());
        place.take();
        Ok(())
    });
}

#[test]
fn serve_forever_ends_at_the_close() {
    within_io(async {
        let server = Rc::new(echo_server().await?);
        let closer = Rc::clone(&server);
        let task = petla::spawn(async move { closer.close() });
        server.serve_forever().await?;
        task.await?;
        let error = server.serve_forever().await.unwrap_err();
        assert!(error.to_string().contains("closed before"), "{error}");
        Ok(())
    });
}

#[test]
fn serve_forever_is_for_one() {
    within_io(async {
        let server = echo_server().await?;
        let mut first = by_hand!(server.serve_forever());
        assert!(poll_once(&mut first).is_pending());
        let error = server.serve_forever().await.unwrap_err();
        assert!(error.to_string().contains("awaits"), "{error}");
        assert!(server.is_serving(), "the second call did no harm");
        server.close();
        first.await
    });
}

#[test]
fn a_cancelled_serve_forever_closes_the_server() {
    within_io(async {
        let server = echo_server().await?;
        drop(server.serve_forever());
        assert!(server.is_serving(), "it was never polled");
        let peer = served(&server).await?;
        let mut forever = by_hand!(server.serve_forever());
        assert!(poll_once(&mut forever).is_pending());
        drop(forever);
        assert!(!server.is_serving());
        assert!(client(&server).await.is_err());
        peer.write_all(b"x").await?;
        peer.read_exact(&mut [0]).await?;
        Ok(())
    });
}

#[test]
fn the_end_of_the_loop_ends_server_and_handlers() {
    let drops = Drops::default();
    let guards = drops.clone();
    let kept = Rc::new(RefCell::new(None));
    let place = Rc::clone(&kept);
    let peer = crate::common::within(async move {
        let handler = async move |_reader, _writer| {
            let _guard = guards.guard();
            pending().await
        };
        let server = start_server(LOCAL, handler).await?;
        let addr = server.local_addr()?;
        let peer = std::net::TcpStream::connect(addr)?;
        yield_until(|| server.connections() == 1).await;
        petla::yield_now().await;
        place.replace(Some(server));
        io::Result::Ok((peer, addr))
    });
    let (mut peer, addr) = peer.unwrap();
    assert_eq!(drops.count(), 1);
    assert_eq!(io::Read::read(&mut peer, &mut [0]).unwrap(), 0);
    let server = kept.take().unwrap();
    assert!(!server.is_serving());
    assert_eq!(server.connections(), 0);
    std::net::TcpListener::bind(addr).unwrap();
}
