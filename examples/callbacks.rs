//! How one invents an event loop: one echo server three ways, each against the same three clients.
//!
//! ```text
//! $ cargo run --release --example callbacks
//! blocking: 3 clients served in 361 ms
//! callbacks: 3 clients served in 121 ms
//! tasks: 3 clients served in 121 ms
//! $ cargo run --release --example callbacks -- tasks     # on port 8888 until Ctrl-C, for nc
//! ```
//!
//! 1. *blocking*: `read` waits for one client, and all others wait for that one to leave.
//! 2. *callbacks*: the loop watches every socket and calls whoever can go on. No client waits for
//!    another, but "read, write, read again" is torn into handlers, and what they must remember in
//!    between (the unsent bytes, what to watch next) is kept by hand.
//! 3. *tasks*: the same loop, and the program reads like the first one again.

use petla::{EventLoop, net, spawn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::{cell::Cell, cell::RefCell, env, error::Error, rc::Rc, thread, time};

const CLIENTS: usize = 3;
const QUESTIONS: usize = 4;
const THINKING: time::Duration = time::Duration::from_millis(30); // after each answer

/// Serves so many clients, then returns.
type Serve = fn(TcpListener, usize) -> io::Result<()>;
const WAYS: [(&str, Serve); 3] = [
    ("blocking", blocking),
    ("callbacks", callbacks),
    ("tasks", tasks),
];

fn blocking(listener: TcpListener, clients: usize) -> io::Result<()> {
    for client in listener.incoming().take(clients) {
        ended(echo_blocking(client?));
    }
    Ok(())
}

fn echo_blocking(mut client: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = client.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..length])?;
    }
}

/// What the handlers of one client share: a task would keep it in local variables.
struct Client {
    stream: TcpStream,
    unsent: RefCell<Vec<u8>>,
    watched: Cell<Option<bool>>, // for writing? `None`: not at all yet
    expected: Rc<Cell<usize>>,   // clients that have not left yet
    event_loop: EventLoop,
}

impl Client {
    /// The handler: echoes until the socket would block, then asks to be called again.
    fn on_ready(self: Rc<Self>) {
        match self.echo() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.watch(),
            result => self.leave(result),
        }
    }

    fn echo(&self) -> io::Result<()> {
        let (mut stream, mut unsent) = (&self.stream, self.unsent.borrow_mut());
        let mut buffer = [0; 1024];
        loop {
            while !unsent.is_empty() {
                let sent = stream.write(&unsent)?;
                unsent.drain(..sent);
            }
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            unsent.extend(&buffer[..length]);
        }
    }

    /// While there are bytes to send, nothing more is read.
    fn watch(self: Rc<Self>) {
        let to_write = !self.unsent.borrow().is_empty();
        if self.watched.replace(Some(to_write)) == Some(to_write) {
            return;
        }
        let (client, socket) = (self.clone(), &self.stream);
        let handler = move || client.clone().on_ready();
        let watched = if to_write {
            self.event_loop.remove_reader(socket);
            self.event_loop.add_writer(socket, handler)
        } else {
            self.event_loop.remove_writer(socket);
            self.event_loop.add_reader(socket, handler)
        };
        if watched.is_err() {
            self.leave(watched);
        }
    }

    fn leave(&self, result: io::Result<()>) {
        ended(result);
        self.event_loop.remove_reader(&self.stream);
        self.event_loop.remove_writer(&self.stream);
        self.expected.set(self.expected.get() - 1);
        if self.expected.get() == 0 {
            self.event_loop.stop();
        }
    }
}

fn callbacks(listener: TcpListener, clients: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = Rc::new(listener);
    let event_loop = EventLoop::new()?;
    let expected = Rc::new(Cell::new(clients));
    let (server, looped) = (listener.clone(), event_loop.clone());
    let accept = move || {
        while let Ok((stream, _peer)) = server.accept() {
            stream.set_nonblocking(true).expect("it is open");
            let client = Client {
                stream,
                unsent: RefCell::default(),
                watched: Cell::default(),
                expected: expected.clone(),
                event_loop: looped.clone(),
            };
            Rc::new(client).watch();
        }
    };
    event_loop.add_reader(&listener, accept)?;
    event_loop.run_forever()?;
    Ok(event_loop.close()?)
}

async fn echo(client: net::TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = client.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..length]).await?;
    }
}

fn tasks(listener: TcpListener, clients: usize) -> io::Result<()> {
    petla::run(async {
        let listener = net::TcpListener::from_std(listener)?;
        let mut open = Vec::new();
        for _ in 0..clients {
            let (client, _peer) = listener.accept().await?;
            open.retain(|task: &petla::Task<_>| !task.is_finished());
            open.push(spawn(async { ended(echo(client).await) }));
        }
        for task in open {
            task.await?;
        }
        Ok(())
    })
}

fn ended(client: io::Result<()>) {
    if let Err(error) = client {
        eprintln!("a client was lost: {error}");
    }
}

fn ask(address: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(address)?;
    for number in 0..QUESTIONS {
        let question = format!("question {number}");
        server.write_all(question.as_bytes())?;
        let mut answer = vec![0; question.len()];
        server.read_exact(&mut answer)?;
        assert_eq!(answer, question.as_bytes());
        thread::sleep(THINKING);
    }
    Ok(())
}

fn measure(name: &str, serve: Serve) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let start = time::Instant::now();
    let clients = [(); CLIENTS].map(|()| thread::spawn(move || ask(address)));
    serve(listener, CLIENTS)?;
    for client in clients {
        client.join().expect("a client got its own words back")?;
    }
    let took = start.elapsed().as_millis();
    println!("{name}: {CLIENTS} clients served in {took} ms");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(name) = env::args().nth(1) else {
        let each = |(name, serve): &(&str, Serve)| measure(name, *serve);
        return Ok(WAYS.iter().try_for_each(each)?);
    };
    let way = WAYS.iter().find(|(known, _)| *known == name);
    let (_, serve) = way.ok_or("say blocking, callbacks or tasks, or nothing to compare them")?;
    Ok(serve(TcpListener::bind("127.0.0.1:8888")?, usize::MAX)?)
}
