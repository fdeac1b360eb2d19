//! What ends a child if the test's process cannot: a shell that reads the end of a pipe.
//!
//! The kernel closes the pipe's other end however the test's process dies, which no `Drop` and no
//! handler of signals could promise. The guard is in a process group of its own, so that an
//! interrupt from the terminal does not end it together with the test.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `$1` is the leader of a process group, `$2` the signal that ends it, `$3` a folder or nothing.
const SCRIPT: &str = r#"
read -r _
kill -s "$2" -- "-$1"
left=50
while [ "$left" -gt 0 ] && kill -s 0 -- "-$1"; do
    left=$((left - 1))
    sleep 0.1
done
kill -s KILL -- "-$1"
[ -z "$3" ] || rm -rf -- "$3"
"#;

/// Beside a child that leads a process group of its own.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn new(child: &Child, signal: &str, folder: Option<&Path>) -> Guard {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "guard", &child.id().to_string(), signal])
            .arg(folder.unwrap_or(Path::new("")))
            .process_group(0)
            .stdin(Stdio::piped()) // closed with this process; nothing is ever written
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Guard(shell.spawn().expect("sh starts"))
    }
}

impl Drop for Guard {
    /// The child has ended: there is nothing to guard.
    fn drop(&mut self) {
        // The pipe is still open, so the shell still waits. Both fail only if it is gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
