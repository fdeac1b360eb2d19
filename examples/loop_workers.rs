//! Loops that pass each other sockets and work: one accepts, the others serve.
//!
//! ```text
//! $ cargo run --release --example loop_workers
//! loop 0 accepted 60 connections
//! loop 1 served 31 of them, and counted 29 primes for others
//! loop 2 served 29 of them, and counted 31 primes for others
//! 60 clients had the right answer
//! ```
//!
//! Sockets travel through a `sync` queue: who is idle takes the next. A server has part of its
//! work done by its neighbour, as a closure that makes a future over there, and awaits the
//! answer. Nothing here is shared but the queue: tasks and their data stay on their loop.

use petla::{
    LoopHandle,
    event_loop::Workers,
    gather,
    net::TcpListener,
    net::TcpStream,
    sync::{Barrier, Queue},
};
use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

const CLIENTS: u32 = 60;
const SERVERS: usize = 2;

static COUNTED: [AtomicUsize; SERVERS] = [const { AtomicUsize::new(0) }; SERVERS];

/// How many primes there are below `limit`.
fn primes(limit: u32) -> u32 {
    let is_prime = |n: &u32| {
        (2..*n)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (2..limit).filter(is_prime).count() as u32
}

/// A number comes in; how many primes there are below it goes out. A neighbour counts.
async fn answer(client: TcpStream, neighbour: usize, its_loop: &LoopHandle) -> io::Result<()> {
    let mut number = [0; 4];
    client.read_exact(&mut number).await?;
    let limit = u32::from_be_bytes(number);
    let count = its_loop.spawn(async move || {
        COUNTED[neighbour].fetch_add(1, Relaxed);
        primes(limit)
    });
    client.write_all(&count.await?.to_be_bytes()).await
}

async fn ask(address: SocketAddr, limit: u32) -> io::Result<u32> {
    let server = TcpStream::connect(address).await?;
    server.write_all(&limit.to_be_bytes()).await?;
    let mut count = [0; 4];
    server.read_exact(&mut count).await?;
    Ok(u32::from_be_bytes(count))
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = petla::run(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let accepted = Queue::bounded(SERVERS);
    let servers = Barrier::new(SERVERS);

    let clients = thread::spawn(move || {
        let limits = (0..CLIENTS).map(|n| 1_000 + n);
        let answers = petla::run(gather(limits.clone().map(|limit| ask(address, limit))));
        limits
            .zip(answers)
            .all(|(limit, answer)| answer.is_ok_and(|count| count == primes(limit)))
    });
    let outcomes = Workers::new(1 + SERVERS)
        .named("loop")
        .run(async |worker| {
            let Some(server) = worker.index().checked_sub(1) else {
                for _ in 0..CLIENTS {
                    let (client, _) = listener.accept().await?;
                    accepted.put(client).await.expect("shut down below");
                }
                accepted.shutdown(false);
                return io::Result::Ok(CLIENTS);
            };
            let neighbour = (server + 1) % SERVERS;
            let mut served = 0;
            servers.wait().await.map_err(io::Error::other)?;
            while let Ok(client) = accepted.get().await {
                answer(client, neighbour, &worker.loops()[1 + neighbour]).await?;
                served += 1;
            }
            // A loop that ended would leave the work of its neighbour undone.
            servers.wait().await.map_err(io::Error::other)?;
            Ok(served)
        })?;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match (index.checked_sub(1), outcome??) {
            (None, accepted) => println!("loop 0 accepted {accepted} connections"),
            (Some(server), served) => {
                let counted = COUNTED[server].load(Relaxed);
                println!(
                    "loop {index} served {served} of them, and counted {counted} primes for others"
                );
                assert!(served > 0);
            }
        }
    }
    assert!(clients.join().expect("the clients do not panic"));
    println!("{CLIENTS} clients had the right answer");
    Ok(())
}
