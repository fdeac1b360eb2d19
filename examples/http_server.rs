//! A small HTTP/1.1 server over streams: what a client may expect of one, and no more.
//!
//! ```text
//! $ cargo run --release --example http_server -- 8080
//! http://127.0.0.1:8080/, and /health; POST to /echo; end it with Ctrl-C
//! $ curl http://127.0.0.1:8080/          # in another terminal
//! hello
//! $ curl -d 'some data' http://127.0.0.1:8080/echo
//! some data
//! ```
//!
//! Connections are kept alive, requests may be pipelined, bodies have a `Content-Length`. Head and
//! body of an answer leave by one system call. What is malformed gets 400, what is too large 413 or
//! 431, a chunked body 501; after these the connection is closed, and the client reads the answer
//! before the end. At the end of the program requests under way are answered, and connections that
//! wait for the next one are closed.

use petla::EventLoop;
use petla::event_loop::RunError;
use petla::local::Event;
use petla::streams::{ReadError, Server, StreamReader, StreamWriter, start_server};
use petla::{select, timeout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{cell::Cell, env, error::Error, io, io::IoSlice, net::SocketAddr, rc::Rc};

const DEFAULT_PORT: u16 = 8080;
const CLIENTS_MAX: usize = 10_000;
const HEAD_MAX: usize = 8 << 10;
const BODY_MAX: usize = 1 << 20;
/// How long a connection may do nothing.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a client that sent too much may go on with it, to read the answer.
const FAREWELL: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);

/// A status that ends the request, and with it the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(&'static str);

const BAD_REQUEST: Refusal = Refusal("400 Bad Request");
const TOO_LARGE: Refusal = Refusal("413 Content Too Large");
const HEAD_TOO_LARGE: Refusal = Refusal("431 Request Header Fields Too Large");
const NOT_IMPLEMENTED: Refusal = Refusal("501 Not Implemented");
const OTHER_VERSION: Refusal = Refusal("505 HTTP Version Not Supported");

/// What the handlers share.
#[derive(Default)]
pub(crate) struct Site {
    closing: Event,
    served: Cell<u64>,
}

/// What is known of a request before its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    method: String,
    path: String,
    length: usize,
    keeps_alive: bool,
    /// Does the client wait for a word before it sends the body?
    asks_first: bool,
}

struct Answer {
    status: &'static str,
    body: Vec<u8>,
}

/// Splits the first line and the fields of a head.
pub(crate) fn parse(text: &[u8]) -> Result<Head, Refusal> {
    let text = str::from_utf8(text).map_err(|_| BAD_REQUEST)?;
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().unwrap_or_default();
    let [method, target, version] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(BAD_REQUEST);
    };
    let is_new = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ if version.starts_with("HTTP/") => return Err(OTHER_VERSION),
        _ => return Err(BAD_REQUEST),
    };
    let mut head = Head {
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        length: 0,
        keeps_alive: is_new,
        asks_first: false,
    };
    let (mut has_host, mut length) = (false, None);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(BAD_REQUEST)?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(BAD_REQUEST); // also a line that goes on from the last
        }
        let value = value.trim_matches([' ', '\t']);
        match name.to_ascii_lowercase().as_str() {
            "host" => has_host = true,
            "content-length" => {
                let known = length.replace(parse_length(value)?);
                if known.is_some_and(|known| Some(known) != length) {
                    return Err(BAD_REQUEST);
                }
            }
            "transfer-encoding" => return Err(NOT_IMPLEMENTED),
            "connection" => {
                for option in value.split(',').map(str::trim) {
                    head.keeps_alive |= option.eq_ignore_ascii_case("keep-alive");
                }
                for option in value.split(',').map(str::trim) {
                    head.keeps_alive &= !option.eq_ignore_ascii_case("close");
                }
            }
            "expect" => head.asks_first = is_new && value.eq_ignore_ascii_case("100-continue"),
            _ => {}
        }
    }
    head.length = length.unwrap_or(0);
    match (is_new && !has_host, head.length > BODY_MAX) {
        (true, _) => Err(BAD_REQUEST),
        (_, true) => Err(TOO_LARGE),
        _ => Ok(head),
    }
}

fn parse_length(value: &str) -> Result<usize, Refusal> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BAD_REQUEST);
    }
    value.parse().map_err(|_| TOO_LARGE)
}

impl Site {
    fn answer(&self, head: &Head, body: Vec<u8>) -> Answer {
        self.served.set(self.served.get() + 1);
        let text = |status, text: &str| Answer {
            status,
            body: text.as_bytes().to_vec(),
        };
        match (head.method.as_str(), head.path.as_str()) {
            ("GET" | "HEAD", "/") => text("200 OK", "hello\n"),
            ("GET" | "HEAD", "/health") => text(
                "200 OK",
                &format!("{} requests served\n", self.served.get()),
            ),
            ("POST", "/echo") => Answer {
                status: "200 OK",
                body,
            },
            (_, "/" | "/health" | "/echo") => text("405 Method Not Allowed", "not like this\n"),
            _ => text("404 Not Found", "not here\n"),
        }
    }

    /// The next request of a connection; `None` when no more is to come.
    async fn next(
        &self,
        reader: &mut StreamReader,
        writer: &mut StreamWriter,
    ) -> io::Result<Option<Result<(Head, Vec<u8>), Refusal>>> {
        let is_idle = select! {
            head = timeout(IDLE_MAX, read_head(reader)) => {
                let Ok(head) = head else { return Ok(None) };
                return finish(head?, reader, writer).await;
            }
            _ = self.closing.wait() => reader.buffered() == 0,
        };
        if is_idle {
            return Ok(None);
        }
        // Half of a head has come, and the rest is waited for.
        let Ok(head) = timeout(IDLE_MAX, read_head(reader)).await else {
            return Ok(None);
        };
        finish(head?, reader, writer).await
    }

