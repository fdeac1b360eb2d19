//! `stream_pair`: the ways of a socket, without one.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use petla::testing::{self, Explorer, assert_pending, assert_ready, poll_once, stream_pair};
use petla::{spawn, timeout};

use crate::common::{Bell, panic_text};

#[test]
fn what_is_written_on_one_side_is_read_on_the_other_in_both_directions() {
    let (a, b) = stream_pair(16);
    let mut buf = [0; 16];
    for (from, to) in [(&a, &b), (&b, &a)] {
        assert_eq!(assert_ready(&mut from.write(b"hello")).unwrap(), 5);
        assert_eq!(assert_ready(&mut to.read(&mut buf[..2])).unwrap(), 2);
        assert_eq!(assert_ready(&mut to.read(&mut buf[2..])).unwrap(), 3);
        assert_eq!(&buf[..5], b"hello");
        assert_pending(&mut to.read(&mut buf));
    }
}

#[test]
fn a_full_stream_takes_what_fits_and_then_waits_for_room() {
    let (a, b) = stream_pair(4);
    let bell = Bell::new();
    assert_eq!(assert_ready(&mut a.write(b"abcdef")).unwrap(), 4);
    let mut write = a.write(b"ef");
    assert!(bell.poll(&mut write).is_pending() && bell.poll(&mut write).is_pending());
    let mut buf = [0; 3];
    assert_eq!(assert_ready(&mut b.read(&mut buf)).unwrap(), 3);
    assert_eq!(bell.rings(), 1);
    assert_eq!(assert_ready(&mut write).unwrap(), 2);
    assert_ready(&mut b.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"def");
}

#[test]
fn everything_arrives_in_order_whatever_the_capacity_and_the_order_of_tasks() {
    for capacity in [1, 3, 64, 1000] {
        Explorer::new().seeds(0..20).run(async || {
            let data: Rc<Vec<u8>> = Rc::new((0..=255).cycle().take(500).collect());
            let (a, b) = stream_pair(capacity);
            let sent = data.clone();
            let writer = spawn(async move { a.write_all(&sent).await });
            let mut got = Vec::new();
            let mut buf = [0; 7];
            loop {
                match b.read(&mut buf).await.unwrap() {
                    0 => break,
                    n => got.extend_from_slice(&buf[..n]),
                }
            }
            assert_eq!(got, *data);
            writer.await.unwrap().unwrap();
        });
    }
}

#[test]
fn a_dropped_end_is_the_end_of_the_stream_after_what_it_wrote() {
    let (a, b) = stream_pair(16);
    assert_ready(&mut a.write_all(b"last")).unwrap();
    drop(a);
    let mut buf = [0; 16];
    assert_eq!(assert_ready(&mut b.read(&mut buf)).unwrap(), 4);
    for _ in 0..2 {
        assert_eq!(assert_ready(&mut b.read(&mut buf)).unwrap(), 0);
    }
    let error = assert_ready(&mut b.write(b"x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let error = assert_ready(&mut b.write_all(b"x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn whoever_waits_when_the_other_end_goes_is_woken() {
    let (a, b) = stream_pair(1);
    assert_ready(&mut b.write_all(b"x")).unwrap();
    let (reader, writer) = (Bell::new(), Bell::new());
    let mut buf = [0; 1];
    let (mut read, mut write) = (b.read(&mut buf), b.write(b"y"));
    assert!(reader.poll(&mut read).is_pending() && writer.poll(&mut write).is_pending());
    drop(a);
    assert_eq!((reader.rings(), writer.rings()), (1, 1));
    assert_eq!(assert_ready(&mut read).unwrap(), 0);
    assert!(assert_ready(&mut write).is_err());
}

#[test]
fn shutdown_ends_one_direction_and_leaves_the_other() {
    let (a, b) = stream_pair(16);
    let mut buf = [0; 16];
    assert_ready(&mut a.write_all(b"bye")).unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    let error = assert_ready(&mut a.write(b"more")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(assert_ready(&mut b.read(&mut buf)).unwrap(), 3);
    assert_eq!(assert_ready(&mut b.read(&mut buf)).unwrap(), 0);
    assert_ready(&mut b.write_all(b"answer")).unwrap();
    assert_eq!(assert_ready(&mut a.read(&mut buf)).unwrap(), 6);

    assert_ready(&mut b.write_all(b"rest")).unwrap();
    a.shutdown(Shutdown::Read).unwrap();
    assert!(assert_ready(&mut b.write(b"x")).is_err());
    assert_eq!(assert_ready(&mut a.read(&mut buf)).unwrap(), 4);
    assert_eq!(assert_ready(&mut a.read(&mut buf)).unwrap(), 0);
}

#[test]
fn an_exact_read_that_meets_the_end_says_how_far_it_came() {
    let (a, b) = stream_pair(16);
    assert_ready(&mut a.write_all(b"abc")).unwrap();
    drop(a);
    let error = assert_ready(&mut b.read_exact(&mut [0; 8])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), "the stream ended after 3 of 8 bytes");
}

#[test]
fn a_dropped_read_or_write_has_moved_nothing() {
    let (a, b) = stream_pair(2);
    let mut buf = [0; 2];
    assert_pending(&mut b.read(&mut buf));
    assert_ready(&mut a.write_all(b"ab")).unwrap();
    assert_pending(&mut a.write(b"cd"));
    assert_ready(&mut b.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"ab");
    assert_pending(&mut b.read(&mut buf));
}

#[test]
fn the_long_operations_say_how_far_they_came_when_they_are_given_up() {
    testing::run(async {
        let (a, b) = stream_pair(4);
        let mut write = a.write_all(b"abcdef");
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, &mut write).await.is_err());
        assert_eq!(write.written(), 4);
        let mut buf = [0; 8];
        let mut read = b.read_exact(&mut buf);
        assert!(timeout(hour, &mut read).await.is_err());
        assert_eq!(read.filled(), 4);
        write.await.unwrap();
        assert!(poll_once(&mut read).is_pending());
        assert_eq!(read.filled(), 6);
    });
}

#[test]
fn empty_buffers_are_done_at_once_and_an_empty_stream_is_refused() {
    let (a, b) = stream_pair(1);
    assert_eq!(assert_ready(&mut a.read(&mut [])).unwrap(), 0);
    assert_ready(&mut a.read_exact(&mut [])).unwrap();
    drop(b);
    assert_eq!(assert_ready(&mut a.write(b"")).unwrap(), 0);
    assert_ready(&mut a.write_all(b"")).unwrap();
    assert!(panic_text(|| stream_pair(0)).contains("at least one byte"));
    let shown = format!("{a:?}");
    assert!(shown.contains("incoming: 0 of 1 bytes"), "{shown}");
}
