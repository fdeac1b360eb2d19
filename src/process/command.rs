//! [`Command`]: what to start, and how.

use std::ffi::OsStr;
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Stdio};

use super::child::Child;
use super::orphans;
use super::talk::{Collect, Run};
use super::watched::Watched;
use crate::io::{PipeReader, PipeWriter};
use crate::kernel::Kernel;
use crate::sys::process::TimerSlack;

/// A program to be started, with its arguments and surroundings.
///
/// It is the standard library's `Command`, whose documentation holds for every method of the same
/// name; [`as_std_mut`](Command::as_std_mut) reaches the rest. No shell is involved: for one, start
/// `sh` with `-c`.
///
/// # asyncio
/// `create_subprocess_exec`.
///
/// # Examples
/// ```
/// use petla::process::Command;
/// use std::time::Duration;
///
/// petla::run(async {
///     let mut sort = Command::new("sh");
///     sort.args(["-c", "echo $WORD; exit 3"]).env("WORD", "hello");
///     let output = petla::timeout(Duration::from_secs(10), sort.output()).await??;
///     assert_eq!(output.stdout, b"hello\n");
///     assert_eq!(output.status.code(), Some(3));
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct Command {
    std: process::Command,
    /// Which of stdin, stdout and stderr were set.
    is_set: [bool; 3],
    has_group: bool,
    kill_on_drop: Option<bool>,
}

impl Command {
    /// Starts `program`, a path or a name to be looked for in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.with(|std| std.arg(arg))
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> &mut Command {
        self.with(|std| std.args(args))
    }

    /// Sets the argument 0, the name that the program sees itself called by.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.with(|std| std.arg0(arg))
    }

    /// Sets an environment variable.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.with(|std| std.env(key, value))
    }

    /// Sets environment variables.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Command {
        self.with(|std| std.envs(vars))
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.with(|std| std.env_remove(key))
    }

    /// Removes all environment variables.
    pub fn env_clear(&mut self) -> &mut Command {
        self.with(process::Command::env_clear)
    }

    /// Sets the directory that the program starts in.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Command {
        self.with(|std| std.current_dir(dir))
    }

    /// Where the program's input comes from. At first that of this process; nothing for
    /// [`output`](Command::output).
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.is_set[0] = true;
        self.with(|std| std.stdin(stdin))
    }

    /// Where its output goes. At first to that of this process; it is collected by
    /// [`output`](Command::output).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.is_set[1] = true;
        self.with(|std| std.stdout(stdout))
    }

    /// Where its errors go. As [`stdout`](Command::stdout).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.is_set[2] = true;
        self.with(|std| std.stderr(stderr))
    }

    /// Sets the user whom the program runs as.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.with(|std| std.uid(id))
    }

    /// Sets the group of users whom the program runs as.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.with(|std| std.gid(id))
    }

    /// Puts the program into a group of processes: 0 makes one of its own, which
    /// [`Child::kill_group`] ends as a whole. Ctrl-C of a terminal does not reach that.
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.has_group = group == 0;
        self.with(|std| std.process_group(group))
    }

    /// Whether the program is ended, by SIGKILL, when its [`Child`] is dropped, or the future that
    /// owns that: with its whole group if it has [one of its own](Command::process_group).
    ///
    /// Unless it was said, no for [`spawn`](Command::spawn), and yes for
    /// [`output`](Command::output) and [`status`](Command::status), after which nobody could.
    ///
    /// # asyncio
    /// The transport of a process kills it when it is closed; the `Process` does not close it.
    pub fn kill_on_drop(&mut self, on: bool) -> &mut Command {
        self.kill_on_drop = Some(on);
        self
    }

    /// Starts the program.
    ///
    /// This holds up the loop for about a millisecond. A loop need not run for it.
    ///
    /// # Errors
    /// Those of starting it: `NotFound`, `PermissionDenied`, `ArgumentListTooLong` and others. If
    /// no descriptor is left to watch it by, it is killed.
    ///
    /// # asyncio
    /// `create_subprocess_exec`, which has to be awaited.
    #[doc(alias("create_subprocess_exec", "Popen"))]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_with(self.kill_on_drop.unwrap_or(false))
    }

    /// Starts the program at once and collects what it says until its end.
    ///
    /// Its input is empty unless [set](Command::stdin).
    ///
    /// # Errors
    /// Those of [`spawn`](Command::spawn) and [`Child::wait_with_output`]. An exit code is none.
    ///
    /// # Cancel safety
    /// **Loses data**: what the program said. It is killed, unless
    /// [`kill_on_drop`](Command::kill_on_drop) says otherwise.
    ///
    /// # asyncio
    /// `create_subprocess_exec` and `communicate`, which leave it running.
    pub fn output(&mut self) -> Collect {
        self.fill_in(Stdio::null, Stdio::piped);
        let child = self.spawn_with(self.kill_on_drop.unwrap_or(true));
        self.fill_in(Stdio::inherit, Stdio::inherit); // for the next start
        Collect::new(child)
    }

    /// Sets those of the standard streams that were not set by the user.
    fn fill_in(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        let [stdin, stdout, stderr] = self.is_set;
        if !stdin {
            self.std.stdin(input());
        }
        if !stdout {
            self.std.stdout(output());
        }
        if !stderr {
            self.std.stderr(output());
        }
    }

    /// Starts the program at once and waits for its end.
    ///
    /// Pipes that were asked for are closed.
    ///
    /// # Errors
    /// Those of [`spawn`](Command::spawn) and [`Child::wait`]. An exit code is none.
    ///
    /// # Cancel safety
    /// **Loses data**: the status. The program is killed, unless
    /// [`kill_on_drop`](Command::kill_on_drop) says otherwise.
    ///
    /// # asyncio
    /// `create_subprocess_exec` and `wait`, which leave it running.
    pub fn status(&mut self) -> Run {
        Run::new(self.spawn_with(self.kill_on_drop.unwrap_or(true)))
    }

    fn spawn_with(&mut self, kill_on_drop: bool) -> io::Result<Child> {
        orphans::reap_ended();
        // A program inherits this thread's slack, and a loop's is finer than programs expect.
        let own_slack = Kernel::runs_here().then(|| TimerSlack::set(0));
        let mut started = self.std.spawn()?;
        drop(own_slack);
        let watched = Watched::new(started.id(), self.has_group)?;
        // An error ends it: nobody would know of it.
        let mut child = Child::new(watched, true);
        child.stdin = started.stdin.take().map(PipeWriter::from_fd).transpose()?;
        child.stdout = started.stdout.take().map(PipeReader::from_fd).transpose()?;
        child.stderr = started.stderr.take().map(PipeReader::from_fd).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// The standard library's, to look at.
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// The standard library's, to set what is missing here. What is set there of the standard
    /// streams and the group of processes is not known here.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }

    fn with(
        &mut self,
        set: impl FnOnce(&mut process::Command) -> &mut process::Command,
    ) -> &mut Self {
        set(&mut self.std);
        self
    }
}

impl From<process::Command> for Command {
    /// What was set of the standard streams and the group of processes is not known here: set it
    /// again for [`Command::output`] and [`Child::kill_group`].
    fn from(std: process::Command) -> Command {
        Command {
            std,
            is_set: [false; 3],
            has_group: false,
            kill_on_drop: None,
        }
    }
}

impl Debug for Command {
    /// The program and its arguments, as the standard library shows them.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
