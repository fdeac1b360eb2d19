//! Processes of the benchmarks with real sockets: the program starts itself again with arguments.
//!
//! What is measured and what makes the load are processes of their own, each pinned to its CPU, so
//! that the CPU time of one is not the other's. They are asked and answer line by line, in numbers.
//!
//! # Invariants
//! - **Bounded**: a worker ends when its parent drops the handle or ends.
//!
//! # Not here
//! What the workers do.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio, exit};
use std::str::FromStr;
use std::time::Duration;

use crate::sys::{self, CpuTime};

/// A number of the command line; the program ends if it is none.
pub fn number<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| {
        eprintln!("not a number: {text}");
        exit(2)
    })
}

/// The CPU of what is measured, and that of the load: the same if there is only one. Says which.
pub fn two_cpus() -> io::Result<[usize; 2]> {
    let cpus = sys::allowed_cpus()?;
    let first = cpus.first();
    let measured = *first.ok_or_else(|| io::Error::other("no CPU allowed"))?;
    let load = cpus.get(1).copied().unwrap_or(measured);
    match cpus.len() {
        1 => println!("Server and load share CPU {measured}, the only one."),
        _ => println!("Server on CPU {measured}, load on CPU {load}."),
    }
    Ok([measured, load])
}

/// In a worker: answers each line of its input with the CPU time used so far, in a thread of its
/// own; ends the process with the input.
pub fn answer_with_cpu_time() {
    std::thread::spawn(|| {
        for _question in io::stdin().lines() {
            let used = sys::cpu_time();
            println!("{} {}", used.user.as_nanos(), used.system.as_nanos());
        }
        exit(0);
    });
}

/// A child that is asked and answers line by line, and ends with its handle.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// This program again, with arguments.
    pub fn start(arguments: &[&str]) -> io::Result<Worker> {
        Worker::start_under(&[], arguments)
    }

    /// The same as the argument of another program, such as strace.
    pub fn start_under(tool: &[&str], arguments: &[&str]) -> io::Result<Worker> {
        let this = std::env::current_exe()?;
        let mut command = match tool {
            [] => Command::new(this),
            [tool, options @ ..] => {
                let mut command = Command::new(tool);
                command.args(options).arg(this);
                command
            }
        };
        command.args(arguments);
        Worker::start_program(command)
    }

    /// Any program that answers in the same way.
    pub fn start_program(mut command: Command) -> io::Result<Worker> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = BufReader::new(output.expect("it is piped"));
        Ok(Worker {
            child,
            input,
            output,
        })
    }

    /// The numbers of the next line.
    pub fn answer(&mut self) -> io::Result<Vec<u64>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers: Option<Vec<u64>> = line.split(' ').map(|n| n.trim().parse().ok()).collect();
        numbers.ok_or_else(|| io::Error::other(format!("the child ended or answered {line:?}")))
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self) -> io::Result<Vec<u64>> {
        let input = self.input.as_mut().expect("it is there until the end");
        input.write_all(b"\n")?;
        self.answer()
    }

    /// Asks one that answers with its CPU time.
    pub fn cpu_time(&mut self) -> io::Result<CpuTime> {
        let answer = self.ask()?;
        let part = |index: usize| Duration::from_nanos(answer.get(index).copied().unwrap_or(0));
        Ok(CpuTime {
            user: part(0),
            system: part(1),
        })
    }

    /// Lets it end by itself.
    pub fn end(mut self) -> io::Result<()> {
        self.input = None;
        self.child.wait().map(drop)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}
