//! The ends of the stream: a source that has everything at once, a sink that throws it away.
//!
//! Both are threads that block, on one CPU. The sink does not copy what it receives; in the smoke
//! test it does, and checks every byte. The process prints its port, waits for a line, moves, and
//! prints the result as two numbers: nanoseconds from the first byte until the sink saw the end,
//! and its own CPU time in nanoseconds.
//!
//! # Invariants
//! - **Complete**: the sink counts the bytes up to the end of the stream, and a wrong number fails.
//! - **Bounded**: silence for [`PATIENCE`] is an error.
//!
//! # Not here
//! Several streams at once.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use petla_bench::sys;

use super::servers::BUFFER;
use super::{Way, piece};

/// How long a server may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for the server, then on request moves `total` bytes, and prints what that took.
pub(crate) fn run(way: Way, total: u64, check: bool) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    let mut source = match way {
        Way::Forward => Some(accept(&listener)?),
        Way::Send => None,
    };
    let mut sink = accept(&listener)?;
    io::stdin().read_line(&mut String::new())?;

    let (start, used) = (Instant::now(), sys::cpu_time());
    let sending = thread::spawn(move || match &mut source {
        Some(source) => send(source, total),
        None => Ok(()),
    });
    if way == Way::Send {
        sink.write_all(b"!")?;
    }
    let received = if check {
        receive_and_check(&mut sink)?
    } else {
        receive(&sink)?
    };
    let (elapsed, used) = (start.elapsed(), sys::cpu_time().since(used).sum());
    sending.join().expect("the source does not panic")?;
    if received != total {
        let message = format!("{received} of {total} bytes arrived");
        return Err(io::Error::new(ErrorKind::InvalidData, message));
    }
    println!("{} {}", elapsed.as_nanos(), used.as_nanos());
    Ok(())
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn send(source: &mut TcpStream, total: u64) -> io::Result<()> {
    let piece = piece();
    let mut left = total;
    while left > 0 {
        let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        source.write_all(&piece[..length])?;
        left -= length as u64;
    }
    source.shutdown(Shutdown::Write)
}

fn receive(sink: &TcpStream) -> io::Result<u64> {
    let mut received = 0;
    loop {
        match sys::discard(sink, 1 << 20)? {
            0 => return Ok(received),
            n => received += n as u64,
        }
    }
}

fn receive_and_check(sink: &mut TcpStream) -> io::Result<u64> {
    let piece = piece();
    let mut received = 0;
    let mut buffer = vec![0; BUFFER];
    loop {
        // The next byte is this one of the piece, which is sent again and again.
        let place = received as usize % piece.len();
        let room = piece.len() - place;
        let n = sink.read(&mut buffer[..room])?;
        if n == 0 {
            return Ok(received);
        }
        if buffer[..n] != piece[place..place + n] {
            let message = "what arrived is not what was sent";
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        received += n as u64;
    }
}
