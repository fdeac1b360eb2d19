//! Wakers that run code of their own in their clone and their drop: that code may come back to the
//! connection whose future is polled, by the server that it belongs to.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use petla::net::TcpStream;
use petla::streams::{Server, StreamReader, StreamWriter, copy, start_server};

use super::{MUCH, connected, noise, read_all};
use crate::common::{bump, poll_with, within_io, yield_until};

thread_local! {
    static HOOK: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

fn run_hook() {
    HOOK.with_borrow(|hook| hook.iter().for_each(|hook| hook()));
}

/// A waker whose clone and drop run this thread's hook, and whose wake is in vain.
fn hooked() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            run_hook();
            RawWaker::new(data, &TABLE)
        },
        |_| run_hook(),
        |_| (),
        |_| run_hook(),
    );
    // SAFETY: the functions ignore their data, and the hook is the thread's that calls them.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// Polls with a waker that closes the clients of `server` whenever it is cloned or dropped, and
/// drops it; says how often it closed them.
fn poll_hooked<F: Future + Unpin>(server: &Rc<Server>, future: &mut F) -> usize {
    let (server, runs) = (Rc::clone(server), Rc::new(Cell::new(0)));
    let count = Rc::clone(&runs);
    HOOK.set(Some(Box::new(move || {
        server.close_clients();
        bump(&count);
    })));
    assert!(poll_with(future, &hooked()).is_pending());
    HOOK.set(None);
    runs.get()
}

/// A server, the halves that it gave to its handler, and the other end.
async fn hosted() -> io::Result<(Rc<Server>, (StreamReader, StreamWriter), TcpStream)> {
    let given = Rc::new(RefCell::new(None));
    let place = Rc::clone(&given);
    let handler = async move |reader, writer| {
        place.replace(Some((reader, writer)));
        Ok(())
    };
    let server = Rc::new(start_server("127.0.0.1:0", handler).await?);
    let peer = TcpStream::connect(server.local_addr()?).await?;
    yield_until(|| given.borrow().is_some()).await;
    let halves = given.take().expect("it waited for them");
    Ok((server, halves, peer))
}

#[test]
fn a_drain_whose_waker_closes_its_connection_sends_everything() {
    within_io(async {
        let (server, (_reader, mut writer), peer) = hosted().await?;
        let data = noise(MUCH);
        writer.write(&data);
        let mut draining = writer.drain();
        let first = poll_hooked(&server, &mut draining);
        let second = poll_hooked(&server, &mut draining);
        assert_eq!(
            (first, second),
            (2, 3),
            "the second replaces the clone of the first"
        );
        drop(draining);
        assert!(writer.is_closing() && writer.unsent() > 0);
        assert!(read_all(&peer).await? == data);
        writer.drain().await
    });
}

#[test]
fn a_copy_whose_waker_closes_its_writer_takes_nothing_more() {
    within_io(async {
        let (server, (_reader, mut writer), peer) = hosted().await?;
        let (mut source, _source_writer, source_peer) = connected().await?;
        let mut copying = copy(&mut source, &mut writer);
        assert_eq!(poll_hooked(&server, &mut copying), 2);
        source_peer.write_all(b"not taken").await?;
        let error = copying.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(read_all(&peer).await?, b"");
        let mut left = [0; 9];
        source.read_exact(&mut left).await?;
        assert_eq!(&left, b"not taken");
        Ok(())
    });
}
