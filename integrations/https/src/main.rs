//! HTTPS, both ends: a server with a certificate of its own, and a client that trusts it alone.
//!
//! ```text
//! $ cargo run --release -p petla-https -- serve --certificate cert.pem
//! https://localhost:8443/, for those who trust cert.pem; end it with Ctrl-C
//! $ cargo run --release -p petla-https -- get https://localhost:8443/ --certificate cert.pem
//! hello over HTTP/2.0 and TLSv1_3                               # in another terminal
//! $ curl --http1.1 --cacert cert.pem https://localhost:8443/
//! hello over HTTP/1.1 and TLSv1_3
//! ```
//!
//! The server makes a key and a self-signed certificate for `localhost` and 127.0.0.1 when it
//! starts, and writes the certificate, not the key, to the file: copy it to whoever shall trust the
//! server. The handshake agrees on HTTP/2 or HTTP/1.1 (ALPN), and hyper speaks that through the TLS
//! stream. Whoever does not finish the handshake, or speaks no TLS, is disconnected, and said on
//! standard error. Ctrl-C and SIGTERM end the server when all requests are answered, or after ten
//! seconds.
//!
//! `--port N` is the server's, `--limit SECONDS` how long a handshake may take; for the client, the
//! whole request. The client's exit code is 0 if the status was 2xx, 1 if not, or without an
//! answer. It is 2 for a line of arguments that makes no sense.
//!
//! # Not here
//! Certificates of an authority (give rustls another root store), renewal, and what `http_server`
//! has: limits of bodies and of idle connections of HTTP/2.
#![forbid(unsafe_code)]

mod client;
mod server;
mod tls;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use hyper::Uri;

const USAGE: &str = "usage: petla-https serve --certificate FILE [--port N] [--limit SECONDS]
       petla-https get https://HOST[:PORT]/PATH --certificate FILE [--limit SECONDS]";

struct Options {
    serves: bool,
    uri: Uri,
    certificate: PathBuf,
    port: u16,
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
    petla::run(run(options)).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

async fn run(options: Options) -> Result<ExitCode> {
    let (file, limit) = (&options.certificate, options.limit);
    if options.serves {
        server::run(file, options.port, limit).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let status = client::run(&options.uri, file, limit).await?;
    Ok(ExitCode::from(u8::from(!status.is_success())))
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let serves = match words.next().as_deref() {
        Some("serve") => true,
        Some("get") => false,
        _ => return Err(anyhow!("serve or get?")),
    };
    let (mut uri, mut certificate) = (Uri::default(), None);
    let (mut port, mut limit) = (8443, Duration::from_secs(10));
    while let Some(word) = words.next() {
        match word.as_str() {
            "--certificate" => certificate = words.next().map(PathBuf::from),
            "--port" => port = number(&word, words.next())?,
            "--limit" => {
                let time = Duration::try_from_secs_f64(number(&word, words.next())?);
                limit = time.context("--limit wants a number of seconds")?;
            }
            _ if !serves && word.starts_with("https://") => uri = word.parse()?,
            _ => return Err(anyhow!("{word} is not known")),
        }
    }
    if !serves && uri.host().is_none() {
        return Err(anyhow!("a URL is missing"));
    }
    Ok(Options {
        serves,
        uri,
        certificate: certificate.context("--certificate wants a file")?,
        port,
        limit,
    })
}

fn number<T: FromStr>(name: &str, value: Option<String>) -> Result<T> {
    let number = value.as_deref().and_then(|text| text.parse().ok());
    number.with_context(|| format!("{name} wants a number"))
}
