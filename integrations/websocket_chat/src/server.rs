//! Connections: the page, and those that become WebSockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::server::create_response_with_body;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use petla::interop::LoopTimer;
use petla::local::{Event, OwnedPermit, Semaphore};
use petla::net::{TcpListener, TcpStream};
use petla::{select, spawn, timeout};

use crate::member::Chat;
use crate::room::Room;

const PAGE: &str = include_str!("page.html");
/// The page holds its script and style, and talks to nobody but us.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'";
/// Connections at once; others wait in the system's queue.
const CLIENTS: usize = 1000;
const MESSAGE_MAX: usize = 8 << 10;
/// How long a head may take to come, and an idle connection to be told to go.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// How long the end may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Server {
    chat: Rc<Chat>,
}

impl Server {
    pub(crate) fn new(ping: Duration) -> Rc<Server> {
        let chat = Rc::new(Chat {
            room: Rc::new(Room::default()),
            ping,
            closing: Event::new(),
        });
        Rc::new(Server { chat })
    }

    /// Serves until `stop` ends, and then until all connections are closed.
    pub(crate) async fn serve(
        self: &Rc<Self>,
        listener: TcpListener,
        stop: impl Future,
    ) -> Result<()> {
        let places = Rc::new(Semaphore::new(CLIENTS));
        select! {
            _ = stop => {}
            failed = self.accept(&listener, &places) => failed?,
        }
        drop(listener); // so that others are refused, instead of waiting for nobody
        self.chat.closing.set();
        let all_free = timeout(PATIENCE, places.acquire_many(CLIENTS)).await;
        // Who is late is dropped with the loop.
        drop(all_free);
        Ok(())
    }

    /// It ends when the listener fails.
    async fn accept(self: &Rc<Self>, listener: &TcpListener, places: &Rc<Semaphore>) -> Result<()> {
        loop {
            let place = Rc::new(places.acquire_owned().await);
            let accepted = listener.accept().await;
            let (stream, peer) = accepted.context("no more connections are accepted")?;
            let server = Rc::clone(self);
            spawn(async move { server.talk(stream, peer, place).await }).detach();
        }
    }

    /// Speaks HTTP until the connection ends, or becomes a WebSocket.
    async fn talk(self: Rc<Self>, stream: TcpStream, peer: SocketAddr, place: Rc<OwnedPermit>) {
        // What is said shall arrive at once. If this fails, so will all that comes.
        drop(stream.set_nodelay(true));
        let service = service_fn(|request| {
            let response = self.answer(request, &place);
            async { Ok::<_, Infallible>(response) }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(LoopTimer::new())
            .header_read_timeout(IDLE_MAX);
        let connection = builder.serve_connection(stream, service).with_upgrades();
        let mut connection = pin!(connection);
        select! {
            ended = connection.as_mut() => match ended {
                Err(error) if !error.is_timeout() => eprintln!("{peer}: {error}"),
                _ => {}
            },
            () = self.chat.closing.wait() => {
                connection.as_mut().graceful_shutdown();
                drop(timeout(PATIENCE, connection).await);
            }
        }
    }

    fn answer(&self, request: Request<Incoming>, place: &Rc<OwnedPermit>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => {
                let mut page = text(StatusCode::OK, PAGE);
                let headers = page.headers_mut();
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                headers.insert(CONTENT_TYPE, html);
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
                page
            }
            (&Method::GET, "/chat") if comes_from_elsewhere(&request) => text(
                StatusCode::FORBIDDEN,
                "a page of another site may not listen\n",
            ),
            (&Method::GET, "/chat") => self.upgrade(request, Rc::clone(place)),
            (_, "/" | "/chat") => text(StatusCode::METHOD_NOT_ALLOWED, "use GET\n"),
            _ => text(StatusCode::NOT_FOUND, "not here\n"),
        }
    }

    /// Agrees to a WebSocket, which begins when hyper has sent the answer.
    fn upgrade(&self, request: Request<Incoming>, place: Rc<OwnedPermit>) -> Response<Full<Bytes>> {
        let response = match create_response_with_body(&request, Full::default) {
            Ok(response) => response,
            Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        };
        let chat = Rc::clone(&self.chat);
        let member = async move {
            let upgraded = hyper::upgrade::on(request).await?;
            let parts = upgraded.downcast::<TcpStream>();
            let parts = parts.map_err(|_| anyhow!("another stream than the server's"))?;
            let mut config = WebSocketConfig::default();
            config.max_message_size = Some(MESSAGE_MAX);
            config.max_frame_size = Some(MESSAGE_MAX);
            let (io, read) = (parts.io, parts.read_buf.to_vec());
            let role = Role::Server;
            let socket = WebSocketStream::from_partially_read(io, read, role, Some(config)).await;
            chat.attend(socket).await;
            drop(place);
            anyhow::Ok(())
        };
        // A client that was gone before it began: that happens.
        spawn(async { drop(member.await) }).detach();
        response
    }
}

/// A browser says which site's page asks. Other clients say nothing, or what they like.
fn comes_from_elsewhere(request: &Request<Incoming>) -> bool {
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    match (header(ORIGIN), header(HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix(b"http://") != Some(host),
        (origin, _) => origin.is_some(),
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
