//! Child processes: started, waited for, talked to, signalled, ended.
//!
//! They are `sh`, `cat`, `sleep` and `true`, which every system has. A test that leaves a child
//! running ends it, by its own number.
//!
//! | | |
//! | --- | --- |
//! | wait, inherited pipes (bug 76), concurrent waits, a cancelled wait (E15) | `ends` |
//! | communicate | `talk` |
//! | signals and their race with the end (bug 76, E15), groups | `signals` |

mod common;

#[path = "processes/ends.rs"]
mod ends;
#[path = "processes/signals.rs"]
mod signals;
#[path = "processes/start.rs"]
mod start;
#[path = "processes/talk.rs"]
mod talk;

use petla::process::Command;

/// A command that runs a script.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}
