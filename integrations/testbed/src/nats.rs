//! `nats-server` with JetStream, whose streams are in files, so that a restart finds them.

use std::process::Command;

use crate::server::{Place, Recipe, Server, ask, derefs_to_server, find_program};

/// NATS with JetStream on a port of its own.
#[derive(Debug)]
pub struct Nats {
    server: Server,
}

impl Nats {
    /// Who may connect to a server with a password.
    pub const USER: &str = "petla";

    /// Starts it; anyone may connect.
    pub fn start() -> Nats {
        Nats::launch(None)
    }

    /// Starts it; only [`Nats::USER`] may connect. [`url`](Server::url) has the password.
    pub fn start_with_password(password: &str) -> Nats {
        Nats::launch(Some(password.to_owned()))
    }

    fn launch(password: Option<String>) -> Nats {
        let program = find_program("nats-server", &[], "nats-server");
        let place = Place::new("nats");
        let (port, path) = (place.port, place.path());
        let user = password.as_ref().map_or(String::new(), |password| {
            format!("{}:{password}@", Nats::USER)
        });
        let command = move || {
            let mut command = Command::new(&program);
            command
                .args(["-a", "127.0.0.1", "-p", &port.to_string()])
                .args(["-js", "-sd"])
                .arg(&path);
            if let Some(password) = &password {
                command.args(["--user", Nats::USER, "--pass", password]);
            }
            command
        };
        let recipe = Recipe {
            name: "nats-server",
            command: Box::new(command),
            // The server speaks first. It listens before JetStream is ready, but tells clients so
            // only afterwards.
            answers: Box::new(move || {
                let info = ask(port, b"").unwrap_or_default();
                info.starts_with(b"INFO ") && contains(&info, b"\"jetstream\":true")
            }),
            stop: "TERM",
            end: "KILL",
        };
        let url = format!("nats://{user}127.0.0.1:{port}");
        Nats {
            server: Server::start(place, url, recipe),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

derefs_to_server!(Nats);
