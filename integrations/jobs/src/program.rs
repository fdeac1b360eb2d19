//! From the command line to the exit code.

use std::env;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Result;
use petla::EventLoop;
use petla::event_loop::RunError;
use petla::local::Event;
use petla::signal::{SIGINT, SIGTERM, signals};
use petla::spawn;

use crate::{Number, Options};

/// What is particular to a program.
#[derive(Debug)]
pub struct Program {
    /// As it is called.
    pub name: &'static str,
    /// What its broker is called.
    pub server: &'static str,
    /// The variable of the environment that says where that is.
    pub url_variable: &'static str,
    /// Where it is without that.
    pub url: &'static str,
    /// Options that the other does not have.
    pub numbers: &'static [Number],
}

impl Program {
    /// Reads the command line, and says what is wrong: the exit code is 2 then. Otherwise it is
    /// what `run` gives; 1 after an error, which is printed.
    pub fn main(&self, run: impl FnOnce(&Options) -> Result<u8>) -> ExitCode {
        let options = match Options::parse(self, env::args().skip(1)) {
            Ok(options) => options,
            Err(error) => {
                eprintln!("{error:#}\n{}", self.usage());
                return ExitCode::from(2);
            }
        };
        run(&options).map_or_else(
            |error| {
                eprintln!("{}: {error:#}", self.name);
                ExitCode::FAILURE
            },
            ExitCode::from,
        )
    }
}

/// The exit code: 0 if all was done, 1 if a job was given up, or what a shell expects of signals.
pub fn on_loop(run: impl Future<Output = Result<bool>>) -> Result<u8> {
    let event_loop = EventLoop::builder().sigint(true).sigterm(true).build()?;
    let ended = event_loop.run_until_complete(run);
    event_loop.close()?;
    match ended {
        Ok(all_done) => Ok(if all_done? { 0 } else { 1 }),
        Err(RunError::Interrupted) => Ok(130),
        Err(RunError::Terminated) => Ok(143),
        Err(other) => Err(other.into()),
    }
}

/// Is set by SIGTERM or SIGINT. The second signal ends the run.
pub fn asked_to_stop() -> Result<Rc<Event>> {
    let (mut told, stop) = (signals([SIGTERM, SIGINT])?, Rc::new(Event::new()));
    let asked = Rc::clone(&stop);
    drop(spawn(async move {
        told.next().await;
        drop(told); // nobody listens any more
        println!("asked to stop");
        asked.set();
    }));
    Ok(stop)
}
