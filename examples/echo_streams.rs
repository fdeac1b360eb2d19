//! `echo_server` over streams: readers and writers with buffers, and a server that counts its
//! clients.
//!
//! ```text
//! $ cargo run --release --example echo_streams -- 8888 100
//! echo on 127.0.0.1:8888, at most 100 clients at once; end it with Ctrl-C
//! ^Cstopping: 3 clients have 10s
//! 1 connections aborted
//! ```
//!
//! With port 0 the system picks a free one, and the first line says which.

use petla::EventLoop;
use petla::event_loop::RunError;
use petla::streams::{Server, StreamReader, StreamWriter, start_server};
use std::{env, error::Error, io, time::Duration};

const DEFAULT_PORT: u16 = 8888;
const DEFAULT_LIMIT: usize = 100;
const PATIENCE: Duration = Duration::from_secs(10);

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        writer.write(&buffer[..length]);
        writer.drain().await?;
    }
}

pub(crate) async fn start(port: u16, limit: usize) -> io::Result<Server> {
    start_server(("127.0.0.1", port), echo).limit(limit).await
}

fn run(port: u16, limit: usize) -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::builder().sigint(true).sigterm(true).build()?;
    let server = event_loop.run_until_complete(start(port, limit))??;
    let address = server.local_addr()?;
    println!("echo on {address}, at most {limit} clients at once; end it with Ctrl-C");
    match event_loop.run_until_complete(server.serve_forever()) {
        // The server is closed now. Its clients are tasks of the loop, which may run again.
        Err(RunError::Interrupted | RunError::Terminated) => {}
        other => return Ok(other??),
    }
    let clients = server.connections();
    println!("stopping: {clients} clients have {PATIENCE:?}");
    let aborted = event_loop.run_until_complete(server.shutdown(PATIENCE))?;
    println!("{aborted} connections aborted");
    Ok(event_loop.close()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let port = arguments
        .next()
        .map_or(Ok(DEFAULT_PORT), |port| port.parse());
    let limit = arguments
        .next()
        .map_or(Ok(DEFAULT_LIMIT), |limit| limit.parse());
    match (port, limit) {
        (Ok(port), Ok(limit)) => run(port, limit),
        _ => Err("usage: echo_streams [PORT] [LIMIT]".into()),
    }
}
