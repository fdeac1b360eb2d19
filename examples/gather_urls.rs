//! Many pages from a few slow servers: one after another, all at once, ten at a time, as they come.
//!
//! ```text
//! $ cargo run --release --example gather_urls -- --count 50
//! 5 servers, 50 pages, 40 ms each on average
//! one after another           2025 ms
//! gather                        62 ms   32.3 times as fast
//! gather, 10 at a time         265 ms    7.6 times as fast
//!   10 of 50 pages
//!   ...
//! as they come                  62 ms   32.2 times as fast
//! all four agree: 50 pages, 840 bytes
//! ```
//!
//! The servers are tasks of the same loop, so this needs no network; they speak as much HTTP/1.0
//! as a page takes. Each fetch has a limit of its own, and its error is an `io::Error` like any
//! other. The futures run in place, in the task that gathers: nothing is spawned on the client's
//! side, and they borrow the addresses.

use petla::net::{TcpListener, TcpStream};
use petla::{as_completed, gather, sleep, spawn, timeout, try_gather};
use std::time::{Duration, Instant};
use std::{env, error::Error, io};

const SERVERS: u64 = 5;
const LIMIT: Duration = Duration::from_secs(5);

/// Sends one page, after some time; the end of the page is the end of the connection.
async fn answer(client: TcpStream, delay: Duration) -> io::Result<()> {
    let request = read_until(&client, |text| text.ends_with("\r\n\r\n")).await?;
    let path = request.split(' ').nth(1).unwrap_or("/");
    sleep(delay).await;
    let page = format!("HTTP/1.0 200 OK\r\n\r\nthis is page {path}\n");
    client.write_all(page.as_bytes()).await
}

/// Accepts for ever; that it failed is reported, since its handle is detached.
async fn accept(listener: TcpListener, delay: Duration) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        spawn(answer(client, delay)).detach();
    }
}

/// Starts a server that answers after `delay`; gives its address as the beginning of a URL.
async fn serve(delay: Duration) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    spawn(accept(listener, delay)).detach();
    Ok(format!("http://{address}"))
}

/// Reads until the text is complete, or the other side has no more.
async fn read_until(stream: &TcpStream, complete: impl Fn(&str) -> bool) -> io::Result<String> {
    let (mut text, mut buffer) = (String::new(), [0; 512]);
    while !complete(&text) {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        text += &String::from_utf8_lossy(&buffer[..length]);
    }
    Ok(text)
}

async fn get(url: &str) -> io::Result<String> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, url);
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
    let stream = TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let response = read_until(&stream, |_| false).await?;
    match response.split_once("\r\n\r\n") {
        Some((head, page)) if head.contains(" 200 ") => Ok(page.to_owned()),
        _ => Err(io::Error::other(response)),
    }
}

/// A page, or `TimedOut`.
async fn fetch(url: &str) -> io::Result<String> {
    timeout(LIMIT, get(url)).await?
}

async fn in_turn(urls: &[String]) -> io::Result<Vec<String>> {
    let mut pages = Vec::new();
    for url in urls {
        pages.push(fetch(url).await?);
    }
    Ok(pages)
}

async fn at_once(urls: &[String]) -> io::Result<Vec<String>> {
    let pages = gather(urls.iter().map(|url| fetch(url))).await;
    pages.into_iter().collect() // the errors are values until here
}

async fn by_ten(urls: &[String]) -> io::Result<Vec<String>> {
    let pages = gather(urls.iter().map(|url| fetch(url))).limit(10).await;
    pages.into_iter().collect()
}

async fn as_they_come(urls: &[String]) -> io::Result<Vec<String>> {
    let mut pages = vec![String::new(); urls.len()];
    let mut ended = as_completed(urls.iter().map(|url| fetch(url)));
    let mut count = 0;
    while let Some((number, page)) = ended.next().await {
        pages[number] = page?;
        count += 1;
        if count % 10 == 0 {
            println!("  {count} of {} pages", urls.len());
        }
    }
    Ok(pages)
}

/// Awaits one way to get the pages, and prints how long that took.
async fn measure(
    way: &str,
    slowest: Option<Duration>,
    pages: impl Future<Output = io::Result<Vec<String>>>,
) -> io::Result<(Vec<String>, Duration)> {
    let begin = Instant::now();
    let pages = pages.await?;
    let took = begin.elapsed();
    print!("{way:24} {:7} ms", took.as_millis());
    match slowest {
        Some(slowest) => println!(
            "{:7.1} times as fast",
            slowest.as_secs_f64() / took.as_secs_f64()
        ),
        None => println!(),
    }
    Ok((pages, took))
}

async fn run(count: usize) -> io::Result<()> {
    let delays = (0..SERVERS).map(|server| Duration::from_millis(20 + 10 * server));
    let servers = try_gather(delays.map(serve)).await?;
    let url = |(page, server)| format!("{server}/{page}");
    let urls: Vec<String> = (0..count).zip(servers.iter().cycle()).map(url).collect();
    println!("{SERVERS} servers, {count} pages, 40 ms each on average");

    let (pages, slowest) = measure("one after another", None, in_turn(&urls)).await?;
    let (at_once, fast) = measure("gather", Some(slowest), at_once(&urls)).await?;
    let (by_ten, _) = measure("gather, 10 at a time", Some(slowest), by_ten(&urls)).await?;
    let (as_come, _) = measure("as they come", Some(slowest), as_they_come(&urls)).await?;

    assert!(pages == at_once && pages == by_ten && pages == as_come);
    assert!(
        count < 20 || fast < slowest / 3,
        "that is hardly concurrent"
    );
    let bytes: usize = pages.iter().map(String::len).sum();
    println!("all four agree: {count} pages, {bytes} bytes");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let count = match &arguments[..] {
        [] => 50,
        [option, count] if option == "--count" => count.parse()?,
        _ => return Err("usage: gather_urls [--count N]".into()),
    };
    Ok(petla::run(run(count))?)
}
