//! Jobs on a virtual clock: a day passes in no time.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp, Zoned};
use petla::local::Event;
use petla::{move_on_after, select, sleep, testing};
use petla_cron::{Job, News, World, crontab, run};

const START: &str = "2026-11-23T12:00:30Z";

/// A wall clock that goes with the loop's and can be set; jobs that take as long as they are told.
struct Fake<W> {
    begin: Instant,
    set: Cell<SignedDuration>,
    work: W,
    log: RefCell<Vec<String>>,
    settled: Cell<Timestamp>,
}

impl<W> Fake<W> {
    fn new(work: W) -> Fake<W> {
        Fake {
            begin: petla::now(),
            set: Cell::default(),
            work,
            log: RefCell::default(),
            settled: Cell::default(),
        }
    }

    fn clock(&self) -> String {
        self.time().strftime("%H:%M:%S").to_string()
    }

    fn time(&self) -> Timestamp {
        let start: Timestamp = START.parse().unwrap();
        start + (petla::now() - self.begin) + self.set.get()
    }

    fn write(&self, what: String) {
        self.log
            .borrow_mut()
            .push(format!("{} {what}", self.clock()));
    }
}

impl<W: AsyncFn(&Job) -> Result<()>> World for Fake<W> {
    fn now(&self) -> Timestamp {
        self.time()
    }

    async fn run(&self, job: &Job, _time: &Zoned) -> Result<()> {
        (self.work)(job).await
    }

    async fn settle(&self, _job: &Job, until: Timestamp) {
        self.settled.set(until);
    }

    fn tell(&self, job: &Job, news: News<'_>) {
        let time = |time: &Zoned| time.strftime("%H:%M").to_string();
        let name = &job.name;
        self.write(match news {
            News::Begins(at) => format!("{name} begins {}", time(at)),
            News::Ends(at) => format!("{name} ends {}", time(at)),
            News::Fails(at, error) => format!("{name} fails {}: {error:#}", time(at)),
            News::LeftOut(count) => format!("{name} leaves out {count}"),
        });
    }
}

fn jobs(lines: &str, world: &impl World) -> Vec<(Job, Timestamp)> {
    let now = world.now();
    let jobs = crontab::parse(lines, now).unwrap();
    jobs.into_iter().map(|job| (job, now)).collect()
}

/// What happens to the jobs for so many minutes.
fn story<W, M>(lines: &str, minutes: u64, work: W, meanwhile: M) -> Vec<String>
where
    W: AsyncFn(&Job) -> Result<()>,
    M: AsyncFn(&Fake<W>),
{
    testing::run(async {
        let world = Fake::new(work);
        let jobs = jobs(lines, &world);
        let stop = Event::new();
        move_on_after(Duration::from_secs(60 * minutes), async |_| {
            let all = async {
                meanwhile(&world).await;
                std::future::pending::<()>().await;
            };
            select! {
                ended = run(&jobs, &world, &stop) => ended.unwrap(),
                () = all => {}
            }
        })
        .await;
        world.log.into_inner()
    })
}

async fn nothing(_: &Job) -> Result<()> {
    Ok(())
}

fn seconds(count: u64) -> impl Future<Output = ()> {
    sleep(Duration::from_secs(count))
}

#[test]
fn jobs_run_at_their_times_and_at_no_other() {
    let lines = "*/2 * * * * UTC skip even true\n5 * * * * UTC skip five true";
    let story = story(lines, 7, nothing, async |_| {});
    let begins: Vec<_> = story
        .iter()
        .filter(|line| line.contains("begins"))
        .collect();
    assert_eq!(
        begins,
        [
            "12:02:00 even begins 12:02",
            "12:04:00 even begins 12:04",
            "12:05:00 five begins 12:05",
            "12:06:00 even begins 12:06",
        ]
    );
}

