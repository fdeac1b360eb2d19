//! The program that a test is about, as a child process with lines of output to wait for.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::guard::Guard;
use crate::processes::{end_all, has_ended, send};
use crate::wait::holds_within;

/// For whatever is waited for; nothing takes that long unless it never comes.
const LIMIT: Duration = Duration::from_secs(60);

/// A running program. Dropped, it is killed, with all processes below it.
///
/// ```
/// use petla_testbed::Program;
/// use std::process::Command;
///
/// let mut command = Command::new("sh");
/// command.args(["-c", "echo ready; read -r line; echo bye; exit 3"]);
/// let mut program = Program::start(command);
/// assert_eq!(program.wait_for_line("read"), "ready");
/// assert_eq!(program.wait_exit().code(), Some(3)); // there is no input
/// assert_eq!(program.lines(), ["ready", "bye"]);
/// ```
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: Arc<Output>,
    /// How many lines `wait_for_line` has passed.
    passed: usize,
    _guard: Guard,
}

impl Program {
    /// Starts it with an empty input. Both its outputs are collected, in the order of their lines.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn start(mut command: Command) -> Program {
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Arc::new(Output::default());
        if let Some(pipe) = child.stdout.take() {
            output.collect(pipe);
        }
        if let Some(pipe) = child.stderr.take() {
            output.collect(pipe);
        }
        Program {
            _guard: Guard::new(&child, "KILL", None),
            child,
            output,
            passed: 0,
        }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All lines so far, of standard output and standard error.
    pub fn lines(&self) -> Vec<String> {
        self.output.lock().lines.clone()
    }

    /// The next line that contains `part`, after the one that was found last.
    ///
    /// # Panics
    /// If the output ends without one, or it does not come within a minute.
    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) -> String {
        let found = self.output.wait(|state| {
            let rest = state.lines.get(self.passed..).unwrap_or_default();
            rest.iter().position(|line| line.contains(part))
        });
        let Some(at) = found else {
            panic!("no line with {part:?} in {}", self.report());
        };
        self.passed += at + 1;
        self.output.lock().lines[self.passed - 1].clone()
    }

    /// Waits until `count` lines contain `part`, counted from the start.
    ///
    /// # Panics
    /// If the output ends before, or they do not come within a minute.
    #[track_caller]
    pub fn wait_for_lines(&self, part: &str, count: usize) {
        let enough = self.output.wait(|state| {
            let found = state.lines.iter().filter(|line| line.contains(part));
            (found.count() >= count).then_some(())
        });
        if enough.is_none() {
            panic!("not {count} lines with {part:?} in {}", self.report());
        }
    }

    /// Sends it a signal, by its name without `SIG`: `"TERM"`, `"INT"`, `"KILL"`, `"STOP"`.
    pub fn signal(&self, name: &str) {
        send(name, self.child.id());
    }

    /// Has it ended?
    pub fn has_exited(&mut self) -> bool {
        has_ended(&mut self.child)
    }

    /// Waits until it has ended, and its output with it.
    ///
    /// # Panics
    /// If it does not end within a minute.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        if !holds_within(LIMIT, || self.has_exited()) {
            panic!("it still runs: {}", self.report());
        }
        let ended = self.output.wait(|state| (state.open == 0).then_some(()));
        if ended.is_none() {
            panic!("somebody still holds its output: {}", self.report());
        }
        self.child.wait().expect("it has ended")
    }

    /// All that a failed test wants to know.
    fn report(&self) -> String {
        let lines = self.lines().join("\n    ");
        format!("the output of process {}:\n    {lines}", self.pid())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.has_exited() {
            end_all(&mut self.child, "KILL", LIMIT);
        }
    }
}

/// The lines of both pipes.
#[derive(Debug, Default)]
struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    /// How many pipes have not ended.
    open: usize,
}

impl Output {
    /// From a thread of its own, which ends with the pipe.
    fn collect(self: &Arc<Self>, pipe: impl Read + Send + 'static) {
        self.lock().open += 1;
        let output = Arc::clone(self);
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\n', '\r']).to_owned();
                output.lock().lines.push(text);
                output.changed.notify_all();
                line.clear();
            }
            output.lock().open -= 1;
            output.changed.notify_all();
        });
    }

    /// What `find` gives, or nothing if the output has ended or a minute is over.
    fn wait<R>(&self, mut find: impl FnMut(&State) -> Option<R>) -> Option<R> {
        let mut found = None;
        let go_on = |state: &mut State| {
            found = find(state);
            found.is_none() && state.open > 0
        };
        let waited = self.changed.wait_timeout_while(self.lock(), LIMIT, go_on);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        found
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
