//! `add_reader` and `add_writer`: level-triggered callbacks on anybody's descriptors.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use petla::{ContextVar, EventLoop, current_task, sleep};

use crate::common::{
    Count, Drops, Log, bump, collect_reports, raise, succeeds_alone, within, yield_until,
};

/// A number for a descriptor that need not exist.
struct Number(RawFd);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// A pipe whose reading end is shared with a callback.
fn shared_pipe() -> (Rc<RefCell<PipeReader>>, PipeWriter, Number) {
    let (reader, writer) = io::pipe().unwrap();
    let number = Number(reader.as_raw_fd());
    (Rc::new(RefCell::new(reader)), writer, number)
}

/// One byte, which is there.
fn take_byte(reader: &RefCell<PipeReader>) -> u8 {
    let mut byte = [0];
    reader.borrow_mut().read_exact(&mut byte).unwrap();
    byte[0]
}

/// Some batches, and a sleep: whatever is ready has been noticed after that.
async fn settle() {
    for _ in 0..3 {
        sleep(std::time::Duration::from_micros(200)).await;
    }
}

#[test]
fn a_reader_that_stops_the_loop_is_called_once() {
    let event_loop = EventLoop::new().unwrap();
    let (reader, mut writer, number) = shared_pipe();
    let log = Log::new();
    let (notes, stopped) = (log.clone(), event_loop.clone());
    let call = move || {
        notes.push(take_byte(&reader));
        stopped.stop();
    };
    event_loop.add_reader(&number, call).unwrap();
    for byte in *b"ab" {
        writer.write_all(&[byte]).unwrap();
        event_loop.run_forever().unwrap();
        assert_eq!(log.take(), [byte]);
    }
    event_loop.remove_reader(&number);
}

#[test]
fn a_reader_is_called_for_as_long_as_something_is_left() {
    within(async {
        let (reader, mut writer, number) = shared_pipe();
        let log = Log::new();
        let notes = log.clone();
        let event_loop = EventLoop::current();
        event_loop
            .add_reader(&number, move || notes.push(take_byte(&reader)))
            .unwrap();
        settle().await;
        assert_eq!(log.len(), 0, "nothing to read");
        for text in [b"abc", b"def"] {
            writer.write_all(text).unwrap();
            yield_until(|| log.len() == 3).await;
            settle().await;
            assert_eq!(log.take(), text);
        }
        assert!(event_loop.remove_reader(&number));
        writer.write_all(b"g").unwrap();
        settle().await;
        assert_eq!(log.len(), 0);
        assert!(!event_loop.remove_reader(&number));
    });
}

#[test]
fn a_reader_that_reads_nothing_starves_nobody() {
    within(async {
        let (_reader, mut writer, number) = shared_pipe();
        let (calls, other) = (Count::default(), Count::default());
        let counted = Rc::clone(&calls);
        EventLoop::current()
            .add_reader(&number, move || bump(&counted))
            .unwrap();
        writer.write_all(b"x").unwrap();
        let (second, mut more, second_number) = shared_pipe();
        let counted = Rc::clone(&other);
        let read = move || {
            take_byte(&second);
            bump(&counted);
        };
        EventLoop::current()
            .add_reader(&second_number, read)
            .unwrap();
        yield_until(|| calls.get() > 3).await;
        more.write_all(b"y").unwrap();
        sleep(std::time::Duration::from_micros(100)).await;
        yield_until(|| other.get() == 1).await;
    });
}

#[test]
fn the_end_of_a_pipe_is_something_to_read() {
    within(async {
        let (reader, writer, number) = shared_pipe();
        let log = Log::new();
        let notes = log.clone();
        let event_loop = EventLoop::current();
        let own = event_loop.clone();
        let at_end = move || {
            notes.push(reader.borrow_mut().read(&mut [0; 8]).unwrap());
            own.remove_reader(&*reader.borrow());
        };
        event_loop.add_reader(&number, at_end).unwrap();
        petla::yield_now().await;
        drop(writer);
        yield_until(|| log.len() == 1).await;
        assert_eq!(log.take(), [0]);
    });
}

#[test]
fn a_writer_is_called_while_there_is_room() {
    within(async {
        let (mut left, mut right) = UnixStream::pair().unwrap();
        left.set_nonblocking(true).unwrap();
        while left.write(&[0; 4096]).is_ok() {} // full
        let calls = Count::default();
        let counted = Rc::clone(&calls);
        EventLoop::current()
            .add_writer(&left, move || bump(&counted))
            .unwrap();
        settle().await;
        assert_eq!(calls.get(), 0);
        let mut all = vec![0; 1 << 20];
        assert!(right.read(&mut all).unwrap() > 0);
        right.set_nonblocking(true).unwrap();
        while right.read(&mut all).is_ok() {}
        yield_until(|| calls.get() >= 3).await;
        assert!(EventLoop::current().remove_writer(&left));
        let before = calls.get();
        settle().await;
        assert_eq!(calls.get(), before);
    });
}