#[test]
fn a_job_that_runs_too_long_does_not_run_twice_at_once() {
    let slow = async |_: &Job| {
        seconds(90).await;
        Ok(())
    };
    let story = story("* * * * * UTC skip slow true", 6, slow, async |_| {});
    assert_eq!(
        story[..6],
        [
            "12:01:00 slow begins 12:01",
            "12:02:30 slow ends 12:01",
            "12:02:30 slow begins 12:02", // late, but on time
            "12:04:00 slow ends 12:02",
            "12:04:00 slow leaves out 1",
            "12:04:00 slow begins 12:04",
        ]
    );
}

#[test]
fn a_clock_set_ahead_is_noticed_within_a_minute() {
    let ahead = async |world: &Fake<_>| {
        seconds(45).await; // 12:01:15
        world.set.set(SignedDuration::from_hours(5));
    };
    let story = story("30 * * * * UTC once hourly true", 10, nothing, ahead);
    let [left_out, begins, _] = story.as_slice() else {
        panic!("{story:?}");
    };
    assert!(left_out.ends_with("hourly leaves out 4"), "{left_out}");
    assert!(begins.ends_with("hourly begins 16:30"), "{begins}");
    assert!(begins.as_str() <= "17:02:15", "{begins}");
}

#[test]
fn a_clock_set_back_repeats_no_time() {
    let back = async |world: &Fake<_>| {
        seconds(5 * 60).await;
        world.set.set(SignedDuration::from_mins(-4));
    };
    let story = story("*/2 * * * * UTC all:9 even true", 14, nothing, back);
    let begins = story.iter().filter(|line| line.contains("begins"));
    let begins: Vec<_> = begins.map(|line| &line[line.len() - 5..]).collect();
    assert_eq!(begins, ["12:02", "12:04", "12:06", "12:08", "12:10"]);
}

#[test]
fn a_job_that_fails_or_panics_goes_on_and_so_do_the_others() {
    let turns = Cell::new(0);
    let work = async |job: &Job| {
        if job.name == "bad" {
            turns.set(turns.get() + 1);
            match turns.get() {
                1 => bail!("no disk"),
                2 => panic!("no sense"),
                _ => {}
            }
        }
        Ok(())
    };
    let lines = "* * * * * UTC skip bad true\n* * * * * UTC skip good true";
    let story = story(lines, 3, work, async |_| {});
    let of = |name: &str| {
        let lines = story.iter().filter(|line| line[9..].starts_with(name));
        lines.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("good").len(), 6, "{story:?}");
    let bad = of("bad");
    assert_eq!(bad[1], "12:01:00 bad fails 12:01: no disk");
    assert!(bad[3].starts_with("12:02:00 bad fails 12:02: ") && bad[3].contains("no sense"));
    assert_eq!(bad[5], "12:03:00 bad ends 12:03");
}

#[test]
fn at_the_end_runs_that_have_begun_end_and_none_begins() {
    testing::run(async {
        let world = Fake::new(async |_: &Job| {
            seconds(600).await;
            Ok(())
        });
        let lines = "* * * * * UTC all:5 slow true\n0 3 * * * UTC once night true";
        let jobs = jobs(lines, &world);
        let stop = Event::new();
        let end = async {
            seconds(120).await;
            stop.set();
        };
        let (ended, ()) = petla::gather!(run(&jobs, &world, &stop), end).await;
        ended.unwrap();
        let log = world.log.take();
        assert_eq!(
            log,
            ["12:01:00 slow begins 12:01", "12:11:00 slow ends 12:01"]
        );
    });
}

#[test]
fn a_job_is_settled_up_to_the_run_that_ended_last() {
    testing::run(async {
        let world = Fake::new(async |_: &Job| {
            seconds(600).await;
            Ok(())
        });
        let jobs = jobs("* * * * * UTC all:5 slow true", &world);
        let stop = Event::new();
        let minutes = async |count: u64| {
            move_on_after(Duration::from_secs(60 * count), async |_| {
                run(&jobs, &world, &stop).await
            })
            .await
        };
        assert!(minutes(5).await.is_none(), "it is cut short");
        assert_eq!(world.settled.get().to_string(), START);
        assert!(minutes(11).await.is_none());
        assert!(world.settled.get() > START.parse().unwrap());
    });
}
