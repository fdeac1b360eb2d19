//! What comes in.

use std::fs::File;
use std::future::poll_fn;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Mutex;
use std::task::Poll;

use petla::Stream;
use petla::event_loop::Workers;
use petla::io::stdin;

use crate::common::fd::flags;
use crate::common::{alone_command, within, within_io};
use crate::{Running, streams};

/// Runs the calling test's body with this as its standard input, without an end of ours.
fn run_with(stdin: impl Into<Stdio>, body: impl FnOnce()) {
    if let Some(mut command) = alone_command(body) {
        command.stdin(stdin.into());
        Running::start(command).ends();
    }
}

#[test]
fn lines_come_one_by_one_from_whatever_it_is_and_its_mode_stays() {
    let body = || {
        within_io(async {
            for expected in ["one", "", "three is cut\r in two"] {
                assert_eq!(stdin().read_line().await?.unwrap(), expected);
                println!("<got");
            }
            assert_eq!(stdin().read_line().await?.unwrap(), "last");
            Ok(())
        });
    };
    for (kind, mut ours, theirs) in streams() {
        let Some(mut command) = alone_command(body) else {
            return;
        };
        println!("{kind}");
        let before = flags(&theirs);
        command.stdin(theirs.try_clone().unwrap());
        let mut child = Running::start(command);
        ours.write_all(b"one\r\n\nthree is cut").unwrap();
        child.line("<got");
        child.line("<got");
        assert_eq!(flags(&theirs), before, "{kind}: while it waits");
        ours.write_all(b"\r in two\n").unwrap();
        child.line("<got");
        ours.write_all(b"last\n").unwrap();
        child.ends();
        assert_eq!(flags(&theirs), before, "{kind}");
    }
}

#[test]
fn the_last_line_of_a_pipe_may_lack_its_end_and_then_there_is_none() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"first\nlast").unwrap();
    drop(writer);
    run_with(reader, || {
        within_io(async {
            assert_eq!(stdin().read_line().await?.as_deref(), Some("first"));
            assert_eq!(stdin().read_line().await?.as_deref(), Some("last"));
            for _ in 0..2 {
                assert_eq!(stdin().read_line().await?, None);
                assert_eq!(stdin().read(&mut [0; 8]).await?, 0);
            }
            Ok(())
        });
    });
}

#[test]
fn a_terminal_goes_on_after_its_end_was_told() {
    let body = || {
        within_io(async {
            assert_eq!(stdin().read_line().await?, None);
            println!("<end");
            assert_eq!(stdin().read_line().await?.as_deref(), Some("more"));
            Ok(())
        });
    };
    let Some(mut command) = alone_command(body) else {
        return;
    };
    let (mut master, terminal) = crate::pty();
    command.stdin(terminal);
    let mut child = Running::start(command);
    master.write_all(b"\x04").unwrap();
    child.line("<end");
    master.write_all(b"more\n").unwrap();
    child.ends();
}

#[test]
fn a_file_is_read_from_where_it_stands() {
    let body = || {
        within_io(async {
            let mut lines = stdin().lines();
            for n in 1..20_000 {
                let line = match n % 2 {
                    0 => lines.next().await,
                    _ => poll_fn(|cx| Pin::new(&mut lines).poll_next(cx)).await,
                };
                assert_eq!(line.unwrap()?, format!("line {n}"));
            }
            assert!(lines.next().await.is_none());
            Ok(())
        });
    };
    let Some(mut command) = alone_command(body) else {
        return;
    };
    let path = std::env::temp_dir().join(format!("petla-stdin-{}", std::process::id()));
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    std::fs::write(&path, text).unwrap();
    let mut file = File::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    command.stdin(file);
    Running::start(command).ends();
}

#[test]
fn nothing_comes_from_dev_null_and_from_a_closed_descriptor() {
    run_with(Stdio::null(), || {
        within_io(async {
            let mut all = Vec::new();
            assert_eq!(stdin().read_to_end(&mut all).await?, 0);
            assert_eq!(stdin().read_line().await?, None);
            // SAFETY: nobody else uses it here.
            unsafe { libc::close(0) };
            assert_eq!(stdin().read(&mut [0; 8]).await?, 0, "ours is open");
            Ok(())
        });
    });
}

