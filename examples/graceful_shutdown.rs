//! A server that starts step by step, and ends step by step when it is told to.
//!
//! ```text
//! $ cargo run --release --example graceful_shutdown -- --seconds 60
//! bootstrap: listening on 127.0.0.1:43127
//! bootstrap: 2 workers, 1 acceptor
//! running: send a line, get it back in capitals; end with Ctrl-C or SIGTERM
//! ^Cshutdown: the event loop was interrupted by SIGINT
//! shutdown: accepts nobody, 1 clients wait
//! shutdown: the workers have 5s
//! shutdown: 12 clients were served
//! ```
//!
//! Ctrl-C again does not wait for the workers. The exit code is 130 after Ctrl-C, as a shell
//! expects, 0 after SIGTERM or when the time is over, 1 if somebody was not served.

use petla::{
    EventLoop, Task,
    event_loop::RunError,
    local::Queue,
    net::{TcpListener, TcpStream},
    spawn, timeout,
};
use std::{cell::Cell, env, error::Error, io, process::ExitCode, rc::Rc, time::Duration};

const WORKERS: usize = 2;
const WAITING: usize = 16;
const DEADLINE: Duration = Duration::from_secs(5);

/// What the tasks share.
struct Shared {
    clients: Queue<TcpStream>,
    served: Cell<usize>,
}

/// What the bootstrap made and the shutdown takes apart.
struct Server {
    shared: Rc<Shared>,
    acceptor: Task<io::Result<()>>,
    workers: Vec<Task<()>>,
}

/// Reserves a place before it accepts: who was accepted is sure to get one.
async fn accept(listener: TcpListener, shared: Rc<Shared>) -> io::Result<()> {
    while let Ok(place) = shared.clients.reserve().await {
        let (client, _) = listener.accept().await?;
        place.put(client);
    }
    Ok(())
}

async fn answer(client: &TcpStream) -> io::Result<()> {
    client.write_all(b"your turn\n").await?;
    let mut buffer = [0; 1024];
    let length = client.read(&mut buffer).await?;
    client
        .write_all(&buffer[..length].to_ascii_uppercase())
        .await
}

/// Works until the queue is shut down and empty.
async fn work(shared: Rc<Shared>) {
    while let Ok(client) = shared.clients.get().await {
        match answer(&client).await {
            Ok(()) => shared.served.set(shared.served.get() + 1),
            Err(error) => eprintln!("a client was lost: {error}"),
        }
    }
}

async fn bootstrap() -> io::Result<Server> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("bootstrap: listening on {}", listener.local_addr()?);
    let shared = Rc::new(Shared {
        clients: Queue::bounded(WAITING),
        served: Cell::new(0),
    });
    let server = Server {
        workers: (0..WORKERS).map(|_| spawn(work(shared.clone()))).collect(),
        acceptor: spawn(accept(listener, shared.clone())),
        shared,
    };
    println!("bootstrap: {WORKERS} workers, 1 acceptor");
    Ok(server)
}

/// Did everybody who was accepted get an answer?
async fn shutdown(server: Server) -> bool {
    let Server {
        shared,
        acceptor,
        workers,
    } = server;
    acceptor.cancel("shutdown");
    if let Ok(Err(error)) = acceptor.await {
        println!("shutdown: the acceptor had failed: {error}");
    }
    let waiting = shared.clients.len();
    println!("shutdown: accepts nobody, {waiting} clients wait");
    shared.clients.shutdown(false);
    println!("shutdown: the workers have {DEADLINE:?}");
    let all = async {
        for worker in workers {
            drop(worker.await);
        }
    };
    let in_time = timeout(DEADLINE, all).await.is_ok();
    println!("shutdown: {} clients were served", shared.served.get());
    in_time
}

/// The whole program; gives its exit code.
pub(crate) fn run(limit: Option<Duration>) -> io::Result<u8> {
    let event_loop = EventLoop::builder().sigint(true).sigterm(true).build()?;
    let server = event_loop.run_until_complete(bootstrap())??;
    if let Some(limit) = limit {
        let ends = event_loop.clone();
        event_loop.call_later(limit, move || ends.stop());
    }
    println!("running: send a line, get it back in capitals; end with Ctrl-C or SIGTERM");
    let code = match event_loop.run_forever() {
        Ok(()) => {
            println!("shutdown: the time is over");
            0
        }
        Err(signal @ (RunError::Interrupted | RunError::Terminated)) => {
            println!("shutdown: {signal}");
            if signal == RunError::Interrupted {
                130
            } else {
                0
            }
        }
        Err(other) => return Err(other.into()),
    };
    // The same loop, so the tasks are still there; a signal during this run cuts it short.
    let code = match event_loop.run_until_complete(shutdown(server)) {
        Ok(true) => code,
        Ok(false) => {
            println!("shutdown: the workers were too slow");
            1
        }
        Err(error) => {
            println!("shutdown: cut short: {error}");
            1
        }
    };
    event_loop.close()?;
    Ok(code)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let limit = match &arguments[..] {
        [] => None,
        [option, seconds] if option == "--seconds" => Some(Duration::from_secs(seconds.parse()?)),
        _ => return Err("usage: graceful_shutdown [--seconds N]".into()),
    };
    Ok(run(limit)?.into())
}
