//! The peers in Python: asyncio on uvloop, which is what people come from who want speed.
//!
//! Nothing is installed here. `.ci/bench-http` makes an environment with the packages and names its
//! interpreter in `PETLA_BENCH_PYTHON`; without that variable `python3` is asked.

use std::env;
use std::process::{Command, Stdio};

/// An interpreter that has the packages.
#[derive(Clone, Debug)]
pub struct Python {
    program: String,
    /// What the table says of it.
    pub versions: String,
}

impl Python {
    /// One that can import `packages`. Says so if there is none: its rows are missing then.
    pub fn find(packages: &[&str]) -> Option<Python> {
        let program = env::var("PETLA_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let names = packages.join(" ");
        let script = "import sys, importlib, importlib.metadata as m\n\
            for name in sys.argv[1:]: importlib.import_module(name)\n\
            print('Python', sys.version.split()[0], end='')\n\
            for name in sys.argv[1:]: print(',', name, m.version(name), end='')\n";
        let mut command = Command::new(&program);
        command.args(["-c", script]).args(packages);
        let output = command.stderr(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Some(Python {
                program,
                versions: String::from_utf8_lossy(&output.stdout).into_owned(),
            }),
            _ => {
                println!("Without Python's rows: {program} cannot import {names}.");
                None
            }
        }
    }

    /// This script of the package, such as `http/server.py`.
    pub fn script(&self, path: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")));
        command
    }
}
