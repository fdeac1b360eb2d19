//! The standard streams, in processes of their own: what each kind of descriptor gives, and that
//! nobody else notices.
//!
//! A child runs the body of its test again. Parent and child take turns by what they write to each
//! other; the runner's own lines on the child's standard output are passed over.

mod common;

#[path = "stdin/given_up.rs"]
mod given_up;
#[path = "stdin/input.rs"]
mod input;
#[path = "stdin/output.rs"]
mod output;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use common::LONG;

/// A pseudo-terminal, without echo, and with no line's end turned into another.
fn pty() -> (File, File) {
    let (master, terminal) = common::fd::pty();
    set_modes(&terminal, |modes| {
        modes.c_lflag &= !libc::ECHO;
        modes.c_iflag &= !libc::ICRNL;
        modes.c_oflag &= !libc::OPOST;
    });
    (master, terminal)
}

fn set_modes(terminal: &File, change: impl FnOnce(&mut libc::termios)) {
    let fd = terminal.as_raw_fd();
    // SAFETY: numbers only, so zeros are one.
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: `modes` is valid for the call.
    let got = unsafe { libc::tcgetattr(fd, &raw mut modes) };
    change(&mut modes);
    // SAFETY: as above.
    let set = unsafe { libc::tcsetattr(fd, libc::TCSANOW, &raw const modes) };
    assert_eq!((got, set), (0, 0));
}

/// The kinds of streams: our end, and the one that a child gets.
fn streams() -> Vec<(&'static str, File, OwnedFd)> {
    let (reader, writer) = std::io::pipe().unwrap();
    let (master, terminal) = pty();
    let (under, over) = pty();
    let (near, far) = UnixStream::pair().unwrap();
    vec![
        ("pipe", OwnedFd::from(writer).into(), reader.into()),
        ("terminal", master, terminal.into()),
        // A thread has to read it.
        ("master of a terminal", over, under.into()),
        ("socket", OwnedFd::from(near).into(), far.into()),
    ]
}

/// A child, killed if it hangs.
struct Running {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Running { child, output }
    }

    /// The rest of the line that begins, somewhere, with `key`.
    #[track_caller]
    fn line(&mut self, key: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once(key) {
                return rest.trim_end().to_owned();
            }
            line.clear();
        }
        panic!("the child ended without {key}");
    }

    /// Ends it.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, which must be a good one.
    #[track_caller]
    fn ends(mut self) {
        let id = self.child.id();
        let (send, ended) = mpsc::channel::<ExitStatus>();
        let waiter = thread::spawn(move || {
            let mut rest = String::new();
            let read = self.output.read_to_string(&mut rest);
            drop((read, send.send(self.child.wait().unwrap())));
        });
        let status = ended.recv_timeout(LONG);
        if status.is_err() {
            // SAFETY: takes numbers; the child was not waited for, so the number is its own.
            unsafe { libc::kill(id.cast_signed(), libc::SIGKILL) };
        }
        waiter.join().unwrap();
        assert!(status.expect("the child hangs").success());
    }
}
