//! What moves the bytes: bare loops, and each runtime as its users write it.
//!
//! All connect to the load and use buffers of [`BUFFER`] bytes, but the copy functions that have
//! their own: tokio's and smol's have 8 KiB, monoio's 4. Users who want more write the loop, or in
//! tokio `copy_buf`; so each runtime has both. petla's `copy` takes up to 256 KiB at once.
//!
//! # Not here
//! splice(2) in monoio, which has it behind a feature: the bare row shows what it is worth.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use async_io::Async;
use petla_bench::runtimes::{Monoio, Petla, Runtime, Smol, TokioLocal, tokio_local_runtime};
use petla_bench::sys::{self, Epoll, SplicePipe};

use super::{Way, piece};

/// Where it can be chosen.
pub(crate) const BUFFER: usize = 256 << 10;

/// What the others of a way are compared with.
pub(crate) const BARE: [&str; 2] = ["bare read and write", "bare write"];

/// Connects to the port and moves what comes, or so many bytes.
type Server = fn(Ready, u64) -> io::Result<()>;

/// To the load's port; [`Ready::say`] when that is done.
#[derive(Clone, Copy)]
pub(crate) struct Ready(pub(crate) u16);

impl Ready {
    fn address(self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.0)
    }

    fn connect(self) -> io::Result<TcpStream> {
        TcpStream::connect(self.address())
    }

    /// A connection that does not block.
    fn connect_nonblocking(self) -> io::Result<TcpStream> {
        let stream = self.connect()?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    fn say(self) {
        println!("0");
    }
}

/// All of them: what they do, and the name.
pub(crate) const SERVERS: [(Way, &str, Server); 15] = [
    (Way::Forward, BARE[0], bare_forward),
    (Way::Forward, "bare splice", bare_splice),
    (Way::Forward, "petla copy", petla_copy),
    (Way::Forward, "petla loop", petla_loop),
    (Way::Forward, "tokio copy (8 KiB)", tokio_copy),
    (Way::Forward, "tokio copy_buf", tokio_copy_buf),
    (Way::Forward, "smol copy (8 KiB)", smol_copy),
    (Way::Forward, "smol loop", smol_loop),
    (Way::Forward, "monoio copy (4 KiB)", monoio_copy),
    (Way::Forward, "monoio loop", monoio_loop),
    (Way::Send, BARE[1], bare_send),
    (Way::Send, "petla StreamWriter", petla_send),
    (Way::Send, TokioLocal::NAME, tokio_send),
    (Way::Send, Smol::NAME, smol_send),
    (Way::Send, Monoio::NAME, monoio_send),
];

/// Tries until the call does not say that it would block; waits in between.
fn retry<T>(epoll: &Epoll, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut events = sys::no_events();
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                epoll
                    .wait(&mut events, Some(Duration::from_secs(10)))?
                    .for_each(drop);
            }
            result => return result,
        }
    }
}

fn bare_forward(ready: Ready, _total: u64) -> io::Result<()> {
    let (mut from, mut to) = (ready.connect_nonblocking()?, ready.connect_nonblocking()?);
    let epoll = Epoll::new()?;
    epoll.add_edges(&from, 0)?;
    epoll.add_edges(&to, 1)?;
    ready.say();
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = retry(&epoll, || from.read(&mut buffer))?;
        if n == 0 {
            return to.shutdown(Shutdown::Write);
        }
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            let sent = retry(&epoll, || to.write(rest))?;
            rest = &rest[sent..];
        }
    }
}

fn bare_splice(ready: Ready, _total: u64) -> io::Result<()> {
    let (from, to) = (ready.connect_nonblocking()?, ready.connect_nonblocking()?);
    let (epoll, pipe) = (Epoll::new()?, SplicePipe::new(BUFFER)?);
    epoll.add_edges(&from, 0)?;
    epoll.add_edges(&to, 1)?;
    ready.say();
    loop {
        let mut rest = retry(&epoll, || pipe.fill(&from, BUFFER))?;
        if rest == 0 {
            return to.shutdown(Shutdown::Write);
        }
        while rest > 0 {
            rest -= retry(&epoll, || pipe.drain(&to, rest))?;
        }
    }
}

fn bare_send(ready: Ready, total: u64) -> io::Result<()> {
    let mut to = ready.connect_nonblocking()?;
    let epoll = Epoll::new()?;
    epoll.add_edges(&to, 0)?;
    ready.say();
    retry(&epoll, || to.read_exact(&mut [0]))?;
    for piece in pieces(&piece(), total) {
        let mut rest = piece;
        while !rest.is_empty() {
            let sent = retry(&epoll, || to.write(rest))?;
            rest = &rest[sent..];
        }
    }
    to.shutdown(Shutdown::Write)
}

/// The piece, as often as `total` bytes take.
fn pieces(piece: &[u8], total: u64) -> impl Iterator<Item = &[u8]> {
    let step = piece.len() as u64;
    let length = move |place: u64| usize::try_from((total - place).min(step)).unwrap_or(0);
    let places = (0..total).step_by(piece.len());
    places.map(move |place| &piece[..length(place)])
}

