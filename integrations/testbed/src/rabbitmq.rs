//! `rabbitmq-server`, with an Erlang port mapper of its own.
//!
//! The server is three layers: Debian's shell script, which turns SIGTERM into an orderly end, the
//! Erlang machine below it, and that machine's small helpers, which leave its process group but end
//! with it. The port mapper, `epmd`, usually outlives them all, since the first Erlang program on a
//! machine starts one for everybody; here one runs as another child, on another port.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::server::{Place, Recipe, Running, Server, ask, derefs_to_server, find_program};
use crate::wait::{free_port, wait_for};

const PACKAGE: &str = "rabbitmq-server";
/// The script behind the one in `/usr/sbin`, which insists on the system's folders.
const SCRIPT: &str = "/usr/lib/rabbitmq/bin";

/// RabbitMQ on a port of its own. It takes some seconds to start.
#[derive(Debug)]
pub struct RabbitMq {
    server: Server,
    /// Dropped after the server.
    _epmd: Running,
}

impl RabbitMq {
    /// The one user, and its password.
    pub const USER: &str = "guest";
    /// Any other is refused.
    pub const PASSWORD: &str = "guest";

    /// Starts it with one virtual host, `/`, and no plugins.
    pub fn start() -> RabbitMq {
        let program = find_program("rabbitmq-server", &[SCRIPT.into()], PACKAGE);
        let place = Place::new("rabbitmq");
        let (port, folder) = (place.port, place.path());
        let epmd_port = free_port();
        let epmd = start_epmd(epmd_port, &folder);
        write_files(&folder, port);
        let distribution_port = free_port();
        let command = move || {
            let mut command = clean(&program, &folder, epmd_port);
            let file = |name: &str| folder.join(name);
            command
                .env("RABBITMQ_CONF_ENV_FILE", "/dev/null") // instead of the system's
                .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
                .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
                .env("RABBITMQ_MNESIA_BASE", file("mnesia"))
                .env("RABBITMQ_LOG_BASE", file("log"))
                .env("RABBITMQ_PID_FILE", file("pid"))
                .env("RABBITMQ_NODENAME", format!("petla{port}@localhost"))
                .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
                .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG);
            command
        };
        let recipe = Recipe {
            name: "rabbitmq-server",
            command: Box::new(command),
            // The protocol's header; the answer is a frame of type 1, "method".
            answers: Box::new(move || {
                ask(port, b"AMQP\0\0\x09\x01").is_ok_and(|answer| answer.starts_with(&[1]))
            }),
            stop: "TERM",
            end: "KILL",
        };
        let (user, password) = (RabbitMq::USER, RabbitMq::PASSWORD);
        let url = format!("amqp://{user}:{password}@127.0.0.1:{port}/%2f");
        RabbitMq {
            server: Server::start(place, url, recipe),
            _epmd: epmd,
        }
    }
}

/// No second port mapper, two schedulers, and no door for other machines.
const ERLANG: &str = "-start_epmd false +S 2:2 -kernel inet_dist_use_interface {127,0,0,1}";

/// A command with nothing of this process's environment but the way to programs.
fn clean(program: &Path, folder: &Path, epmd_port: u16) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder) // of Erlang's cookie
        .env("LANG", "C.UTF-8")
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1");
    command
}

fn start_epmd(port: u16, folder: &Path) -> Running {
    let epmd = find_program("epmd", &[], PACKAGE);
    let mut command = clean(&epmd, folder, port);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Running::start(command, "KILL", None);
    // The question for all names, with its length in front.
    wait_for("an answer of epmd", Duration::from_secs(10), || {
        ask(port, b"\0\x01n").is_ok_and(|answer| !answer.is_empty())
    });
    running
}

fn write_files(folder: &Path, port: u16) {
    let settings = format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\n\
         log.console = true\n\
         log.file = false\n"
    );
    let write = |name: &str, text: &str| {
        let file: PathBuf = folder.join(name);
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    };
    write("rabbitmq.conf", &settings);
    write("enabled_plugins", "[].\n");
}

derefs_to_server!(RabbitMq);
