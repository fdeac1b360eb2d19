//! A chat: what one says, all others read. Who does not read is dropped, and holds nobody up.
//!
//! ```text
//! $ cargo run --release --example chat_server -- 8888
//! chat on 127.0.0.1:8888
//! $ nc 127.0.0.1 8888      # in other terminals
//! your name?
//! ada
//! * 2 are here
//! bob: hello
//! ```
//!
//! A line is written to every member at once: `write` never waits. What a member's socket does not
//! take is queued in its writer, and `unsent` says how much that is. So the queue of each is
//! bounded by looking at it after each line: there is no task and no channel for a member, and
//! nobody waits for the slowest.

use petla::streams::{ReadError, Server, StreamReader, StreamWriter, start_server};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    env,
    error::Error,
    io,
    net::SocketAddr,
    rc::Rc,
};

const DEFAULT_PORT: u16 = 8888;
const LINE_MAX: usize = 1000;
/// How far behind a member may be, beside what the system holds for its socket.
const BEHIND_MAX: usize = 64 << 10;

/// Who is here.
#[derive(Default)]
pub(crate) struct Room {
    members: RefCell<BTreeMap<u64, StreamWriter>>,
    next: Cell<u64>,
}

/// A member's place: given up when its handler ends, however that comes.
struct Place {
    room: Rc<Room>,
    number: u64,
}

impl Room {
    fn enter(self: &Rc<Self>, writer: StreamWriter) -> Place {
        let number = self.next.get();
        self.next.set(number + 1);
        self.members.borrow_mut().insert(number, writer);
        Place {
            room: Rc::clone(self),
            number,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.borrow().len()
    }

    /// Sends a line to all but one, and drops those that are too far behind.
    fn say(&self, line: &str, speaker: u64) {
        self.members.borrow_mut().retain(|number, writer| {
            if *number != speaker {
                writer.write(line.as_bytes());
            }
            let keeps_up = writer.unsent() <= BEHIND_MAX;
            if !keeps_up {
                // Its handler reads the end, and ends.
                writer.abort();
            }
            keeps_up
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let writer = self.room.members.borrow_mut().remove(&self.number);
        // A peer that went without a word makes the last lines for it fail: that is no news.
        if let Some(mut writer) = writer {
            writer.abort();
        }
    }
}

async fn member(
    room: &Rc<Room>,
    mut reader: StreamReader,
    mut writer: StreamWriter,
) -> io::Result<()> {
    reader.set_limit(LINE_MAX);
    writer.write(b"your name?\n");
    let Some(name) = reader.read_line().await?.map(str::to_owned) else {
        return Ok(());
    };
    writer.write(format!("* {} are here\n", room.len() + 1).as_bytes());
    let place = room.enter(writer);
    loop {
        match reader.read_line().await {
            Ok(Some(words)) => room.say(&format!("{name}: {words}\n"), place.number),
            Ok(None) => return Ok(()),
            // Gone: that happens to every chat.
            Err(ReadError::Io(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) async fn start(address: SocketAddr) -> io::Result<(Server, Rc<Room>)> {
    let room = Rc::new(Room::default());
    let handlers = Rc::clone(&room);
    let handler = async move |reader, writer| member(&handlers, reader, writer).await;
    Ok((start_server(address, handler).await?, room))
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args()
        .nth(1)
        .map_or(Ok(DEFAULT_PORT), |port| port.parse());
    let port = port.map_err(|_| "usage: chat_server [PORT]")?;
    petla::run(async {
        let (server, _room) = start(([127, 0, 0, 1], port).into()).await?;
        println!("chat on {}", server.local_addr()?);
        Ok(server.serve_forever().await?)
    })
}
