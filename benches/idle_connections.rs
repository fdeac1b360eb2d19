//! How much memory does a connection take on which nothing happens?
//!
//! 10,000 connections are opened, or as many as the limit of descriptors allows; each has a task
//! that waits for a byte. What the runtime needs for that, a connection: bytes of the heap, counted
//! by the allocator, and growth of the resident memory (`VmRSS`), with `malloc`'s rounding but
//! without what was reserved and not touched. The kernel's part of a socket is in neither.
//!
//! The tasks hold a buffer of one byte: what they need is the runtime's own. A `StreamReader` waits
//! for a line, whose buffer it takes when it comes.
//!
//! Each row is a process of its own. Not measured: the first connections, with which tables begin.
//! Without `--bench` there are few connections, as a test.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::exit;

use async_io::Async;
use petla_bench::heap::{self, Counting};
use petla_bench::runtimes::{Monoio, Petla, Runtime, Smol, TokioLocal};
use petla_bench::worker::{Worker, number};
use petla_bench::{measuring, sys, table};

#[global_allocator]
static COUNTING: Counting = Counting;

const CONNECTIONS: u64 = 10_000;
const CONNECTIONS_SMOKE: u64 = 300;
/// Before the first reading.
const WARM_UP: u64 = 200;
/// Descriptors that a process needs besides its connections.
const OTHER_DESCRIPTORS: u64 = 32;

/// The first argument of a process that measures, and of the one that it connects to.
const CLIENT: &str = "--client";
const PEER: &str = "--peer";

type Open = fn(SocketAddr, u64) -> io::Result<[u64; 2]>;

const ROWS: [(&str, Open); 5] = [
    ("petla net", measure::<Petla, PetlaNet>),
    ("petla streams", measure::<Petla, PetlaStreams>),
    (TokioLocal::NAME, measure::<TokioLocal, Tokio>),
    (Smol::NAME, measure::<Smol, Smols>),
    (Monoio::NAME, measure::<Monoio, Monoios>),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [CLIENT, name, port, count] => client(name, number(port), number(count)),
        [PEER, count] => peer(number(count)),
        _ => compare(),
    };
    if let Err(error) = ended {
        eprintln!("idle_connections {}: {error}", words.join(" "));
        exit(1);
    }
}

fn compare() -> io::Result<()> {
    table::print_machine(None);
    let wanted = if measuring() {
        CONNECTIONS
    } else {
        CONNECTIONS_SMOKE
    };
    let most = sys::raise_descriptor_limit(wanted + WARM_UP + OTHER_DESCRIPTORS)?;
    let count = wanted.min(most.saturating_sub(WARM_UP + OTHER_DESCRIPTORS));
    if count < wanted {
        println!("The limit of {most} descriptors allows {count} connections, not {wanted}.");
    }
    println!("{count} idle connections; bytes each.\n");
    println!("| runtime | heap | resident |\n| --- | --- | --- |");
    for (name, _) in ROWS {
        let all = (count + WARM_UP).to_string();
        let mut peer = Worker::start(&[PEER, &all])?;
        let port = peer.answer()?[0].to_string();
        let mut client = Worker::start(&[CLIENT, name, &port, &count.to_string()])?;
        let [heap, resident] = client.answer()?[..] else {
            return Err(io::Error::other("a client answers two numbers"));
        };
        println!("| {name} | {} | {} |", heap / count, resident / count);
    }
    Ok(())
}

/// Accepts, and keeps what it accepted.
fn peer(count: u64) -> io::Result<()> {
    sys::raise_descriptor_limit(count + OTHER_DESCRIPTORS)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    let accepted: io::Result<Vec<TcpStream>> = listener.incoming().take(count as usize).collect();
    let _accepted = accepted?;
    loop {
        std::thread::park();
    }
}

fn client(name: &str, port: u16, count: u64) -> io::Result<()> {
    sys::raise_descriptor_limit(count + WARM_UP + OTHER_DESCRIPTORS)?;
    let row = ROWS.iter().find(|(row, _)| *row == name);
    let (_, open) = row.ok_or_else(|| io::Error::other("no such runtime"))?;
    let [heap, resident] = open((Ipv4Addr::LOCALHOST, port).into(), count)?;
    println!("{heap} {resident}");
    exit(0); // without closing thousands of connections
}

/// A kind of connection.
trait Connection: Sized + 'static {
    fn open(to: SocketAddr) -> impl Future<Output = io::Result<Self>>;

    /// Waits for a byte that never comes.
    fn wait(self) -> impl Future<Output = ()> + 'static;
}

thread_local! {
    /// How many connections wait; not in the tasks, so as not to enlarge them.
    static WAITING: Cell<u64> = const { Cell::new(0) };
}

/// Heap and resident memory that `count` connections take.
fn measure<R: Runtime, C: Connection>(to: SocketAddr, count: u64) -> io::Result<[u64; 2]> {
    R::block_on(async move {
        let mut before = [0; 2];
        for number in 0..WARM_UP + count {
            if number == WARM_UP {
                before = in_use();
            }
            let connection = C::open(to).await?;
            R::detach(async move {
                WAITING.set(WAITING.get() + 1);
                connection.wait().await;
                unreachable!("the peer sends nothing");
            });
            while WAITING.get() <= number {
                R::yield_now().await;
            }
        }
        let after = in_use();
        Ok([after[0] - before[0], after[1].saturating_sub(before[1])])
    })
}

fn in_use() -> [u64; 2] {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    [
        heap::in_use() as u64,
        kilobytes.expect("the kernel tells VmRSS") * 1024,
    ]
}

struct PetlaNet(petla::net::TcpStream);

impl Connection for PetlaNet {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        petla::net::TcpStream::connect(to).await.map(PetlaNet)
    }

    async fn wait(self) {
        let _ = self.0.read(&mut [0]).await;
    }
}

struct PetlaStreams(petla::streams::StreamReader, petla::streams::StreamWriter);

impl Connection for PetlaStreams {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        let (reader, writer) = petla::streams::open_connection(to).await?;
        Ok(PetlaStreams(reader, writer))
    }

    async fn wait(mut self) {
        let _ = self.0.read_line().await;
        drop(self.1);
    }
}

struct Tokio(tokio::net::TcpStream);

impl Connection for Tokio {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        tokio::net::TcpStream::connect(to).await.map(Tokio)
    }

    async fn wait(mut self) {
        use tokio::io::AsyncReadExt as _;
        let _ = self.0.read(&mut [0]).await;
    }
}

struct Smols(Async<TcpStream>);

impl Connection for Smols {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        Async::<TcpStream>::connect(to).await.map(Smols)
    }

    async fn wait(mut self) {
        use futures_lite::io::AsyncReadExt as _;
        let _ = self.0.read(&mut [0]).await;
    }
}

struct Monoios(monoio::net::TcpStream);

impl Connection for Monoios {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        monoio::net::TcpStream::connect_addr(to).await.map(Monoios)
    }

    async fn wait(mut self) {
        use monoio::io::AsyncReadRent as _;
        let _ = self.0.read(vec![0; 1]).await.0;
    }
}
