//! What all servers have in common: start, wait until they answer, stop, kill, restart, clean up.
//!
//! The files of the single servers are recipes: a command, a question that only a server which is
//! ready answers, and the signals that end it.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::guard::Guard;
use crate::processes::{end_all, has_ended};
use crate::wait::{free_port, holds_within};

/// For a server to answer; RabbitMQ takes 4 s on a quiet machine.
const START: Duration = Duration::from_secs(60);
/// For a server to end in order.
const STOP: Duration = Duration::from_secs(30);
/// For one answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How much of a log a panic shows.
const LOG_LINES: usize = 40;

/// How to run one kind of server.
pub(crate) struct Recipe {
    /// The program, as messages call it.
    pub(crate) name: &'static str,
    /// Gives the command, again for each start.
    pub(crate) command: Box<dyn Fn() -> Command + Send>,
    /// Does it serve clients now?
    pub(crate) answers: Box<dyn Fn() -> bool + Send>,
    /// Ends it in order, with its data.
    pub(crate) stop: &'static str,
    /// Ends it quickly; its data is not needed any more.
    pub(crate) end: &'static str,
}

/// A child process in a group of its own, and its guard.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    _guard: Guard,
}

impl Running {
    /// `end` is the guard's signal, `folder` what it removes.
    pub(crate) fn start(mut command: Command, end: &str, folder: Option<&Path>) -> Running {
        let child = command.process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running {
            _guard: Guard::new(&child, end, folder),
            child,
        }
    }

    /// Does it end by this signal?
    fn end(&mut self, signal: &str) -> bool {
        end_all(&mut self.child, signal, STOP)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !has_ended(&mut self.child) {
            self.end("KILL");
        }
    }
}

/// A server that runs, or that was stopped and keeps its port and its data.
///
/// Dropped, it is ended, with all processes below it, and its folder is removed.
pub struct Server {
    port: u16,
    url: String,
    recipe: Recipe,
    running: Option<Running>,
    folder: TempDir,
}

impl Server {
    /// Starts it, and waits until it answers.
    pub(crate) fn start(place: Place, url: String, recipe: Recipe) -> Server {
        let mut server = Server {
            port: place.port,
            url,
            recipe,
            running: None,
            folder: place.folder,
        };
        server.launch();
        server
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a client is given to connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where all its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of its process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        Some(self.running.as_ref()?.child.id())
    }

    /// What it wrote to its standard output and standard error so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Asks it to end, and waits until it has: clients are told, data is kept.
    ///
    /// Does nothing if it does not run.
    ///
    /// # Panics
    /// If it does not end within half a minute.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let ended = running.end(self.recipe.stop);
            assert!(ended, "{}", self.complaint("does not stop"));
        }
    }

    /// Ends it as a crash would, with all processes below it. What it had stored is still there.
    ///
    /// Does nothing if it does not run.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Stops it if it runs, starts it again on its port and its data, and waits until it answers.
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    fn launch(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file());
        let log = log.expect("the log can be written");
        let mut command = (self.recipe.command)();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle on the log"))
            .stderr(log);
        let folder = Some(self.folder.path());
        let running = Running::start(command, self.recipe.end, folder);
        let running = self.running.insert(running);
        let mut answers = false;
        let settled = holds_within(START, || {
            answers = (self.recipe.answers)();
            answers || has_ended(&mut running.child)
        });
        let problem = if settled { "has ended" } else { "is silent" };
        assert!(answers, "{}", self.complaint(problem));
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// A message with the end of the log.
    fn complaint(&self, problem: &str) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        let Server { recipe, port, .. } = self;
        format!("{} on port {port} {problem}. Its log:\n{end}", recipe.name)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.recipe.name)
            .field("port", &self.port)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.end(self.recipe.end);
        }
    }
}

/// Where a server will be.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new(name: &str) -> Place {
        let prefix = format!("petla-{name}-");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        Place {
            port: free_port(),
            folder: folder.expect("a temporary folder can be made"),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// The file of a program, from `folders`, `$PATH`, or where Debian puts servers.
///
/// # Panics
/// With the name of its package, if it is in none of them.
pub(crate) fn find_program(name: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().cloned();
    let all = folders
        .chain(env::split_paths(&path))
        .chain([PathBuf::from("/usr/sbin")]);
    let mut files = all.map(|folder| folder.join(name));
    files.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("this test needs {name}, which is not installed: apt-get install {package}")
    })
}

/// Sends `request` to a server on loopback and gives what comes back first.
pub(crate) fn ask(port: u16, request: &[u8]) -> io::Result<Vec<u8>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(request)?;
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// A kind of server is a [`Server`], in its field `server`.
macro_rules! derefs_to_server {
    ($kind:ident) => {
        impl std::ops::Deref for $kind {
            type Target = Server;

            fn deref(&self) -> &Server {
                &self.server
            }
        }

        impl std::ops::DerefMut for $kind {
            fn deref_mut(&mut self) -> &mut Server {
                &mut self.server
            }
        }
    };
}

pub(crate) use derefs_to_server;
