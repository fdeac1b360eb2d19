//! The load generator: a bare epoll client, the same for every server.
//!
//! Each connection has one request under way, or a batch of several: sent in one piece, the next
//! when all are answered, as a client does that pipelines. A request is 64 bytes that occur only
//! once; the answer must be the same 64 bytes, or the process fails. When it is warm, the process
//! prints how many requests that took, waits for a line, measures, and prints the result as six
//! numbers: requests, nanoseconds, p50, p99 and p99.9 of a batch's latency in nanoseconds, and its
//! own CPU time in nanoseconds. One that stays *awake* asks for answers without ever sleeping.
//!
//! # Invariants
//! - **Accepted**: a connection answers once before the next one is opened, so that the server's
//!   backlog is never full (a full one costs a second's retransmission).
//! - **Drained**: at the end every request is answered and counted before the clock is read.
//! - **Bounded**: a server silent for [`PATIENCE`] is an error, so nothing here waits for ever.
//!
//! # Not here
//! Requests on a fixed schedule: under overload this closed loop slows down with the server, so
//! the tail latencies are those of a server that is busy, not of one that falls behind.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use petla_bench::sys::{self, EVENTS, Epoll, Event};

use super::Plan;

/// A small request, as of a cache or a game: the cost is all overhead.
const MESSAGE: usize = 64;
/// The largest batch.
pub(crate) const BATCH_MAX: usize = 16;

/// How long a server may stay silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// Load before the measurement, so that both sides are warm.
const WARM_UP_SECONDS: f64 = 0.1;

/// Room for the latencies of a second, so that they are not moved often.
const LATENCIES: usize = 500_000;

/// Connects, warms up, measures for `seconds` on request, prints.
pub(crate) fn run(port: u16, plan: Plan) -> io::Result<()> {
    let Plan {
        connections,
        batch,
        seconds,
        ..
    } = plan;
    let mut load = Load::connect(port, plan)?;
    let before = load.requests(WARM_UP_SECONDS.min(seconds))?.len() + connections;
    println!("{}", before * batch);
    io::stdin().read_line(&mut String::new())?;

    let (start, used) = (Instant::now(), sys::cpu_time());
    let mut latencies = load.requests(seconds)?;
    let (elapsed, used) = (start.elapsed(), sys::cpu_time().since(used).sum());
    latencies.sort_unstable();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize];
    let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
    println!(
        "{} {} {p50} {p99} {p999} {}",
        latencies.len() * batch,
        elapsed.as_nanos(),
        used.as_nanos()
    );
    Ok(())
}

struct Load {
    epoll: Epoll,
    events: Box<[Event; EVENTS]>,
    connections: Vec<Connection>,
    awake: bool,
}

impl Load {
    fn connect(port: u16, plan: Plan) -> io::Result<Load> {
        let (count, batch) = (plan.connections, plan.batch);
        let epoll = Epoll::new()?;
        let mut connections = Vec::with_capacity(count);
        for id in 0..count as u64 {
            let mut connection = Connection::open(port, id, batch)?;
            connection.stream.set_read_timeout(Some(PATIENCE))?;
            connection.send(Instant::now())?;
            while !connection.receive()? {}
            connection.stream.set_nonblocking(true)?;
            epoll.add(&connection.stream, id)?;
            connections.push(connection);
        }
        Ok(Load {
            epoll,
            events: sys::no_events(),
            connections,
            awake: plan.awake,
        })
    }

    /// Sends on every connection, again and again for `seconds`; the latencies in nanoseconds.
    fn requests(&mut self, seconds: f64) -> io::Result<Vec<u32>> {
        let mut latencies = Vec::with_capacity(LATENCIES);
        let deadline = Instant::now() + Duration::from_secs_f64(seconds);
        for connection in &mut self.connections {
            connection.send(Instant::now())?;
        }
        let mut under_way = self.connections.len();
        let mut last = Instant::now();
        let patience = if self.awake { Duration::ZERO } else { PATIENCE };
        while under_way > 0 {
            let mut silent = true;
            for id in self.epoll.wait(&mut self.events, Some(patience))? {
                silent = false;
                let connection = &mut self.connections[id as usize];
                if !connection.receive()? {
                    continue;
                }
                let now = Instant::now();
                last = now;
                let latency = (now - connection.sent_at).as_nanos();
                latencies.push(u32::try_from(latency).unwrap_or(u32::MAX));
                if now < deadline {
                    connection.send(now)?;
                } else {
                    under_way -= 1;
                }
            }
            if silent && last.elapsed() >= PATIENCE {
                let message = format!("{under_way} requests without answer for {PATIENCE:?}");
                return Err(io::Error::new(ErrorKind::TimedOut, message));
            }
        }
        Ok(latencies)
    }
}

struct Connection {
    stream: TcpStream,
    id: u64,
    /// Batches sent.
    count: u64,
    sent_at: Instant,
    /// Bytes of a batch.
    size: usize,
    answer: [u8; MESSAGE * BATCH_MAX],
    /// How much of the answer has come.
    length: usize,
}

impl Connection {
    fn open(port: u16, id: u64, batch: usize) -> io::Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        let (sent_at, answer) = (Instant::now(), [0; MESSAGE * BATCH_MAX]);
        Ok(Connection {
            stream,
            id,
            count: 0,
            sent_at,
            size: MESSAGE * batch.clamp(1, BATCH_MAX),
            answer,
            length: 0,
        })
    }

    /// Bytes that no other request of this run has.
    fn message(&self) -> [u8; MESSAGE * BATCH_MAX] {
        let mut message = [0; MESSAGE * BATCH_MAX];
        let words = (self.size / size_of::<u64>()) as u64;
        let used = message[..self.size].chunks_exact_mut(size_of::<u64>());
        for (index, bytes) in used.enumerate() {
            let word = (self.id << 32 | self.count) * words + index as u64;
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        message
    }

    fn send(&mut self, now: Instant) -> io::Result<()> {
        self.count += 1;
        self.length = 0;
        self.sent_at = now;
        let message = self.message();
        // The buffer of the socket is empty, as the last request was answered.
        self.stream.write_all(&message[..self.size])
    }

    /// Whether the answer is complete, and right.
    fn receive(&mut self) -> io::Result<bool> {
        match self.stream.read(&mut self.answer[self.length..self.size]) {
            Ok(0) => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the server hung up",
                ));
            }
            Ok(count) => self.length += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        if self.length < self.size {
            return Ok(false);
        }
        if self.answer[..self.size] != self.message()[..self.size] {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "the answer is not the request",
            ));
        }
        Ok(true)
    }
}
