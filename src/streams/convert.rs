//! From sockets and pipes to streams, and back.
//!
//! # Not here
//! Opening (`mod.rs`); what a pipe or socket is below a stream (`link`).

use std::rc::Rc;

use super::connection::Connection;
use super::link::Link;
use super::{StreamReader, StreamWriter, halves};
use crate::io::{PipeReader, PipeWriter};
use crate::kernel::source::{Kind, Source};
use crate::net::{TcpStream, UnixStream};

type Halves = (StreamReader, StreamWriter);

impl TcpStream {
    /// The two buffered halves of this connection, which belong to this thread.
    ///
    /// `TCP_NODELAY` stays as it is: with small writes, [`set_nodelay`](TcpStream::set_nodelay)
    /// before.
    ///
    /// # asyncio
    /// `open_connection(sock=..)`.
    pub fn into_streams(self) -> (StreamReader, StreamWriter) {
        halves(Connection::new(Link::socket(self.into_source())))
    }

    /// The socket of two halves, and the bytes that were received and not read yet.
    ///
    /// To hand a connection to another loop or another protocol. The bytes come before whatever
    /// the socket gives.
    ///
    /// # Errors
    /// The halves come back unchanged if they are not those of one TCP connection, while something
    /// is unsent (await `drain` with marks of 0), and once one of them has ended or failed.
    ///
    /// # asyncio
    /// None: `start_tls`, which once lost the bytes.
    ///
    /// # Examples
    /// ```
    /// # use petla::net::{TcpListener, TcpStream};
    /// use petla::streams::open_connection;
    ///
    /// petla::run(async {
    ///     # let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (mut reader, writer) = open_connection(listener.local_addr()?).await?;
    ///     # let (peer, _) = listener.accept().await?;
    ///     peer.write_all(b"go on\nbinary").await?;
    ///     assert_eq!(reader.read_line().await?, Some("go on"));
    ///
    ///     let (stream, unread) = TcpStream::from_streams(reader, writer).unwrap();
    ///     assert_eq!(unread, b"binary");
    ///     # drop(stream);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "reunite")]
    pub fn from_streams(
        reader: StreamReader,
        writer: StreamWriter,
    ) -> Result<(TcpStream, Vec<u8>), (StreamReader, StreamWriter)> {
        let (source, unread) = reunite(reader, writer, Kind::Tcp)?;
        Ok((TcpStream::new(source), unread))
    }
}

impl UnixStream {
    /// The two buffered halves of this connection, which belong to this thread.
    ///
    /// # asyncio
    /// `open_unix_connection(sock=..)`.
    pub fn into_streams(self) -> (StreamReader, StreamWriter) {
        halves(Connection::new(Link::socket(self.into_source())))
    }

    /// The socket of two halves, and the bytes that were received and not read yet.
    ///
    /// # Errors
    /// As [`TcpStream::from_streams`].
    #[doc(alias = "reunite")]
    pub fn from_streams(
        reader: StreamReader,
        writer: StreamWriter,
    ) -> Result<(UnixStream, Vec<u8>), (StreamReader, StreamWriter)> {
        let (source, unread) = reunite(reader, writer, Kind::Socket)?;
        Ok((UnixStream::new(source), unread))
    }
}

impl PipeReader {
    /// A buffered reader of this pipe: lines and messages.
    ///
    /// # asyncio
    /// `connect_read_pipe` with a `StreamReaderProtocol`.
    ///
    /// # Examples
    /// ```
    /// petla::run(async {
    ///     let (reader, writer) = petla::io::pipe()?;
    ///     let (mut reader, mut writer) = (reader.into_stream(), writer.into_stream());
    ///     writer.write(b"a line\nand the end");
    ///     writer.close();
    ///     assert_eq!(reader.read_line().await?, Some("a line"));
    ///     assert_eq!(reader.read_line().await?, Some("and the end"));
    ///     assert_eq!(reader.read_line().await?, None);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn into_stream(self) -> StreamReader {
        StreamReader::new(Connection::new(Link::closable(self.into())))
    }
}

impl PipeWriter {
    /// A writer into this pipe that never waits: what the pipe does not take is sent in the
    /// background.
    ///
    /// `write_eof` and `close` close the descriptor as soon as everything is written.
    ///
    /// # asyncio
    /// `connect_write_pipe` with a `StreamWriter`.
    pub fn into_stream(self) -> StreamWriter {
        StreamWriter::new(Connection::new(Link::closable(self.into())))
    }
}

fn reunite(
    mut reader: StreamReader,
    writer: StreamWriter,
    kind: Kind,
) -> Result<(Source, Vec<u8>), Halves> {
    let connection = writer.connection();
    let fits = Rc::ptr_eq(connection, reader.connection()) && connection.link().kind() == kind;
    if !fits || !connection.is_whole() || reader.input().has_failed() {
        return Err((reader, writer));
    }
    let unread = reader.input().buffer.take_all();
    drop(reader);
    let connection = writer.into_connection();
    let connection = Rc::try_unwrap(connection).expect("a whole one is nobody else's");
    Ok((connection.into_link().into_source(), unread))
}
