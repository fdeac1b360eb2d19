//! The pages to fetch: each takes its time, and any number may take it at once.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use petla::net::{TcpListener, TcpStream};
use petla::{sleep, spawn};

/// Serves until the program ends.
pub(crate) async fn start(delay: Duration) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    spawn(accept(listener, delay)).detach();
    Ok(address)
}

async fn accept(listener: TcpListener, delay: Duration) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn(talk(stream, delay)).detach();
    }
}

async fn talk(stream: TcpStream, delay: Duration) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| async move {
        sleep(delay).await;
        let page = format!("this is page {}\n", request.uri().path());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(page)))
    });
    http1::Builder::new()
        .serve_connection(stream, service)
        .await
}
