//! `postgres`, with a password, and without the calls that make data survive a power failure.
//!
//! PostgreSQL refuses to run as root. Under root it runs as the user `postgres` whom Debian's
//! package makes, and its folder belongs to that user; the folder of temporary files must be open
//! to all, as `/tmp` is.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Place, Recipe, Server, ask, derefs_to_server, find_program};

const PACKAGE: &str = "postgresql";

/// PostgreSQL on a port of its own.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
}

impl Postgres {
    /// The one user, who may do everything.
    pub const USER: &str = "petla";
    /// The user's password; any other is refused, by scram-sha-256.
    pub const PASSWORD: &str = "loop";
    /// The database in [`url`](Server::url), empty at first.
    pub const DATABASE: &str = "postgres";

    /// Makes a database cluster and starts its server.
    pub fn start() -> Postgres {
        let (initdb, program) = (find("initdb"), find("postgres"));
        let place = Place::new("postgres");
        let owner = owner();
        if let Some((uid, gid)) = owner {
            chown(place.path(), Some(uid), Some(gid)).expect("root may give a folder away");
        }
        let data = place.path().join("data");
        make_cluster(as_owner(&initdb, owner), &place.path(), &data);
        let port = place.port;
        let command = move || {
            let mut command = as_owner(&program, owner);
            command
                .args(["-p", &port.to_string(), "-D"])
                .arg(&data)
                .args(["-c", "listen_addresses=127.0.0.1"])
                .args(["-c", "unix_socket_directories="])
                .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
                // Files in the cluster's folder, where a killed server leaves nothing for ever.
                .args(["-c", "dynamic_shared_memory_type=mmap"]);
            command
        };
        let recipe = Recipe {
            name: "postgres",
            command: Box::new(command),
            answers: Box::new(move || asks_for_password(port)),
            stop: "INT", // the "fast" shutdown: clients are disconnected
            end: "QUIT", // the "immediate" one
        };
        let (user, password) = (Postgres::USER, Postgres::PASSWORD);
        let database = Postgres::DATABASE;
        let url = format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}");
        Postgres {
            server: Server::start(place, url, recipe),
        }
    }

    /// What `psql` prints for some SQL: a row a line, columns separated by `|`.
    ///
    /// # Panics
    /// If it does not succeed.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        let mut psql = Command::new(find("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-c", sql, self.url()]);
        let output = psql.output().expect("psql starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{sql}: {output:?}");
        text.trim_end_matches('\n').to_owned()
    }
}

impl Drop for Postgres {
    /// A killed server leaves a segment of shared memory, whose number is in its lock file.
    fn drop(&mut self) {
        if self.pid().is_some() {
            return; // it removes the segment when it ends
        }
        let lock = fs::read_to_string(self.folder().join("data/postmaster.pid"));
        let lock = lock.unwrap_or_default();
        let id = lock
            .lines()
            .nth(6)
            .and_then(|line| line.split_whitespace().nth(1));
        if let Some(id) = id {
            drop(Command::new("ipcrm").args(["-m", id]).status());
        }
    }
}

/// `initdb`, with the password from a file.
fn make_cluster(mut initdb: Command, folder: &Path, data: &Path) {
    let secret = folder.join("password");
    fs::write(&secret, Postgres::PASSWORD).expect("the folder is ours");
    initdb
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
        .args([
            "--no-sync",
            "--no-instructions",
            "--username",
            Postgres::USER,
        ])
        .arg("--pwfile")
        .arg(&secret)
        .arg(data)
        .current_dir("/");
    let output = initdb.output();
    let output = output.unwrap_or_else(|error| panic!("{initdb:?}: {error}"));
    assert!(output.status.success(), "{initdb:?}: {output:?}");
}

/// A server that starts, recovers or stops answers an attempt to log in with an error.
fn asks_for_password(port: u16) -> bool {
    let mut login = 0x0003_0000_u32.to_be_bytes().to_vec(); // protocol 3.0
    login.extend_from_slice(b"user\0");
    login.extend_from_slice(Postgres::USER.as_bytes());
    login.extend_from_slice(b"\0\0");
    let length = login.len() as u32 + 4;
    let message = [&length.to_be_bytes(), login.as_slice()].concat();
    ask(port, &message).is_ok_and(|answer| answer.starts_with(b"R"))
}

/// Debian keeps each version's programs in a folder of their own; the newest is meant.
fn find(program: &str) -> PathBuf {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = entries.flatten().map(|entry| entry.path());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = folders.max_by_key(version);
    let newest: Vec<_> = newest
        .map(|folder| folder.join("bin"))
        .into_iter()
        .collect();
    find_program(program, &newest, PACKAGE)
}

/// The user and group to run as, if this process is root's.
fn owner() -> Option<(u32, u32)> {
    let own = fs::metadata("/proc/self").expect("/proc is mounted");
    if own.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("everyone may read it");
    let user = users.lines().find(|line| line.starts_with("postgres:"));
    let user = user.unwrap_or_else(|| panic!("no user postgres: apt-get install {PACKAGE}"));
    let mut numbers = user.split(':').skip(2).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(uid)), Some(Ok(gid))) => Some((uid, gid)),
        _ => panic!("not a line of passwd(5): {user}"),
    }
}

fn as_owner(program: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
}

derefs_to_server!(Postgres);
