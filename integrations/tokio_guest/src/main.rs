//! Crates that need tokio, unchanged inside petla's tasks: reqwest, and tokio's timers, channels
//! and threads.
//!
//! ```text
//! $ cargo run -p petla-tokio-guest
//! reqwest: 20 pages, 180 bytes, in 7 ms; every task on main
//! tokio::time: slept 21 ms; a page that never comes: deadline has elapsed
//! tokio::spawn: counted to 10000 on tokio-rt-worker; the sum came to main: 50005000
//! tokio::task::spawn_blocking: 9592 primes below 100000, found on tokio-rt-worker
//! $ cargo run -p petla-tokio-guest -- http://localhost:8000/ http://localhost:8000/other
//! ```
//!
//! Such crates look for a tokio runtime in a thread-local variable, to have their sockets and
//! timers watched. Two lines put one there: a runtime with one worker thread, and its context,
//! entered once on the thread of petla's loop. All tasks run on that thread, so all have it. What
//! the crates spawn runs on tokio's worker; what it reads wakes petla's tasks across the threads,
//! which costs some microseconds a wake. The tasks themselves stay where they are and hold what
//! they like, here an `Rc`, across each `.await`.
//!
//! Without the two lines the first use panics: "there is no reactor running, must be called from
//! the context of a Tokio 1.x runtime". So it does if the context was entered as `let _ = ..`,
//! which leaves it at once. The runtime must outlive the loop: shut down earlier, its timers
//! panic and its sockets fail. Declared before the loop runs, as here, it is dropped after it.
//!
//! Not here: `spawn_local`, which has no place to run. petla's `spawn` takes what is not `Send`.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use petla::net::{TcpListener, TcpStream};
use petla::{gather, spawn, to_thread};
use std::time::{Duration, Instant};
use std::{cell::RefCell, collections::BTreeSet, env, io, process::ExitCode, rc::Rc, thread};
use tokio::sync::mpsc;

const PAGES: usize = 20;
/// For the whole of one answer.
const LIMIT: Duration = Duration::from_secs(10);
const NUMBERS: u64 = 10_000;

fn thread_name() -> String {
    thread::current().name().unwrap_or("a thread").to_owned()
}

// ---- The pages: reqwest's client in tasks that are not `Send`.

/// What all tasks add to.
#[derive(Default)]
struct Tally {
    pages: usize,
    bytes: usize,
    threads: BTreeSet<String>,
}

async fn fetch(client: reqwest::Client, url: String, tally: Rc<RefCell<Tally>>) -> Result<()> {
    let answer = client.get(&url).send().await;
    let answer = answer.with_context(|| format!("no answer; does a server run at {url}?"))?;
    let page = answer.error_for_status()?.bytes().await?;
    let mut tally = tally.borrow_mut();
    tally.pages += 1;
    tally.bytes += page.len();
    tally.threads.insert(thread_name());
    Ok(())
}

async fn fetch_all(client: &reqwest::Client, urls: Vec<String>) -> Result<()> {
    let begin = Instant::now();
    let tally = Rc::new(RefCell::new(Tally::default()));
    let task = |url| spawn(fetch(client.clone(), url, Rc::clone(&tally)));
    for result in gather(urls.into_iter().map(task)).await {
        result??;
    }
    let (tally, took) = (tally.borrow(), begin.elapsed().as_millis());
    let threads: Vec<&str> = tally.threads.iter().map(String::as_str).collect();
    println!(
        "reqwest: {} pages, {} bytes, in {took} ms; every task on {}",
        tally.pages,
        tally.bytes,
        threads.join(" and ")
    );
    Ok(())
}

// ---- tokio's own tools.

async fn timers(client: &reqwest::Client, silent: &str) -> Result<()> {
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let slept = begin.elapsed().as_millis();
    let answer = client.get(silent).send();
    let elapsed = tokio::time::timeout(Duration::from_millis(50), answer).await;
    let elapsed = elapsed.err().context("the silent server has answered")?;
    println!("tokio::time: slept {slept} ms; a page that never comes: {elapsed}");
    Ok(())
}

/// From a task on tokio's worker to this one.
async fn channel() -> Result<()> {
    let (sender, mut receiver) = mpsc::channel(16);
    let counting = tokio::spawn(async move {
        for number in 1..=NUMBERS {
            sender.send(number).await.expect("it is received");
        }
        thread_name()
    });
    let mut sum = 0;
    while let Some(number) = receiver.recv().await {
        sum += number;
    }
    let there = counting.await?;
    let here = thread_name();
    println!("tokio::spawn: counted to {NUMBERS} on {there}; the sum came to {here}: {sum}");
    ensure!(sum == NUMBERS * (NUMBERS + 1) / 2, "a number was lost");
    Ok(())
}

async fn blocking() -> Result<()> {
    let is_prime = |n: &u32| {
        let mut divisors = (2..).take_while(|d| d * d <= *n);
        divisors.all(|d| !n.is_multiple_of(d))
    };
    let count = move || ((2..100_000).filter(is_prime).count(), thread_name());
    let (primes, there) = tokio::task::spawn_blocking(count).await?;
    println!("tokio::task::spawn_blocking: {primes} primes below 100000, found on {there}");
    let (same, _) = to_thread(count).await?; // what petla has for it
    ensure!(primes == same, "two threads disagree about primes");
    Ok(())
}

// ---- A server of petla's own, so that the program needs none.

async fn answer(client: TcpStream) -> io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"\r\n\r\n") {
        match client.read(&mut buffer).await? {
            0 => return Ok(()),
            length => request.extend(&buffer[..length]),
        }
    }
    if request.starts_with(b"GET /silent ") {
        client.read(&mut buffer).await?; // until the client leaves
        return Ok(());
    }
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\na page..\n";
    client.write_all(page.as_bytes()).await
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        spawn(answer(client)).detach();
    }
}

async fn run(mut urls: Vec<String>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own = format!("http://{}", listener.local_addr()?);
    spawn(serve(listener)).detach();
    if urls.is_empty() {
        urls = (0..PAGES).map(|page| format!("{own}/{page}")).collect();
    }
    let client = reqwest::Client::builder().timeout(LIMIT).build()?;
    fetch_all(&client, urls).await?;
    timers(&client, &format!("{own}/silent")).await?;
    channel().await?;
    blocking().await
}

fn main() -> Result<ExitCode> {
    let urls: Vec<String> = env::args().skip(1).collect();
    if urls.iter().any(|url| !url.starts_with("http://")) {
        eprintln!("usage: petla-tokio-guest [http://..]..");
        return Ok(ExitCode::from(2));
    }
    // The two lines: tokio's thread, and its context on this one, until the end of `main`.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let tokio = builder.worker_threads(1).enable_all().build()?;
    let _context = tokio.enter();

    petla::run(run(urls))?;
    Ok(ExitCode::SUCCESS)
}
