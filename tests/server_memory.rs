//! What a connection of a server costs: the runtime's memory, counted by the allocator.
//!
//! Each connection has a task, its reader and writer, its place among the clients and in the
//! reactor. While it is idle no buffer is among them. As many are opened as descriptors permit, up
//! to ten thousand: two for each, as both ends are in this process.
//!
//! # Not here
//! What the kernel holds for a socket. What handlers keep for themselves: this one keeps nothing.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use petla::streams::{StreamReader, StreamWriter, open_connection, start_server};

use common::{succeeds_alone, within_io, yield_until};

/// Bytes of each idle connection.
const ALLOWED: usize = 1024;
const MOST: usize = 10_000;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    /// How often this thread asked for memory.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many connections this process may have.
fn permitted() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.unwrap().split_whitespace().nth(3).unwrap();
    let soft = soft.parse().unwrap_or(usize::MAX);
    (soft.saturating_sub(200) / 2).min(MOST)
}

async fn echo_lines(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    while let Some(line) = reader.read_line().await? {
        writer.write(line.as_bytes());
        writer.write(b"\n");
        writer.drain().await?;
    }
    Ok(())
}

#[test]
fn an_idle_connection_takes_at_most_a_kibibyte() {
    within_io(async {
        let count = permitted();
        let server = start_server("127.0.0.1:0", echo_lines).await?;
        let addr = server.local_addr()?;
        let mut clients = Vec::with_capacity(count);
        let before = HELD.load(Relaxed);
        for number in 1..=count {
            clients.push(TcpStream::connect(addr)?);
            if number % 500 == 0 || number == count {
                yield_until(|| server.connections() == number).await;
            }
        }
        // Each has been busy, and is idle again.
        for client in &mut clients {
            client.write_all(b"are you there?\n")?;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.set_nonblocking(true)?;
            let (mut answer, mut length) = ([0; 15], 0);
            while length < answer.len() {
                match client.read(&mut answer[length..]) {
                    Ok(n) => length += n,
                    Err(_) => petla::yield_now().await,
                }
            }
            assert_eq!(&answer, b"are you there?\n", "{number}");
        }
        for _ in 0..10 {
            petla::yield_now().await;
        }
        let each = (HELD.load(Relaxed) - before) / count;
        println!("{count} idle connections: {each} bytes each");
        assert!(each <= ALLOWED, "{count} connections: {each} bytes each");
        Ok(())
    });
}

#[test]
fn a_connection_that_is_in_use_takes_no_new_memory() {
    succeeds_alone(|| {
        within_io(async {
            let server = start_server("127.0.0.1:0", echo_lines).await?;
            let (mut reader, mut writer) = open_connection(server.local_addr()?).await?;
            let line = "a line of some length ".repeat(100);
            let mut before = 0;
            for round in 0..1_000 {
                if round == 10 {
                    before = ALLOCATIONS.get();
                }
                writer.write_vectored(&[IoSlice::new(line.as_bytes()), IoSlice::new(b"\n")]);
                writer.drain().await?;
                assert_eq!(reader.read_line().await?, Some(&*line));
            }
            assert_eq!(ALLOCATIONS.get(), before, "buffers are used again");
            Ok(())
        });
    });
}