#[test]
fn a_line_that_is_no_text_is_an_error_and_stays_to_be_read_as_bytes() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"ok\n\xff\xfe\nrest").unwrap();
    drop(writer);
    run_with(reader, || {
        within_io(async {
            assert_eq!(stdin().read_line().await?.as_deref(), Some("ok"));
            for _ in 0..2 {
                let error = stdin().read_line().await.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            }
            let mut bytes = [0; 3];
            assert_eq!(stdin().read(&mut bytes).await?, 3);
            assert_eq!(&bytes, b"\xff\xfe\n");
            assert_eq!(stdin().read(&mut []).await?, 0);
            let mut all = b"the ".to_vec();
            assert_eq!(stdin().read_to_end(&mut all).await?, 4);
            assert_eq!(all, b"the rest");
            Ok(())
        });
    });
}

#[test]
fn a_line_that_is_no_text_ends_the_lines_so_that_nobody_spins() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"ok\n\xff\n").unwrap();
    drop(writer);
    run_with(reader, || {
        within_io(async {
            let (mut lines, mut stream) = (stdin().lines(), stdin().lines());
            assert_eq!(lines.next().await.unwrap()?, "ok");
            assert!(lines.next().await.unwrap().is_err());
            assert!(lines.next().await.is_none());
            for has_failed in [false, true] {
                let next = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await;
                assert_eq!(next.is_none(), has_failed);
            }
            Ok(())
        });
    });
}

#[test]
fn loops_one_after_the_other_and_side_by_side_share_the_lines() {
    const LINES: usize = 3_000;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let feeder = std::thread::spawn(move || {
        (0..LINES).try_for_each(|n| writer.write_all(format!("{n}\n").as_bytes()))
    });
    run_with(reader, || {
        let seen = Mutex::new(Vec::new());
        let take = async || {
            let line = stdin().read_line().await.unwrap()?;
            seen.lock().unwrap().push(line.parse::<usize>().unwrap());
            Some(())
        };
        for _ in 0..10 {
            within(take()).unwrap();
        }
        let outcomes = Workers::new(3).run(async |_| while take().await.is_some() {});
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..LINES).collect::<Vec<_>>());
    });
    let _ = feeder.join().unwrap(); // in the child nobody reads it
}

#[test]
fn loops_side_by_side_wait_in_turn() {
    const LINES: usize = 40;
    let body = || {
        let outcomes = Workers::new(2).run(async |_| {
            let mut count = 0;
            while stdin().read_line().await.unwrap().is_some() {
                println!("<next");
                count += 1;
            }
            count
        });
        let counts: Vec<usize> = outcomes.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(counts.iter().sum::<usize>(), LINES);
    };
    for (kind, mut ours, theirs) in streams()
        .into_iter()
        .filter(|(kind, ..)| *kind != "terminal")
    {
        let Some(mut command) = alone_command(body) else {
            return;
        };
        println!("{kind}");
        command.stdin(theirs);
        let mut child = Running::start(command);
        for n in 0..LINES {
            ours.write_all(format!("{n}\n").as_bytes()).unwrap();
            child.line("<next");
        }
        if kind.starts_with("master") {
            child.kill(); // it has no end
        } else {
            drop(ours);
            child.ends();
        }
    }
}

#[test]
fn readers_are_served_in_the_order_in_which_they_ask() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let body = || {
        within_io(async {
            let mut first = Box::pin(stdin().read_line());
            let mut second = Box::pin(stdin().read_line());
            assert!(matches!(
                crate::common::poll_once(&mut first),
                Poll::Pending
            ));
            assert!(matches!(
                crate::common::poll_once(&mut second),
                Poll::Pending
            ));
            println!("<wait");
            let (second, first) = petla::gather!(second, first).await;
            assert_eq!(
                (first?.unwrap(), second?.unwrap()),
                ("1".into(), "2".into())
            );
            Ok(())
        });
    };
    let Some(mut command) = alone_command(body) else {
        return;
    };
    command.stdin(OwnedFd::from(reader));
    let mut child = Running::start(command);
    child.line("<wait");
    writer.write_all(b"1\n2\n").unwrap();
    child.ends();
}

#[test]
fn the_handles_and_futures_may_be_sent_to_threads() {
    fn send<T: Send>(_: T) {}
    send(stdin());
    send(stdin().read_line());
    send(stdin().read(&mut [0; 8]));
    send(petla::io::stdout().write_all("x"));
    send(petla::io::stderr().flush());
}