#[test]
fn a_second_reader_takes_the_place_of_the_first() {
    within(async {
        let (_reader, mut writer, number) = shared_pipe();
        let (event_loop, log, drops) = (EventLoop::current(), Log::new(), Drops::default());
        let (notes, guard) = (log.clone(), drops.guard());
        let first = move || {
            let _kept = &guard;
            notes.push("first");
        };
        event_loop.add_reader(&number, first).unwrap();
        settle().await;
        let (notes, own) = (log.clone(), event_loop.clone());
        let second = move || {
            notes.push("second");
            own.remove_reader(&number);
        };
        let number = Number(_reader.borrow().as_raw_fd());
        event_loop.add_reader(&number, second).unwrap();
        writer.write_all(b"x").unwrap();
        yield_until(|| log.len() == 1).await;
        settle().await;
        assert_eq!((log.take(), drops.count()), (vec!["second"], 1));
    });
}

#[test]
fn a_reader_may_remove_itself_and_put_another_in_its_place() {
    within(async {
        let (reader, mut writer, number) = shared_pipe();
        let (event_loop, log) = (EventLoop::current(), Log::new());
        let (own, notes) = (event_loop.clone(), log.clone());
        let source = Rc::clone(&reader);
        let first = move || {
            notes.push(("first", take_byte(&source)));
            assert!(own.remove_reader(&*source.borrow()));
            let (notes, source) = (notes.clone(), Rc::clone(&source));
            let number = Number(source.borrow().as_raw_fd());
            own.add_reader(&number, move || notes.push(("second", take_byte(&source))))
                .unwrap();
        };
        event_loop.add_reader(&number, first).unwrap();
        writer.write_all(b"ab").unwrap();
        yield_until(|| log.len() == 2).await;
        writer.write_all(b"c").unwrap();
        yield_until(|| log.len() == 3).await;
        assert_eq!(
            log.take(),
            [("first", b'a'), ("second", b'b'), ("second", b'c')]
        );
        assert!(event_loop.remove_reader(&number));
    });
}

#[test]
fn a_reader_and_a_writer_share_one_descriptor() {
    within(async {
        let (left, mut right) = UnixStream::pair().unwrap();
        let left = Rc::new(left);
        let (event_loop, reads, writes) = (EventLoop::current(), Log::new(), Count::default());
        let (notes, stream) = (reads.clone(), Rc::clone(&left));
        let read = move || {
            let mut byte = [0];
            (&*stream).read_exact(&mut byte).unwrap();
            notes.push(byte[0]);
        };
        event_loop.add_reader(&*left, read).unwrap();
        let counted = Rc::clone(&writes);
        event_loop
            .add_writer(&*left, move || bump(&counted))
            .unwrap();
        yield_until(|| writes.get() > 2).await;
        assert_eq!(reads.len(), 0);
        right.write_all(b"x").unwrap();
        yield_until(|| reads.len() == 1).await;
        assert!(event_loop.remove_writer(&*left));
        let before = writes.get();
        right.write_all(b"y").unwrap();
        yield_until(|| reads.len() == 2).await;
        settle().await;
        assert_eq!((reads.take(), writes.get()), (b"xy".to_vec(), before));
        assert!(event_loop.remove_reader(&*left) && !event_loop.remove_writer(&*left));
    });
}

#[test]
fn a_number_that_is_used_again_by_another_file_is_another_descriptor() {
    within(async {
        let event_loop = EventLoop::current();
        let (reader, _writer, number) = shared_pipe();
        for round in 0..3_u8 {
            let (fresh, mut writer) = io::pipe().unwrap();
            let log = Log::new();
            let (notes, source) = (log.clone(), Rc::clone(&reader));
            event_loop
                .add_reader(&number, move || notes.push(take_byte(&source)))
                .unwrap();
            petla::yield_now().await;
            assert!(event_loop.remove_reader(&number));
            // Closes what the number stood for and lets it stand for another pipe, in one step.
            // SAFETY: both numbers are open descriptors that this test owns.
            assert_eq!(unsafe { libc::dup2(fresh.as_raw_fd(), number.0) }, number.0);
            let (notes, source) = (log.clone(), Rc::clone(&reader));
            event_loop
                .add_reader(&number, move || notes.push(take_byte(&source)))
                .unwrap();
            petla::yield_now().await;
            writer.write_all(&[round]).unwrap();
            yield_until(|| log.len() == 1).await;
            assert_eq!(log.take(), [round]);
            assert!(event_loop.remove_reader(&number));
        }
    });
}

#[test]
fn readers_come_and_go_also_while_the_loop_does_not_run() {
    let event_loop = EventLoop::new().unwrap();
    let (reader, mut writer, number) = shared_pipe();
    let log = Log::new();
    for round in 0..3_u8 {
        let (notes, source) = (log.clone(), Rc::clone(&reader));
        event_loop
            .add_reader(&number, move || notes.push(take_byte(&source)))
            .unwrap();
        assert!(event_loop.remove_reader(&number) && !event_loop.remove_reader(&number));
        let (notes, source) = (log.clone(), Rc::clone(&reader));
        let added = event_loop.add_reader(&number, move || notes.push(take_byte(&source)));
        added.expect("it was removed");
        writer.write_all(&[round]).unwrap();
        event_loop
            .run_until_complete(yield_until(|| log.len() == 1))
            .unwrap();
        assert_eq!(log.take(), [round]);
        assert!(event_loop.remove_reader(&number));
    }
}