fn petla_copy(ready: Ready, _total: u64) -> io::Result<()> {
    Petla::block_on(async move {
        let from = petla::net::TcpStream::connect(ready.address()).await?;
        let to = petla::net::TcpStream::connect(ready.address()).await?;
        let ((mut reader, _from), (_to, mut writer)) = (from.into_streams(), to.into_streams());
        ready.say();
        petla::streams::copy(&mut reader, &mut writer).await?;
        writer.wait_closed().await
    })
}

fn petla_loop(ready: Ready, _total: u64) -> io::Result<()> {
    Petla::block_on(async move {
        let from = petla::net::TcpStream::connect(ready.address()).await?;
        let to = petla::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        let mut buffer = vec![0; BUFFER];
        while let n @ 1.. = from.read(&mut buffer).await? {
            to.write_all(&buffer[..n]).await?;
        }
        to.shutdown(Shutdown::Write)
    })
}

fn petla_send(ready: Ready, total: u64) -> io::Result<()> {
    Petla::block_on(async move {
        let (mut reader, mut writer) = petla::streams::open_connection(ready.address()).await?;
        ready.say();
        reader.read(&mut [0]).await?;
        for piece in pieces(&piece(), total) {
            writer.write(piece);
            writer.drain().await?;
        }
        writer.wait_closed().await
    })
}

fn tokio_copy(ready: Ready, _total: u64) -> io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    tokio_local_runtime().block_on(async move {
        let mut from = tokio::net::TcpStream::connect(ready.address()).await?;
        let mut to = tokio::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        tokio::io::copy(&mut from, &mut to).await?;
        to.shutdown().await
    })
}

fn tokio_copy_buf(ready: Ready, _total: u64) -> io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    tokio_local_runtime().block_on(async move {
        let from = tokio::net::TcpStream::connect(ready.address()).await?;
        let mut to = tokio::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        let mut from = tokio::io::BufReader::with_capacity(BUFFER, from);
        tokio::io::copy_buf(&mut from, &mut to).await?;
        to.shutdown().await
    })
}

fn tokio_send(ready: Ready, total: u64) -> io::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    tokio_local_runtime().block_on(async move {
        let mut to = tokio::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        to.read_u8().await?;
        for piece in pieces(&piece(), total) {
            to.write_all(piece).await?;
        }
        to.shutdown().await
    })
}

fn smol_copy(ready: Ready, _total: u64) -> io::Result<()> {
    use futures_lite::io::AsyncWriteExt as _;
    Smol::block_on(async move {
        let from = Async::new(ready.connect()?)?;
        let mut to = Async::new(ready.connect()?)?;
        ready.say();
        futures_lite::io::copy(&from, &mut to).await?;
        to.close().await
    })
}

fn smol_loop(ready: Ready, _total: u64) -> io::Result<()> {
    use futures_lite::io::{AsyncReadExt as _, AsyncWriteExt as _};
    Smol::block_on(async move {
        let mut from = Async::new(ready.connect()?)?;
        let mut to = Async::new(ready.connect()?)?;
        ready.say();
        let mut buffer = vec![0; BUFFER];
        while let n @ 1.. = from.read(&mut buffer).await? {
            to.write_all(&buffer[..n]).await?;
        }
        to.close().await
    })
}

fn smol_send(ready: Ready, total: u64) -> io::Result<()> {
    use futures_lite::io::{AsyncReadExt as _, AsyncWriteExt as _};
    Smol::block_on(async move {
        let mut to = Async::new(ready.connect()?)?;
        ready.say();
        to.read_exact(&mut [0]).await?;
        for piece in pieces(&piece(), total) {
            to.write_all(piece).await?;
        }
        to.close().await
    })
}

fn monoio_copy(ready: Ready, _total: u64) -> io::Result<()> {
    use monoio::io::AsyncWriteRent as _;
    Monoio::block_on(async move {
        let mut from = monoio::net::TcpStream::connect(ready.address()).await?;
        let mut to = monoio::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        monoio::io::copy(&mut from, &mut to).await?;
        to.shutdown().await
    })
}

fn monoio_loop(ready: Ready, _total: u64) -> io::Result<()> {
    use monoio::io::{AsyncReadRent as _, AsyncWriteRent as _, AsyncWriteRentExt as _};
    Monoio::block_on(async move {
        let mut from = monoio::net::TcpStream::connect(ready.address()).await?;
        let mut to = monoio::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            let (read, filled) = from.read(buffer).await;
            if read? == 0 {
                return to.shutdown().await;
            }
            let (written, sent) = to.write_all(filled).await;
            written?;
            buffer = sent;
        }
    })
}

fn monoio_send(ready: Ready, total: u64) -> io::Result<()> {
    use monoio::buf::{IoBuf as _, Slice};
    use monoio::io::{AsyncReadRent as _, AsyncWriteRent as _, AsyncWriteRentExt as _};
    Monoio::block_on(async move {
        let mut to = monoio::net::TcpStream::connect(ready.address()).await?;
        ready.say();
        to.read(vec![0; 1]).await.0?;
        let mut buffer = piece();
        let lengths: Vec<usize> = pieces(&buffer, total).map(<[u8]>::len).collect();
        for length in lengths {
            let (written, sent) = to.write_all(buffer.slice(..length)).await;
            written?;
            buffer = Slice::into_inner(sent);
        }
        to.shutdown().await
    })
}
