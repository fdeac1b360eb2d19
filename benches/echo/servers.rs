//! The echo servers: one bare epoll loop, and each runtime as its users write it.
//!
//! All get the same listening socket, already non-blocking, start a task a connection, and read
//! into a buffer of the same size. An error ends its connection only. They run until the process
//! is ended.
//!
//! # Not here
//! Limits on connections, time-outs, a clean end: all the same to every runtime, and not measured.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use async_io::Async;
use petla_bench::runtimes::{
    Monoio, Petla, Runtime, Smol, TokioCurrentThread, TokioLocal, tokio_current_thread,
    tokio_local_runtime,
};
use petla_bench::sys::{self, Epoll};

/// More than the largest batch of requests, as a server does not know how much comes.
const BUFFER: usize = 2048;

/// The server that the others are compared with.
pub(crate) const BARE: &str = "bare epoll";

/// The one that takes the whole CPU while it waits, so it is shown for one connection alone.
pub(crate) const SPINNING: &str = "petla, spinning";

type Server = fn(TcpListener) -> io::Result<()>;

/// All of them, by name.
pub(crate) const SERVERS: [(&str, Server); 8] = [
    (BARE, bare_epoll),
    (Petla::NAME, petla),
    ("petla streams", petla_streams),
    (SPINNING, petla_spinning),
    (TokioLocal::NAME, tokio_local),
    (TokioCurrentThread::NAME, tokio_current),
    (Smol::NAME, smol),
    (Monoio::NAME, monoio),
];

/// No runtime: what the kernel and a loop cost.
fn bare_epoll(listener: TcpListener) -> io::Result<()> {
    const LISTENER: u64 = u64::MAX;
    let epoll = Epoll::new()?;
    epoll.add(&listener, LISTENER)?;
    let mut connections: Vec<Option<TcpStream>> = Vec::new(); // by descriptor
    let (mut events, mut buffer) = (sys::no_events(), [0; BUFFER]);
    loop {
        for token in epoll.wait(&mut events, None)? {
            if token == LISTENER {
                let (connection, _) = listener.accept()?;
                connection.set_nonblocking(true)?;
                let descriptor = connection.as_raw_fd() as usize;
                epoll.add(&connection, descriptor as u64)?;
                connections.resize_with(connections.len().max(descriptor + 1), || None);
                connections[descriptor] = Some(connection);
            } else if let Some(connection) = &mut connections[token as usize]
                && echo_once(connection, &mut buffer).is_err()
            {
                connections[token as usize] = None;
            }
        }
    }
}

fn echo_once(connection: &mut TcpStream, buffer: &mut [u8; BUFFER]) -> io::Result<()> {
    match connection.read(buffer) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => connection.write_all(&buffer[..count]), // one message fits every socket buffer
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

fn petla(listener: TcpListener) -> io::Result<()> {
    petla::run(petla_accept(listener))
}

/// A server with a list of its clients, and connections with buffers.
fn petla_streams(listener: TcpListener) -> io::Result<()> {
    petla::run(async {
        let listener = petla::net::TcpListener::from_std(listener)?;
        let server = petla::streams::serve(listener, async |mut reader, mut writer| {
            let mut buffer = [0; BUFFER];
            while let count @ 1.. = reader.read(&mut buffer).await? {
                writer.write(&buffer[..count]);
                writer.drain().await?;
            }
            Ok(())
        });
        server.await?.serve_forever().await
    })
}

/// It asks the system again and again for a while before it goes to sleep.
fn petla_spinning(listener: TcpListener) -> io::Result<()> {
    let builder = petla::EventLoop::builder().spin(Duration::from_micros(200));
    builder
        .build()?
        .run_until_complete(petla_accept(listener))?
}

async fn petla_accept(listener: TcpListener) -> io::Result<()> {
    let listener = petla::net::TcpListener::from_std(listener)?;
    loop {
        let (connection, _) = listener.accept().await?;
        petla::spawn(petla_echo(connection)).detach();
    }
}

async fn petla_echo(connection: petla::net::TcpStream) {
    let mut buffer = [0; BUFFER];
    while let Ok(count @ 1..) = connection.read(&mut buffer).await {
        if connection.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

fn tokio_local(listener: TcpListener) -> io::Result<()> {
    tokio_local_runtime().block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (connection, _) = listener.accept().await?;
            tokio::task::spawn_local(tokio_echo(connection));
        }
    })
}

fn tokio_current(listener: TcpListener) -> io::Result<()> {
    tokio_current_thread().block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (connection, _) = listener.accept().await?;
            tokio::spawn(tokio_echo(connection));
        }
    })
}

async fn tokio_echo(mut connection: tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = [0; BUFFER];
    while let Ok(count @ 1..) = connection.read(&mut buffer).await {
        if connection.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

fn smol(listener: TcpListener) -> io::Result<()> {
    Smol::block_on(async {
        let listener = Async::new(listener)?;
        loop {
            let (connection, _) = listener.accept().await?;
            Smol::detach(smol_echo(connection));
        }
    })
}

async fn smol_echo(mut connection: Async<TcpStream>) {
    use futures_lite::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = [0; BUFFER];
    while let Ok(count @ 1..) = connection.read(&mut buffer).await {
        if connection.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

fn monoio(listener: TcpListener) -> io::Result<()> {
    Monoio::block_on(async {
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            let (connection, _) = listener.accept().await?;
            monoio::spawn(monoio_echo(connection));
        }
    })
}

/// It takes buffers by value and gives them back, as io_uring needs it.
async fn monoio_echo(mut connection: monoio::net::TcpStream) {
    use monoio::buf::{IoBuf as _, Slice};
    use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
    let mut buffer = vec![0; BUFFER];
    loop {
        let (read, filled) = connection.read(buffer).await;
        let Ok(count @ 1..) = read else { break };
        let (written, sent) = connection.write_all(filled.slice(..count)).await;
        if written.is_err() {
            break;
        }
        buffer = Slice::into_inner(sent);
    }
}
