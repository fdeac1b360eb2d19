//! Gets a page over HTTP/1 or HTTP/2: hyper's client on a socket of petla.
//!
//! ```text
//! $ cargo run --release -p petla-http-client -- http://127.0.0.1:8080/
//! HTTP/1.1 200 OK
//! content-type: text/plain
//! content-length: 20
//! date: Mon, 23 Nov 2026 21:00:00 GMT
//!
//! hello over HTTP/1.1
//! $ cargo run --release -p petla-http-client -- --limit 2.5 http://127.0.0.1:9/
//! http://127.0.0.1:9/: nobody listens at 127.0.0.1:9: is the server running?
//! ```
//!
//! `--http2` speaks HTTP/2 from the first byte on (prior knowledge). `--limit SECONDS` is for the
//! whole request, from the look-up of the name to the last byte of the body: without it, ten.
//!
//! The exit code is 0 when the server was content, 3 when its status was 400 or above, 1 when there
//! was no answer or only a part of one, and 2 for a line of arguments that makes no sense.
//!
//! # Not here
//! TLS (`https`), many pages and connections that are kept (`fetch_many`), redirects, proxies.
#![forbid(unsafe_code)]

mod error;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, Uri};
use petla::interop::LoopExecutor;
use petla::net::TcpStream;
use petla::{io::stdout, spawn, timeout};

const USAGE: &str = "usage: petla-http-client [--http2] [--limit SECONDS] http://HOST[:PORT]/PATH";

struct Options {
    uri: Uri,
    speaks_http2: bool,
    limit: Duration,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Options { uri, limit, .. } = &options;
    let shown = petla::run(timeout(*limit, show(&options)));
    let shown = shown.unwrap_or_else(|_| Err(anyhow!("no whole answer within {limit:?}")));
    shown.unwrap_or_else(|error| {
        eprintln!("{uri}: {error:#}");
        ExitCode::from(1)
    })
}

/// Gets the page and prints it as it comes.
async fn show(options: &Options) -> Result<ExitCode> {
    let response = get(options).await?;
    let status = response.status();
    let mut head = format!("{:?} {status}\n", response.version());
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        head += &format!("{name}: {value}\n");
    }
    stdout().write_all(head + "\n").await?;

    let (mut body, mut length) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        let broken = || format!("the page broke off after {length} bytes");
        if let Ok(data) = frame.with_context(broken)?.into_data() {
            length += data.len();
            stdout().write_all(data).await?;
        }
    }
    stdout().flush().await?;
    let is_content = !status.is_client_error() && !status.is_server_error();
    Ok(ExitCode::from(if is_content { 0 } else { 3 }))
}

/// Sends the request over a connection of its own; gives the head of the answer, and its body as
/// something to wait for.
async fn get(options: &Options) -> Result<Response<Incoming>> {
    let uri = &options.uri;
    let host = uri.host().context("a URL without a host")?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(&*address).await;
    let stream = stream.map_err(|error| error::connect(error, &address))?;
    let no_answer = |error| error::no_answer(error, options.speaks_http2);
    if options.speaks_http2 {
        let request = Request::get(uri).body(Empty::<Bytes>::new())?;
        let handshake = http2::handshake(LoopExecutor::new(), stream).await;
        let (mut sender, connection) = handshake.map_err(no_answer)?;
        // The connection works in a task of its own. What breaks it breaks the request as well.
        spawn(async { drop(connection.await) }).detach();
        sender.send_request(request).await.map_err(no_answer)
    } else {
        // On the line of HTTP/1 there is only the path; the host has a header.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().context("a URL without a host")?;
        let request = Request::get(path).header(HOST, authority.as_str());
        let request = request.body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http1::handshake(stream).await.map_err(no_answer)?;
        spawn(async { drop(connection.await) }).detach();
        sender.send_request(request).await.map_err(no_answer)
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let (mut uri, mut speaks_http2, mut limit) = (None, false, Duration::from_secs(10));
    while let Some(word) = words.next() {
        match word.as_str() {
            "--http2" => speaks_http2 = true,
            "--limit" => {
                let seconds = words.next().and_then(|text| text.parse().ok());
                let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                limit = time.context("--limit wants a number of seconds")?;
            }
            _ if word.starts_with('-') => return Err(anyhow!("{word} is not known")),
            _ => {
                ensure!(uri.is_none(), "one URL at a time");
                uri = Some(url(&word)?);
            }
        }
    }
    Ok(Options {
        uri: uri.context("a URL is missing")?,
        speaks_http2,
        limit,
    })
}

fn url(word: &str) -> Result<Uri> {
    let uri: Uri = word.parse().with_context(|| format!("{word} is no URL"))?;
    match uri.scheme_str() {
        Some("http") => Ok(uri),
        Some(scheme) => Err(anyhow!("{scheme} is not spoken here, only http")),
        None => Err(anyhow!("{word} is no URL: it must begin with http://")),
    }
}
