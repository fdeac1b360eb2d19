//! What goes out. The runner of the child's test writes to its standard output too, so these use
//! the standard error, and once the other.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::task::{Context, Waker};

use petla::io::{stderr, stdout};
use petla::{EventLoop, spawn, threads, yield_now};

use crate::common::fd::flags;
use crate::common::{alone_command, within_io};
use crate::{Running, pty, set_modes};

const PIECES: usize = 200;

/// What one child writes, in order: pieces of many sizes, more than a pipe holds.
fn all() -> Vec<u8> {
    (0..PIECES).flat_map(piece).collect()
}

fn piece(n: usize) -> Vec<u8> {
    format!("{n} ").repeat(n % 17 * 40).into_bytes()
}

/// Writes the pieces, from two handles in turn, while another task goes on.
fn write_pieces() {
    within_io(async {
        let others = spawn(async {
            loop {
                yield_now().await;
            }
        });
        for n in 0..PIECES {
            stderr().write_all(piece(n)).await?;
        }
        others.cancel(());
        Ok(())
    });
    // Nothing of what was written waits for anything.
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(0) };
}

#[test]
fn everything_arrives_in_order_in_whatever_it_is_and_its_mode_stays() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let (master, terminal) = pty();
    let kinds: [(&str, Box<dyn Read + Send>, Stdio, File); 3] = [
        (
            "pipe",
            Box::new(reader),
            writer.try_clone().unwrap().into(),
            as_file(&writer),
        ),
        (
            "socket",
            Box::new(near),
            as_file(&far).into(),
            as_file(&far),
        ),
        (
            "terminal",
            Box::new(master),
            as_file(&terminal).into(),
            terminal,
        ),
    ];
    drop((writer, far));
    for (kind, mut ours, theirs, copy) in kinds {
        let Some(mut command) = alone_command(write_pieces) else {
            return;
        };
        println!("{kind}");
        let before = flags(&copy);
        command.stderr(theirs).stdin(Stdio::null());
        let child = Running::start(command);
        let mut came = vec![0; all().len()];
        ours.read_exact(&mut came).unwrap();
        assert!(came == all(), "{kind}");
        assert_eq!(flags(&copy), before, "{kind}");
        child.ends();
    }
}

fn as_file(fd: &impl std::os::fd::AsFd) -> File {
    fd.as_fd().try_clone_to_owned().unwrap().into()
}

#[test]
fn a_file_gets_everything_in_order() {
    let path = std::env::temp_dir().join(format!("petla-stderr-{}", std::process::id()));
    let Some(mut command) = alone_command(write_pieces) else {
        return;
    };
    command.stderr(File::create(&path).unwrap());
    Running::start(command).ends();
    let came = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(came == all());
}

#[test]
fn a_pipe_that_nobody_empties_holds_up_the_writer_and_not_the_loop() {
    let body = || {
        within_io(async {
            let writer = spawn(async { stderr().write_all(vec![b'x'; 1 << 20]).await });
            for _ in 0..1_000 {
                yield_now().await;
            }
            assert!(!writer.is_finished());
            println!("<full");
            writer.await??;
            stdout().write_all("<all\n").await
        });
    };
    for kind in ["pipe", "socket"] {
        let Some(mut command) = alone_command(body) else {
            return;
        };
        println!("{kind}");
        let mut ours = if kind == "pipe" {
            let (reader, writer) = std::io::pipe().unwrap();
            command.stderr(writer);
            as_file(&reader)
        } else {
            let (near, far) = UnixStream::pair().unwrap();
            command.stderr(as_file(&far));
            as_file(&near)
        };
        let mut child = Running::start(command);
        child.line("<full");
        let mut came = vec![0; 1 << 20];
        ours.read_exact(&mut came).unwrap();
        assert!(came.iter().all(|byte| *byte == b'x'));
        child.line("<all");
        child.ends();
    }
}

#[test]
fn what_a_thread_still_writes_comes_before_what_is_written_later() {
    const SIZE: usize = 200_000; // more than a terminal holds
    let body = || {
        within_io(async {
            let first = vec![b'x'; SIZE];
            let mut cx = Context::from_waker(Waker::noop());
            while threads::default_limiter().borrowed() == 0 {
                let mut write = Box::pin(stderr().write_all(&first));
                assert!(write.as_mut().poll(&mut cx).is_pending());
                yield_now().await; // until a thread has begun before it is dropped
            }
            println!("<begun");
            stderr().write_all("later").await
        });
    };
    let Some(mut command) = alone_command(body) else {
        return;
    };
    // A thread has to write to the master; what it writes is typed into the terminal.
    let (master, mut terminal) = pty();
    set_modes(&terminal, |modes| modes.c_lflag &= !libc::ICANON);
    // Ours keeps the terminal from hanging up, which would throw away what nobody read.
    let _ours = master.try_clone().unwrap();
    command.stderr(master);
    let mut child = Running::start(command);
    child.line("<begun");
    let mut came = vec![0; SIZE + 5];
    terminal.read_exact(&mut came).unwrap();
    let (first, later) = came.split_at(SIZE);
    assert!(first.iter().all(|byte| *byte == b'x'));
    assert_eq!(later, b"later");
    child.ends();
}

#[test]
fn a_pipe_that_nobody_reads_and_a_full_disk_are_errors() {
    for kind in [ErrorKind::BrokenPipe, ErrorKind::StorageFull] {
        let body = || {
            within_io(async {
                let error = stderr().write_all("x").await.unwrap_err();
                let expected = std::env::var("PETLA_TEST_KIND").unwrap();
                assert_eq!(format!("{:?}", error.kind()), expected);
                let again = stderr().write_all("x").await.unwrap_err();
                assert_eq!(again.kind(), error.kind());
                stderr().flush().await
            });
        };
        let Some(mut command) = alone_command(body) else {
            return;
        };
        command.env("PETLA_TEST_KIND", format!("{kind:?}"));
        if kind == ErrorKind::BrokenPipe {
            let (_, writer) = std::io::pipe().unwrap();
            command.stderr(writer);
        } else {
            command.stderr(File::create("/dev/full").unwrap());
        }
        Running::start(command).ends();
    }
}

#[test]
fn loops_side_by_side_do_not_mix_their_lines() {
    let body = || {
        let workers = petla::event_loop::Workers::new(3);
        let outcomes = workers.builder(EventLoop::builder()).run(async |worker| {
            let line = format!("{}\n", worker.index().to_string().repeat(300));
            for _ in 0..100 {
                stderr().write_all(&line).await.unwrap();
            }
        });
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
    };
    let Some(mut command) = alone_command(body) else {
        return;
    };
    let (mut reader, writer) = std::io::pipe().unwrap();
    command.stderr(writer);
    let child = Running::start(command);
    let mut came = vec![0; 3 * 100 * 301];
    reader.read_exact(&mut came).unwrap();
    for line in came.chunks(301) {
        assert!(line[..300].iter().all(|byte| *byte == line[0]) && line[300] == b'\n');
    }
    child.ends();
    std::io::stdout().flush().unwrap();
}
