//! `redis-server`, with an append-only file, so that a restart finds its data.

use std::process::Command;

use crate::server::{Place, Recipe, Server, ask, derefs_to_server, find_program};

const PACKAGE: &str = "redis-server";

/// Redis on a port of its own.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    password: Option<String>,
}

impl Redis {
    /// Starts it; anyone may connect.
    pub fn start() -> Redis {
        Redis::launch(None)
    }

    /// Starts it; only who knows the password may do anything. [`url`](Server::url) has it.
    pub fn start_with_password(password: &str) -> Redis {
        Redis::launch(Some(password.to_owned()))
    }

    fn launch(password: Option<String>) -> Redis {
        let program = find_program("redis-server", &[], PACKAGE);
        let place = Place::new("redis");
        let (port, path, secret) = (place.port, place.path(), password.clone());
        let command = move || {
            let mut command = Command::new(&program);
            command
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "yes", "--dir"])
                .arg(&path);
            if let Some(secret) = &secret {
                command.args(["--requirepass", secret]);
            }
            command
        };
        let (login, user) = match &password {
            Some(password) => (format!("AUTH {password}\r\n"), format!(":{password}@")),
            None => <(String, String)>::default(),
        };
        // One line a command, one line an answer; PING fails while the data is being read.
        let question = format!("{login}PING\r\n");
        let recipe = Recipe {
            name: "redis-server",
            command: Box::new(command),
            answers: Box::new(move || {
                let answer = ask(port, question.as_bytes()).unwrap_or_default();
                answer.ends_with(b"+PONG\r\n")
            }),
            stop: "TERM",
            end: "KILL",
        };
        let url = format!("redis://{user}127.0.0.1:{port}/");
        Redis {
            server: Server::start(place, url, recipe),
            password,
        }
    }

    /// What `redis-cli` prints for a command, without the last newline.
    ///
    /// # Panics
    /// If it does not succeed; Redis' own errors are text as well.
    #[track_caller]
    pub fn cli(&self, command: &[&str]) -> String {
        let mut cli = Command::new(find_program("redis-cli", &[], "redis-tools"));
        cli.args(["-p", &self.port().to_string()]).args(command);
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        let output = cli.output().expect("redis-cli starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "redis-cli {command:?}: {output:?}");
        text.trim_end_matches('\n').to_owned()
    }
}

derefs_to_server!(Redis);
