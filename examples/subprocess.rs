//! Other programs: their output, a conversation, a limit, an end by force.
//!
//! ```text
//! $ cargo run --release --example subprocess
//! uname says Linux
//! sort says apple, fig, pear
//! a program that is too slow ended by signal: 15 (SIGTERM)
//! one that does not listen ended by signal: 9 (SIGKILL)
//! ```

use petla::{process::Command, timeout};
use std::{io, process::Stdio, time::Duration};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end()
        .replace('\n', ", ")
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

async fn talk() -> io::Result<()> {
    let uname = Command::new("uname").output().await?;
    println!("uname says {}", text(&uname.stdout));

    let mut sort = Command::new("sort");
    let mut sort = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let sorted = sort.communicate(b"pear\napple\nfig\n").await?;
    println!("sort says {}", text(&sorted.stdout));

    let slow = Command::new("sleep").arg("1000").spawn()?;
    if timeout(Duration::from_millis(20), slow.wait())
        .await
        .is_err()
    {
        let status = slow.stop(Duration::from_secs(5)).await?;
        println!("a program that is too slow ended by {status}");
    }

    let mut deaf = shell("trap '' TERM; echo ready; exec sleep 1000");
    let deaf = deaf.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    if let Some(output) = &deaf.stdout {
        output.read_exact(&mut [0; 6]).await?; // it ignores SIGTERM from here on
    }
    let status = deaf.stop(Duration::from_millis(20)).await?;
    println!("one that does not listen ended by {status}");
    Ok(())
}

fn main() -> io::Result<()> {
    petla::run(talk())
}
