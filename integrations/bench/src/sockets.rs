//! A connection of each runtime's own kind.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use petla_bench::runtimes::{Petla, Runtime, TokioCurrentThread, TokioLocal};
use tokio::io::{AsyncRead, AsyncWrite};

/// A runtime with sockets that have tokio's traits.
pub trait Connects: Runtime {
    /// Its TCP stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects, without Nagle's delay.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;
}

impl Connects for Petla {
    type Stream = petla::net::TcpStream;

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = petla::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

macro_rules! tokio_connects {
    ($($runtime:ident)*) => {$(
        impl Connects for $runtime {
            type Stream = tokio::net::TcpStream;

            async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
                let stream = tokio::net::TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }
        }
    )*};
}

tokio_connects!(TokioLocal TokioCurrentThread);
