//! Sends back what a client sends; at most LIMIT clients at once, others wait to be accepted.
//!
//! ```text
//! $ cargo run --release --example echo_server -- 8888 100
//! echo on 127.0.0.1:8888, at most 100 clients at once; end it with Ctrl-C
//! $ nc 127.0.0.1 8888      # in another terminal: type a line, it comes back
//! ```
//!
//! With port 0 the system picks a free one, and the first line says which.

use petla::{
    local::Queue,
    net::{TcpListener, TcpStream},
    spawn,
};
use std::{env, error::Error, io, rc::Rc};

const DEFAULT_PORT: u16 = 8888;
const DEFAULT_LIMIT: u16 = 100;

/// One client's place: a queue that holds one `()` for each open connection limits their number.
struct Place(Rc<Queue<()>>);

impl Place {
    /// Waits until fewer than the queue's capacity are taken.
    async fn take(places: &Rc<Queue<()>>) -> Place {
        places.put(()).await.expect("nobody shuts this queue down");
        Place(places.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.get_nowait().expect("this place is in the queue");
    }
}

async fn echo(client: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = client.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..length]).await?;
    }
}

async fn serve(port: u16, limit: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("echo on {address}, at most {limit} clients at once; end it with Ctrl-C");
    let places = Rc::new(Queue::bounded(limit.into()));
    loop {
        let place = Place::take(&places).await;
        let (client, peer) = listener.accept().await?;
        let connection = async move {
            let _place = place; // given back when the connection ends, however it ends
            if let Err(error) = echo(&client).await {
                eprintln!("{peer}: {error}");
            }
        };
        spawn(connection).detach();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse());
    let port = arguments.next().unwrap_or(Ok(DEFAULT_PORT));
    let limit = arguments.next().unwrap_or(Ok(DEFAULT_LIMIT));
    match (port, limit) {
        (Ok(port), Ok(limit @ 1..)) => Ok(petla::run(serve(port, limit))?),
        _ => Err("usage: echo_server [PORT] [LIMIT], the limit being at least 1".into()),
    }
}
