//! The client: one request, in whichever version the server and it agree on.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use bytes::Bytes;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode, Uri};
use petla::interop::LoopExecutor;
use petla::net::TcpStream;
use petla::{io::stdout, spawn, timeout};
use smol_hyper::rt::FuturesIo;

use crate::tls::{self, HTTP2};

/// Prints the page, and gives its status.
pub(crate) async fn run(uri: &Uri, certificate: &Path, limit: Duration) -> Result<StatusCode> {
    let page = async {
        let response = get(uri, certificate).await?;
        let status = response.status();
        let body = response.into_body().collect().await;
        Ok((status, body.context("the page broke off")?.to_bytes()))
    };
    let page = timeout(limit, page).await;
    let page = page.unwrap_or_else(|_| Err(anyhow!("no whole answer within {limit:?}")));
    let (status, body) = page.with_context(|| uri.to_string())?;
    if !status.is_success() {
        eprintln!("{uri}: {status}");
    }
    stdout().write_all(body).await?;
    Ok(status)
}

async fn get(uri: &Uri, certificate: &Path) -> Result<Response<Incoming>> {
    let connector = tls::connector(certificate).await?;
    let host = uri.host().context("a URL without a host")?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(443));
    let stream = TcpStream::connect(&*address).await;
    let stream = stream.with_context(|| format!("there is no way to {address}"))?;
    stream.set_nodelay(true)?;
    let name = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).context("neither a name nor an address")?;
    let stream = connector.connect(name, stream).await;
    let stream = stream.map_err(|error| no_handshake(error, certificate))?;

    let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
    let io = FuturesIo::new(stream);
    if speaks_http2 {
        let request = Request::get(uri).body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http2::handshake(LoopExecutor::new(), io).await?;
        // What breaks the connection breaks the request as well.
        spawn(async { drop(connection.await) }).detach();
        Ok(sender.send_request(request).await?)
    } else {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().context("a URL without a host")?;
        let request = Request::get(path).header(HOST, authority.as_str());
        let request = request.body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http1::handshake(io).await?;
        spawn(async { drop(connection.await) }).detach();
        Ok(sender.send_request(request).await?)
    }
}

/// rustls gives its errors as those of the stream.
fn no_handshake(error: io::Error, certificate: &Path) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let what = match inner {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("the server is not the one of {}", certificate.display())
        }
        Some(rustls::Error::InvalidMessage(_)) => "the server does not speak TLS".to_owned(),
        _ => "no TLS handshake".to_owned(),
    };
    Error::new(error).context(what)
}
