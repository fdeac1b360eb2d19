//! Jobs that may crash, hang or hog a core, each in a process of its own: a pool of workers over
//! pipes.
//!
//! ```text
//! $ cargo run --release --example worker_processes
//! 23 of 26 jobs done, at most 4 at a time
//! refuse: no such job
//! crash: given up after 2 attempts: the worker ended: signal: 6 (SIGABRT)
//! hang: given up after 2 attempts: no answer within 1s
//! 5 workers were lost, all others ended well
//! ```
//!
//! The workers are this program again, started with an argument. Each reads frames from its
//! standard input and writes one to its standard output for each; a frame is four bytes of length
//! and that many bytes. A job whose worker dies or is silent is given to another one, once. The
//! queue of places is the limit on the jobs in flight: a place holds a worker, or none yet.

use petla::{
    gather,
    io::{PipeReader, PipeWriter},
    local::Queue,
    process::{Child, Command},
    timeout,
};
use std::{
    cell::Cell,
    env,
    fmt::{self, Display, Formatter},
    io::{self, ErrorKind, Read, Write},
    process::{ExitStatus, Stdio},
    time::Duration,
};

const WORKERS: usize = 4;
const ATTEMPTS: u8 = 2;
/// For one job.
const LIMIT: Duration = Duration::from_secs(1);
/// For a worker to begin, and to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);
/// A longer frame is no frame: whoever wrote it is not one of ours.
const FRAME_MAX: usize = 1 << 20;
/// What a worker says first. Whatever came before is not meant for us.
const GREETING: &[u8] = b"worker ready\n";

fn frame(kind: u8, text: &str) -> Vec<u8> {
    let length = (1 + text.len()) as u32;
    let mut frame = length.to_le_bytes().to_vec();
    frame.push(kind);
    frame.extend(text.as_bytes());
    frame
}

fn check_length(length: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    match length {
        1..=FRAME_MAX => Ok(length),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "not a frame")),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

// ---- In the worker: no loop, one job after the other.

pub(crate) fn work() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    output.write_all(GREETING)?;
    output.flush()?;
    let mut length = [0; 4];
    loop {
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut job = vec![0; check_length(length)?];
        input.read_exact(&mut job)?;
        let answer = match solve(job[0], &text(&job[1..])) {
            Ok(answer) => frame(0, &answer),
            Err(refusal) => frame(1, &refusal),
        };
        output.write_all(&answer)?;
        output.flush()?;
    }
}

fn solve(attempt: u8, job: &str) -> Result<String, String> {
    match job.split_once(' ').unwrap_or((job, "")) {
        ("primes", below) => {
            let below: u32 = below.parse().map_err(|_| "below which number?")?;
            let is_prime = |n: &u32| {
                (2..)
                    .take_while(|d| d * d <= *n)
                    .all(|d| !n.is_multiple_of(d))
            };
            Ok((2..below).filter(is_prime).count().to_string())
        }
        ("crash", "once") if attempt > 1 => Ok("recovered".to_owned()),
        ("crash", _) => std::process::abort(),
        ("hang", _) => loop {
            std::thread::park();
        },
        _ => Err("no such job".to_owned()),
    }
}

// ---- In the loop: the pool.

/// A process and the pipes to it. Dropped, it is killed.
struct Worker {
    child: Child,
    to: PipeWriter,
    from: PipeReader,
}

impl Worker {
    async fn start(mut command: Command) -> io::Result<Worker> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let worker = Worker { child, to, from };
        timeout(GRACE, worker.greeting()).await??;
        Ok(worker)
    }

    async fn greeting(&self) -> io::Result<()> {
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !said.ends_with(GREETING) {
            self.from.read_exact(&mut byte).await?;
            said.push(byte[0]);
        }
        Ok(())
    }

    /// The job's own result, or an error if the worker is of no use any more.
    async fn ask(&self, attempt: u8, job: &str) -> io::Result<Result<String, String>> {
        self.to.write_all(&frame(attempt, job)).await?;
        let mut length = [0; 4];
        self.from.read_exact(&mut length).await?;
        let mut answer = vec![0; check_length(length)?];
        self.from.read_exact(&mut answer).await?;
        Ok(match answer[0] {
            0 => Ok(text(&answer[1..])),
            _ => Err(text(&answer[1..])),
        })
    }

    /// The end of its input asks it to end.
    async fn end(self) -> io::Result<ExitStatus> {
        drop(self.to);
        match timeout(GRACE, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => self.child.stop(GRACE).await,
        }
    }
}