static CALLER: ContextVar<&str> = ContextVar::new(|| "nobody");

#[test]
fn a_reader_is_no_task_and_sees_the_values_of_whoever_added_it() {
    within(async {
        let (reader, mut writer, number) = shared_pipe();
        let log = Log::new();
        let notes = log.clone();
        CALLER.set("the one who added it");
        let look = move || {
            take_byte(&reader);
            notes.push((current_task().is_none(), CALLER.get()));
        };
        EventLoop::current().add_reader(&number, look).unwrap();
        CALLER.set("changed");
        writer.write_all(b"x").unwrap();
        yield_until(|| log.len() == 1).await;
        assert_eq!(log.take(), [(true, "the one who added it")]);
        assert!(petla::all_tasks() == [current_task().unwrap()]);
    });
}

#[test]
fn a_reader_that_panics_is_reported_and_called_again() {
    within(async {
        let (reader, mut writer, number) = shared_pipe();
        let (reports, calls) = (collect_reports(), Count::default());
        let counted = Rc::clone(&calls);
        let broken = move || {
            take_byte(&reader);
            bump(&counted);
            raise("in a reader")
        };
        EventLoop::current().add_reader(&number, broken).unwrap();
        writer.write_all(b"ab").unwrap();
        yield_until(|| calls.get() == 2).await;
        let words = "the callback of a descriptor panicked: panicked: in a reader";
        assert_eq!(reports.take(), [words; 2]);
    });
}

#[test]
fn callbacks_of_descriptors_are_dropped_when_the_loop_closes() {
    let event_loop = EventLoop::new().unwrap();
    let (drops, (left, _right)) = (Drops::default(), UnixStream::pair().unwrap());
    let (read, write, own) = (drops.guard(), drops.guard(), event_loop.clone());
    event_loop
        .add_reader(&left, move || _ = (&read, &own))
        .unwrap();
    event_loop.add_writer(&left, move || _ = &write).unwrap();
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    event_loop.close().unwrap();
    assert_eq!(drops.count(), 2);
}

#[test]
fn descriptors_that_cannot_be_watched_are_clear_errors() {
    within(async {
        let event_loop = EventLoop::current();
        let file = File::open("/proc/self/exe").unwrap();
        let refused = event_loop.add_reader(&file, || ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("a regular file?"), "{refused}");
        for number in [-1, i32::MIN, 1_000_000_000] {
            for result in [
                event_loop.add_reader(&Number(number), || ()),
                event_loop.add_writer(&Number(number), || ()),
            ] {
                assert_eq!(
                    result.unwrap_err().raw_os_error(),
                    Some(libc::EBADF),
                    "{number}"
                );
            }
            assert!(!event_loop.remove_reader(&Number(number)));
        }
        // A refusal leaves nothing behind: the same number works once it is a pipe.
        let (reader, mut writer, number) = shared_pipe();
        let log = Log::new();
        let notes = log.clone();
        event_loop
            .add_reader(&number, move || notes.push(take_byte(&reader)))
            .unwrap();
        writer.write_all(b"x").unwrap();
        yield_until(|| log.len() == 1).await;
    });
}

#[test]
fn a_descriptor_that_a_socket_waits_for_is_taken() {
    within(async {
        let (left, _right) = petla::net::UnixStream::pair().unwrap();
        let mut buf = [0];
        let mut read = Box::pin(left.read(&mut buf));
        assert!(crate::common::poll_once(&mut read).is_pending());
        let taken = EventLoop::current().add_reader(&left, || ()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert!(
            taken.to_string().contains("use one, or duplicate it"),
            "{taken}"
        );
    });
}

#[test]
fn a_descriptor_closed_under_its_reader_harms_nobody_else() {
    succeeds_alone(|| {
        within(async {
            let event_loop = EventLoop::current();
            let (reader, writer, number) = shared_pipe();
            let called = Rc::new(Cell::new(false));
            let mark = Rc::clone(&called);
            event_loop
                .add_reader(&number, move || mark.set(true))
                .unwrap();
            petla::yield_now().await;
            drop((reader, writer)); // against the rules: it was not removed before
            let (other, mut more, other_number) = shared_pipe();
            let log = Log::new();
            let (notes, source) = (log.clone(), Rc::clone(&other));
            event_loop.remove_reader(&number);
            event_loop
                .add_reader(&other_number, move || notes.push(take_byte(&source)))
                .unwrap();
            more.write_all(b"x").unwrap();
            yield_until(|| log.len() == 1).await;
            assert!(!called.get());
        });
    });
}
