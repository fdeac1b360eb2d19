//! The program's world: the system's clock, a shell for each run, reports as lines of text.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, Zoned};
use petla::process::Command;
use petla_cron::{Job, News, World};

use crate::state::State;

pub(crate) struct Shell {
    state: State,
}

impl Shell {
    pub(crate) fn new(state: State) -> Shell {
        Shell { state }
    }
}

impl World for Shell {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// A group of its own keeps the terminal's Ctrl-C from the run, which is to end in order.
    /// If this future is dropped, the whole group is killed.
    async fn run(&self, job: &Job, time: &Zoned) -> Result<()> {
        let mut command = Command::new("sh");
        command
            .args(["-c", &job.command])
            .env("CRON_TIME", time.timestamp().to_string())
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().context("cannot start sh")?;
        let status = child.wait().await.context("cannot wait for sh")?;
        ensure!(status.success(), "{status}");
        Ok(())
    }

    async fn settle(&self, job: &Job, until: Timestamp) {
        if let Err(error) = self.state.settle(&job.name, until).await {
            eprintln!("{}: {error:#}", job.name);
        }
    }

    fn tell(&self, job: &Job, news: News<'_>) {
        let name = &job.name;
        match news {
            News::Begins(time) => println!("{name}: begins, for {time}"),
            News::Ends(_) => println!("{name}: ends"),
            News::Fails(_, error) => eprintln!("{name}: fails: {error:#}"),
            News::LeftOut(count) => println!("{name}: {count} missed times are left out"),
        }
    }
}
