//! One loop a core, one port: each loop has a listener of its own, and the kernel spreads the
//! connections over them (`SO_REUSEPORT`).
//!
//! ```text
//! $ cargo run --release --example reuseport            # 200 clients of its own, then it ends
//! 2 loops on 127.0.0.1:38843
//! worker 0 served 104 connections
//! worker 1 served 96 connections
//! 200 of 200 served
//! $ cargo run --release --example reuseport -- 8888    # until Ctrl-C
//! ```
//!
//! The kernel chooses by the addresses and ports of a connection, not by who is idle: with few
//! connections the shares are uneven. `loop_workers` spreads them by hand.

use petla::{
    ErrorGroup, EventLoop, JoinError, TaskGroup, event_loop::Workers, net::TcpListener,
    net::TcpStream, sync::CancelToken,
};
use std::{
    env,
    error::Error,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

const CLIENTS: usize = 200;

/// Binds one listener a loop, all to one port. They belong to no loop before they wait.
async fn listeners(port: u16, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = TcpListener::bind(("127.0.0.1", port)).reuse_port(true);
    let mut all = vec![first.await?];
    let address = all[0].local_addr()?;
    while all.len() < count {
        all.push(TcpListener::bind(address).reuse_port(true).await?);
    }
    Ok(all)
}

/// Answers one request a connection.
async fn answer(client: &TcpStream) -> io::Result<()> {
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    client.write_all(b"pong").await
}

async fn serve(listener: &TcpListener, served: &AtomicUsize) -> io::Result<()> {
    let group = TaskGroup::<io::Error>::supervise(async |group| -> io::Result<()> {
        loop {
            let (client, peer) = listener.accept().await?;
            drop(group.spawn(async move {
                match answer(&client).await {
                    Ok(()) => drop(served.fetch_add(1, Relaxed)),
                    Err(error) => eprintln!("{peer}: {error}"),
                }
            }));
        }
    });
    group.await.map_err(ErrorGroup::into_first)
}

/// The load: that many clients, each with one request.
async fn load(address: SocketAddr) -> io::Result<()> {
    for _ in 0..CLIENTS {
        let server = TcpStream::connect(address).await?;
        server.write_all(b"ping").await?;
        server.read_exact(&mut [0; 4]).await?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let token = CancelToken::new();
    // Not all of a large machine for an example; two on a small one.
    let count = Workers::per_core().count().clamp(2, 8);
    let workers = Workers::new(count)
        .token(&token)
        .builder(EventLoop::builder().sigint(true));

    let listeners = petla::run(listeners(port, count))?;
    let address = listeners[0].local_addr()?;
    println!("{count} loops on {address}");
    let clients = (port == 0).then(|| {
        thread::spawn(move || {
            let done = petla::run(load(address));
            token.cancel("all clients were served");
            done
        })
    });

    let served: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let outcomes = workers.run(async |worker| {
        let index = worker.index();
        serve(&listeners[index], &served[index]).await
    })?;
    for (index, (outcome, served)) in outcomes.into_iter().zip(&served).enumerate() {
        match outcome {
            Ok(served) => served?,
            Err(JoinError::Cancelled(_)) => {} // by Ctrl-C, or because the clients are done
            Err(error) => return Err(error.into()),
        }
        println!("worker {index} served {} connections", served.load(Relaxed));
    }
    if let Some(clients) = clients {
        clients.join().expect("the clients do not panic")?;
        let sum: usize = served.iter().map(|served| served.load(Relaxed)).sum();
        println!("{sum} of {CLIENTS} served");
        assert!(served.iter().all(|served| served.load(Relaxed) > 0));
    }
    Ok(())
}