    /// Serves one connection.
    async fn talk(&self, mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
        reader.set_limit(HEAD_MAX);
        while let Some(request) = self.next(&mut reader, &mut writer).await? {
            let (head, body) = match request {
                Ok(request) => request,
                Err(refusal) => return refuse(refusal, reader, writer).await,
            };
            let keeps_alive = head.keeps_alive && !self.closing.is_set();
            let answer = self.answer(&head, body);
            write(&mut writer, &answer, keeps_alive, head.method == "HEAD");
            writer.drain().await?;
            if !keeps_alive {
                break;
            }
        }
        writer.wait_closed().await
    }
}

/// Reads up to the empty line. `None` is the end of the connection.
async fn read_head(reader: &mut StreamReader) -> io::Result<Option<Result<Head, Refusal>>> {
    loop {
        return match reader.read_until(b"\r\n\r\n").await {
            // An empty line before a request is passed over (RFC 9112, 2.2).
            Ok(text) => match text.strip_prefix(b"\r\n").unwrap_or(text) {
                [] | b"\r\n" => continue,
                text => Ok(Some(parse(text))),
            },
            Err(ReadError::LimitOverrun { .. }) => Ok(Some(Err(HEAD_TOO_LARGE))),
            Err(ReadError::Incomplete { partial })
                if partial.iter().all(u8::is_ascii_whitespace) =>
            {
                Ok(None)
            }
            Err(ReadError::Incomplete { .. }) => Ok(Some(Err(BAD_REQUEST))),
            Err(error) => Err(error.into()),
        };
    }
}

/// Reads the body that a head announces.
async fn finish(
    head: Option<Result<Head, Refusal>>,
    reader: &mut StreamReader,
    writer: &mut StreamWriter,
) -> io::Result<Option<Result<(Head, Vec<u8>), Refusal>>> {
    let head = match head {
        Some(Ok(head)) => head,
        Some(Err(refusal)) => return Ok(Some(Err(refusal))),
        None => return Ok(None),
    };
    if head.asks_first && head.length > 0 {
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let mut body = vec![0; head.length];
    match timeout(IDLE_MAX, reader.read_exact(&mut body)).await {
        Ok(Ok(())) => Ok(Some(Ok((head, body)))),
        Ok(Err(ReadError::Incomplete { .. })) => Ok(Some(Err(BAD_REQUEST))),
        Ok(Err(error)) => Err(error.into()),
        Err(_too_slow) => Ok(None),
    }
}

/// Head and body in one call.
fn write(writer: &mut StreamWriter, answer: &Answer, keeps_alive: bool, is_head: bool) {
    let head = format!(
        "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}\r\n",
        answer.status,
        date(SystemTime::now()),
        answer.body.len(),
        if keeps_alive {
            ""
        } else {
            "Connection: close\r\n"
        },
    );
    let body: &[u8] = if is_head { b"" } else { &answer.body };
    writer.write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(body)]);
}

/// Says no, and lets the client finish: closing with data unread would reset the connection, and
/// the answer with it.
async fn refuse(
    refusal: Refusal,
    mut reader: StreamReader,
    mut writer: StreamWriter,
) -> io::Result<()> {
    let Refusal(status) = refusal;
    let body = format!("{status}\n").into_bytes();
    write(&mut writer, &Answer { status, body }, false, false);
    writer.write_eof();
    let rest = async {
        let mut buffer = vec![0; 16 << 10];
        while reader.read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether it finishes in time or not, whether it breaks off: the answer is on its way.
    let _ = timeout(FAREWELL, rest).await;
    writer.wait_closed().await
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ];
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the day that not all of them have is the last. Day 0 is
    // 0000-03-01; 400 years have 146,097 days.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months have 153 days, from March and from August on.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[month as usize]);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day_of_month:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

pub(crate) async fn start(address: SocketAddr) -> io::Result<(Server, Rc<Site>)> {
    let site = Rc::new(Site::default());
    let handlers = Rc::clone(&site);
    let handler = async move |reader, writer| handlers.talk(reader, writer).await;
    let server = start_server(address, handler).limit(CLIENTS_MAX).await?;
    Ok((server, site))
}

/// Lets requests under way finish; says how many did not.
pub(crate) async fn stop(server: Server, site: &Site) -> usize {
    server.close();
    site.closing.set();
    server.shutdown(PATIENCE).await
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args()
        .nth(1)
        .map_or(Ok(DEFAULT_PORT), |port| port.parse());
    let port: u16 = port.map_err(|_| "usage: http_server [PORT]")?;
    let event_loop = EventLoop::builder().sigint(true).sigterm(true).build()?;
    let (server, site) = event_loop.run_until_complete(start(([127, 0, 0, 1], port).into()))??;
    let address = server.local_addr()?;
    println!("http://{address}/, and /health; POST to /echo; end it with Ctrl-C");
    match event_loop.run_until_complete(server.serve_forever()) {
        Err(RunError::Interrupted | RunError::Terminated) => {}
        other => return Ok(other??),
    }
    let late = event_loop.run_until_complete(stop(server, &site))?;
    println!(
        "{} requests served, {late} connections aborted",
        site.served.get()
    );
    Ok(event_loop.close()?)
}