/// The right to one worker; dropped, it passes on.
struct Place<'a> {
    places: &'a Queue<Option<Worker>>,
    worker: Option<Worker>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let put = self.places.put_nowait(self.worker.take());
        assert!(put.is_ok(), "there is room for as many as were taken");
    }
}

/// Why a job has no answer.
enum Failure {
    /// It said so itself.
    Refused(String),
    /// Its workers came to grief.
    GivenUp(String),
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(why) => f.write_str(why),
            Failure::GivenUp(how) => write!(f, "given up after {ATTEMPTS} attempts: {how}"),
        }
    }
}

struct Pool<C> {
    command: C,
    places: Queue<Option<Worker>>,
    busy: Cell<usize>,
    most: Cell<usize>,
    lost: Cell<usize>,
}

impl<C: Fn() -> Command> Pool<C> {
    fn new(command: C) -> Pool<C> {
        let places = Queue::bounded(WORKERS);
        while places.put_nowait(None).is_ok() {}
        Pool {
            command,
            places,
            busy: Cell::default(),
            most: Cell::default(),
            lost: Cell::default(),
        }
    }

    async fn run(&self, job: &str) -> Result<String, Failure> {
        let mut last = String::new();
        for attempt in 1..=ATTEMPTS {
            let Ok(worker) = self.places.get().await else {
                unreachable!("nobody shuts the queue down");
            };
            let places = &self.places;
            let mut place = Place { places, worker };
            self.busy.set(self.busy.get() + 1);
            self.most.set(self.most.get().max(self.busy.get()));
            let answer = self.attempt(&mut place, attempt, job).await;
            self.busy.set(self.busy.get() - 1);
            match answer {
                Ok(answer) => return answer.map_err(Failure::Refused),
                Err(how) => last = how,
            }
        }
        Err(Failure::GivenUp(last))
    }

    /// While it works, the worker is out of its place: given up now, it is not used again.
    async fn attempt(
        &self,
        place: &mut Place<'_>,
        attempt: u8,
        job: &str,
    ) -> Result<Result<String, String>, String> {
        let worker = match place.worker.take() {
            Some(worker) => Ok(worker),
            None => Worker::start((self.command)()).await,
        };
        let worker = worker.map_err(|error| format!("no worker: {error}"))?;
        let answer = timeout(LIMIT, worker.ask(attempt, job)).await;
        if let Ok(Ok(answer)) = answer {
            place.worker = Some(worker);
            return Ok(answer);
        }
        self.lost.set(self.lost.get() + 1);
        if answer.is_err() {
            return Err(format!("no answer within {LIMIT:?}"));
        }
        let status = worker.end().await.map_err(|error| error.to_string())?;
        Err(format!("the worker ended: {status}"))
    }

    /// Ends all workers that are left; did all of them end well?
    async fn close(&self) -> io::Result<bool> {
        let mut ends = Vec::new();
        while let Ok(worker) = self.places.get_nowait() {
            ends.extend(worker.map(Worker::end));
        }
        let statuses: io::Result<Vec<_>> = gather(ends).await.into_iter().collect();
        Ok(statuses?.iter().all(ExitStatus::success))
    }
}

/// Runs the jobs on workers that `command` starts; says what became of them.
pub(crate) fn run(command: impl Fn() -> Command) -> io::Result<String> {
    let mut jobs: Vec<String> = (1..=22).map(|n| format!("primes {}", n * 500)).collect();
    for (at, job) in [(2, "crash"), (3, "crash once"), (7, "hang"), (11, "refuse")] {
        jobs.insert(at, job.to_owned());
    }
    petla::run(async {
        let pool = Pool::new(command);
        let runs = jobs.iter().map(|job| pool.run(job));
        let results = gather(runs).limit(2 * WORKERS).await;
        let done = results.iter().filter(|result| result.is_ok()).count();
        let (all, most) = (jobs.len(), pool.most.get());
        let mut summary = format!("{done} of {all} jobs done, at most {most} at a time\n");
        for (job, result) in jobs.iter().zip(&results) {
            match result {
                Ok(answer) if job == "primes 10000" => assert_eq!(answer, "1229"),
                Ok(_) => {}
                Err(failure) => summary += &format!("{job}: {failure}\n"),
            }
        }
        assert!(pool.close().await?, "a worker did not end well");
        let lost = pool.lost.get();
        summary += &format!("{lost} workers were lost, all others ended well");
        Ok(summary)
    })
}

fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() == Some("worker") {
        return work();
    }
    let program = env::current_exe()?;
    let summary = run(|| {
        let mut command = Command::new(&program);
        command.arg("worker");
        command
    })?;
    println!("{summary}");
    Ok(())
}
