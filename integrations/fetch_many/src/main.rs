//! A hundred slow pages, one after the other and at once, with a progress bar.
//!
//! ```text
//! $ cargo run --release -p petla-fetch-many
//! 100 pages from http://127.0.0.1:40167, each after 20ms
//! one after the other   100 pages    2.14 s     1 connection
//! at once               100 pages    0.03 s   100 connections   67.6 times as fast
//! ```
//!
//! The server is a task of the same loop; `--count N` and `--delay MILLISECONDS` are about its
//! pages. With URLs as arguments these are fetched instead, each twice. `--at-once N` limits how
//! many are under way, `--limit SECONDS` how long each may take: without them, 100 and 10.
//!
//! A page that fails, or has another status than 2xx, is shown and counted, and the others go on;
//! then the exit code is 1. A line of arguments that makes no sense gives 2.
//!
//! The client is hyper-util's, which keeps connections for the next request: `connector` is all it
//! wants to know of a runtime. The bar is drawn by this one thread, and only on a terminal.
//!
//! # Not here
//! HTTPS (its connector would do the handshake of `https`), redirects, retries, cookies.
#![forbid(unsafe_code)]

mod connector;
mod slow_server;

use std::env;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use indicatif::{ProgressBar, ProgressStyle};
use petla::interop::{LoopExecutor, LoopTimer};
use petla::{as_completed, interval, select, timeout};

use connector::Connector;

const USAGE: &str = "usage: petla-fetch-many [--count N] [--delay MILLISECONDS] [--at-once N] \
    [--limit SECONDS] [http://HOST[:PORT]/PATH ..]";
/// More failures of one way are only counted.
const SHOWN: usize = 5;

struct Options {
    count: usize,
    delay: Duration,
    at_once: usize,
    limit: Duration,
    urls: Vec<Uri>,
}

/// What came of one way to fetch them all.
struct Outcome {
    took: Duration,
    failed: usize,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match petla::run(run(options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Did every page come?
async fn run(mut options: Options) -> Result<bool> {
    if options.urls.is_empty() {
        let server = slow_server::start(options.delay).await?;
        let Options { count, delay, .. } = options;
        println!("{count} pages from http://{server}, each after {delay:?}");
        let url = |number| format!("http://{server}/{number}").parse();
        options.urls = (0..count).map(url).collect::<Result<_, _>>()?;
    }
    let slow = fetch_all("one after the other", &options, 1).await;
    println!();
    let fast = fetch_all("at once", &options, options.at_once).await;
    let all_came = slow.failed + fast.failed == 0;
    if all_came {
        let factor = slow.took.as_secs_f64() / fast.took.as_secs_f64();
        print!("{factor:7.1} times as fast");
    }
    println!();
    Ok(all_came)
}

/// Fetches all pages, `at_once` of them at a time, and prints how long that took.
async fn fetch_all(way: &'static str, options: &Options, at_once: usize) -> Outcome {
    let connector = Connector::default();
    let client = Client::builder(LoopExecutor::new())
        .pool_timer(LoopTimer::new())
        .build(connector.clone());
    let bar = progress_bar(way, options.urls.len());
    let limit = options.limit;
    let mut failed = 0;
    let begin = Instant::now();
    let work = async {
        let pages = options.urls.iter().map(|url| {
            let page = timeout(limit, fetch(&client, url));
            async move {
                page.await
                    .unwrap_or_else(|_| Err(anyhow!("no page within {limit:?}")))
            }
        });
        let mut pages = as_completed(pages).limit(at_once);
        while let Some((number, page)) = pages.next().await {
            bar.inc(1);
            if let Err(error) = page {
                failed += 1;
                if failed <= SHOWN {
                    let url = &options.urls[number];
                    bar.suspend(|| eprintln!("{url}: {error:#}"));
                }
            }
        }
    };
    // The bar's clock goes on while no page comes. Both run in this task: `work` ends the other.
    select! {
        () = work => {}
        () = keep_drawing(&bar) => {}
    }
    let took = begin.elapsed();
    bar.finish_and_clear();
    if failed > SHOWN {
        eprintln!("and {} more failed", failed - SHOWN);
    }
    let (pages, opened) = (options.urls.len() - failed, connector.opened());
    let plural = if opened == 1 { "" } else { "s" };
    let seconds = took.as_secs_f64();
    print!("{way:20} {pages:4} pages {seconds:7.2} s {opened:5} connection{plural}");
    Outcome { took, failed }
}

/// How many bytes the page has.
async fn fetch(client: &Client<Connector, Empty<Bytes>>, url: &Uri) -> Result<usize> {
    let response = client.get(url.clone()).await?;
    let status = response.status();
    if !status.is_success() {
        bail!("{status}");
    }
    let page = response.into_body().collect().await;
    Ok(page.context("the page broke off")?.to_bytes().len())
}

fn progress_bar(way: &'static str, count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64).with_message(way);
    let template = "{msg:20} {bar:40} {pos:>4}/{len} {elapsed_precise}";
    let style = ProgressStyle::with_template(template).expect("a valid template");
    bar.with_style(style.progress_chars("=> "))
}

/// Instead of indicatif's `enable_steady_tick`, which would start a thread.
async fn keep_drawing(bar: &ProgressBar) {
    let mut interval = interval(Duration::from_millis(100));
    loop {
        interval.tick().await;
        bar.tick();
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        count: 100,
        delay: Duration::from_millis(20),
        at_once: 100,
        limit: Duration::from_secs(10),
        urls: Vec::new(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next();
        match word.as_str() {
            "--count" => options.count = number(&word, value())?,
            "--delay" => options.delay = Duration::from_millis(number(&word, value())?),
            "--at-once" => options.at_once = number(&word, value())?,
            "--limit" => {
                let limit = Duration::try_from_secs_f64(number(&word, value())?);
                options.limit = limit.context("--limit wants a number of seconds")?;
            }
            _ if word.starts_with("http://") => options.urls.push(word.parse()?),
            _ => return Err(anyhow!("{word} is not known")),
        }
    }
    ensure!(options.at_once > 0, "--at-once 0 fetches nothing");
    Ok(options)
}

fn number<T: FromStr>(name: &str, value: Option<String>) -> Result<T> {
    let number = value.as_deref().and_then(|text| text.parse().ok());
    number.with_context(|| format!("{name} wants a number"))
}
