//! One WebSocket, from its first message to its last.
//!
//! One task reads and writes: whichever of its two sides has something is served. While it sends,
//! it does not read, so that a member who only talks and never listens is stopped by its own
//! socket, and in the end dropped.

use std::rc::Rc;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use async_tungstenite::tungstenite::{Bytes, Error, Message};
use futures_util::StreamExt;
use petla::local::Event;
use petla::net::TcpStream;
use petla::{interval, select, timeout, yield_now};
use serde::Deserialize;

use crate::room::{News, Place, Room};

/// How long somebody may take to give a name.
const NAME_TIME: Duration = Duration::from_secs(10);
/// How long a message may take to leave.
const SEND_TIME: Duration = Duration::from_secs(10);
/// How long a client may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(1);

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// What clients send, as JSON: `{"name": "ada"}`, then any number of `{"say": "hello"}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Name(String),
    Say(String),
}

/// Why it is over.
#[derive(Debug)]
enum End {
    /// The client closed the connection, or lost it.
    Left,
    TooSlow,
    Silent,
    TooLarge,
    NotUnderstood,
    Closing,
}

impl End {
    /// What the client is told; `None` where nobody would hear it.
    fn farewell(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            End::Left | End::TooSlow => return None,
            End::Silent => (CloseCode::Policy, "no sign of life"),
            End::TooLarge => (CloseCode::Size, "the message is too large"),
            End::NotUnderstood => (CloseCode::Unsupported, "the message is not understood"),
            End::Closing => (CloseCode::Away, "the chat is over"),
        };
        let reason = reason.into();
        Some(CloseFrame { code, reason })
    }
}

/// What all members' tasks know.
pub(crate) struct Chat {
    pub(crate) room: Rc<Room>,
    pub(crate) ping: Duration,
    pub(crate) closing: Event,
}

impl Chat {
    /// Serves one member.
    pub(crate) async fn attend(&self, mut socket: Socket) {
        let Err(end) = self.talk(&mut socket).await;
        if let Some(frame) = end.farewell() {
            let farewell = async {
                socket.close(Some(frame)).await?;
                // The client's own close, or the end.
                while let Some(message) = socket.next().await {
                    message?;
                }
                Ok::<_, Error>(())
            };
            // In time or not: it is over.
            drop(timeout(FAREWELL, farewell).await);
        }
    }

    async fn talk(&self, socket: &mut Socket) -> Result<Never, End> {
        let place = self.name(socket).await?;
        let mut pings = interval(self.ping);
        let mut is_alive = true;
        loop {
            select! {
                () = self.closing.wait() => return Err(End::Closing),
                () = place.too_slow.wait() => return Err(End::TooSlow),
                text = place.unheard.get() => {
                    let text = text.expect("nobody shuts it down");
                    send(socket, &place, Message::Text(text)).await?;
                }
                message = socket.next() => {
                    is_alive = true;
                    if let Some(Request::Say(text)) = understand(message)? {
                        place.say(&text);
                        // The others hear it before this one may go on.
                        yield_now().await;
                    }
                }
                _ = pings.tick() => {
                    if !is_alive {
                        return Err(End::Silent);
                    }
                    is_alive = false;
                    send(socket, &place, Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    /// Asks for a name until there is one that nobody has.
    async fn name(&self, socket: &mut Socket) -> Result<Place, End> {
        loop {
            let message = select! {
                () = self.closing.wait() => return Err(End::Closing),
                message = timeout(NAME_TIME, socket.next()) => message,
            };
            let message = message.map_err(|_| End::Silent)?;
            let text = match understand(message)? {
                Some(Request::Name(name)) => match self.room.enter(&name) {
                    Ok(place) => return Ok(place),
                    Err(text) => text,
                },
                Some(Request::Say(_)) => "Who are you?",
                None => continue,
            };
            let refused = Message::Text(News::Refused { text }.to_text());
            let sent = timeout(SEND_TIME, socket.send(refused)).await;
            sent.map_err(|_| End::TooSlow)?.map_err(|_| End::Left)?;
        }
    }
}

/// There is no value of it: a talk ends by an [`End`].
enum Never {}

/// Sends, unless the member must go meanwhile.
async fn send(socket: &mut Socket, place: &Place, message: Message) -> Result<(), End> {
    select! {
        sent = timeout(SEND_TIME, socket.send(message)) => match sent {
            Ok(sent) => sent.map_err(|_| End::Left),
            Err(_) => Err(End::TooSlow),
        },
        () = place.too_slow.wait() => Err(End::TooSlow),
    }
}

/// What a message asks for; `None` if it is a sign of life only.
fn understand(message: Option<Result<Message, Error>>) -> Result<Option<Request>, End> {
    match message {
        Some(Ok(Message::Text(text))) => {
            let request = serde_json::from_str(&text);
            request.map(Some).map_err(|_| End::NotUnderstood)
        }
        Some(Ok(Message::Binary(_)) | Err(Error::Utf8(_))) => Err(End::NotUnderstood),
        Some(Err(Error::Capacity(_))) => Err(End::TooLarge),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Left),
    }
}
