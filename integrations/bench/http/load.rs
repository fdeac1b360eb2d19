//! The load: wrk(1), and before it a client that looks at every byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// What every server sends, but for the date.
const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\
    date: \r\n\r\nHello, world!";

/// The length of a date, as in `Mon, 23 Nov 2026 21:00:00 GMT`.
const DATE: usize = 29;

/// For one reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many connections, and how many requests go out in one piece on each.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) depth: usize,
}

/// What wrk says.
pub(crate) struct Report {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: [Duration; 2],
}

/// Sends requests on one connection, and checks every reply.
///
/// # Errors
/// If one is not the right reply, byte for byte, or the connection does not stay open.
pub(crate) fn check(port: u16, requests: usize) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    for _ in 0..requests {
        stream.write_all(request.as_bytes())?;
        let mut reply = String::new();
        while !reply.ends_with("\r\n\r\n") {
            let length = reader.read_line(&mut reply).context("no reply")?;
            ensure!(length > 0, "the connection ended after {reply:?}");
        }
        let mut body = [0; 13];
        reader.read_exact(&mut body).context("no body")?;
        reply.push_str(&String::from_utf8_lossy(&body));
        if let Some(at) = reply.find("date: ").map(|at| at + "date: ".len())
            && reply.len() >= at + DATE
        {
            reply.replace_range(at..at + DATE, "");
        }
        ensure!(reply == REPLY, "the reply is {reply:?}, not {REPLY:?}");
    }
    Ok(())
}

/// wrk for so many seconds, pinned to `cpu`.
pub(crate) fn run(port: u16, load: Load, seconds: usize, cpu: usize) -> anyhow::Result<Report> {
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", &cpu.to_string(), "wrk", "-t1"])
        .args(["-c", &load.connections.to_string()])
        .args(["-d", &seconds.to_string()])
        .args(["-s", concat!(env!("CARGO_MANIFEST_DIR"), "/http/load.lua")])
        .arg(format!("http://127.0.0.1:{port}/"))
        .args(["--", &load.depth.to_string()]);
    let output = wrk
        .output()
        .context("taskset: apt-get install util-linux")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(127) {
        bail!("no wrk: apt-get install wrk");
    }
    let line = text.lines().find_map(|line| line.strip_prefix("done "));
    let numbers = line.map(|line| {
        line.split(' ')
            .map(str::parse)
            .collect::<Result<Vec<u64>, _>>()
    });
    let Some(Ok(&[requests, elapsed, p50, p99, failed])) = numbers.as_ref().map(|n| n.as_deref())
    else {
        bail!("wrk said {output:?}");
    };
    ensure!(
        failed == 0 && requests > 0,
        "wrk: {failed} of {requests} requests failed"
    );
    Ok(Report {
        requests,
        elapsed: Duration::from_micros(elapsed),
        latencies: [p50, p99].map(Duration::from_micros),
    })
}
