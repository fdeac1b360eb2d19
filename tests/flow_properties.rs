//! Random programs on pipes and sockets: whatever is begun and given up, the bytes stay the same.
//!
//! A program writes and reads pieces, polls futures once and drops them, and lets the loop collect
//! events in between. The model is a queue of bytes, or of datagrams. After each step what was
//! read is what the model holds in front; and an operation that the model can serve must end.
//!
//! `PROPTEST_CASES=5000` in the environment tries more programs.
//!
//! # Not here
//! Ends, errors and full queues: `pipes.rs`, `udp.rs`, `unix_datagram.rs`.

mod common;

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::task::Poll;

use common::{poll_once, tcp_pair, within};
use petla::io::{PipeReader, PipeWriter, pipe};
use petla::net::{TcpStream, UnixDatagram, UnixStream};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Polled once and dropped.
    Write(usize),
    WriteVectored(usize, usize),
    WriteAll(usize),
    Read(usize),
    ReadExact(usize),
    /// Awaited, if the model says that it can end.
    WriteInto,
    ReadSome(usize),
    /// The loop looks at its descriptors.
    Turn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = || prop_oneof![1..50_usize, 1..9_000_usize, 1..90_000_usize];
    let step = prop_oneof![
        3 => size().prop_map(Step::Write),
        1 => (size(), size()).prop_map(|(first, second)| Step::WriteVectored(first, second)),
        2 => size().prop_map(Step::WriteAll),
        4 => size().prop_map(Step::Read),
        2 => size().prop_map(Step::ReadExact),
        1 => Just(Step::WriteInto),
        2 => size().prop_map(Step::ReadSome),
        3 => Just(Step::Turn),
    ];
    prop::collection::vec(step, 1..60)
}

/// Polled once and dropped.
fn once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_once(&mut future)
}

/// The ends of a flow, by the methods that all kinds have.
macro_rules! flow_test {
    ($name:ident, $writer:ty, $reader:ty, $ends:expr) => {
        async fn $name(steps: Vec<Step>) -> io::Result<()> {
            let (writer, reader): ($writer, $reader) = $ends;
            let mut model = Model::default();
            let mut buf = vec![0; 90_000];
            for step in steps {
                match step {
                    Step::Write(len) => {
                        let data = model.fresh(len);
                        if let Poll::Ready(n) = once(writer.write(&data)) {
                            model.took(&data[..n?]);
                        }
                    }
                    Step::WriteVectored(first, second) => {
                        let data = model.fresh(first + second);
                        let (first, second) = data.split_at(first);
                        let parts = [IoSlice::new(first), IoSlice::new(second)];
                        if let Poll::Ready(n) = once(writer.write_vectored(&parts)) {
                            model.took(&data[..n?]);
                        }
                    }
                    Step::WriteAll(len) => {
                        let data = model.fresh(len);
                        let mut write = writer.write_all(&data);
                        let _ = poll_once(&mut write);
                        model.took(&data[..write.written()]);
                    }
                    Step::Read(len) => {
                        if let Poll::Ready(n) = once(reader.read(&mut buf[..len])) {
                            model.gave(&buf[..n?]);
                        }
                    }
                    Step::ReadExact(len) => {
                        let mut read = reader.read_exact(&mut buf[..len]);
                        let _ = poll_once(&mut read);
                        let filled = read.filled();
                        drop(read);
                        model.gave(&buf[..filled]);
                    }
                    Step::WriteInto if model.bytes.is_empty() => {
                        let data = model.fresh(100);
                        let n = writer.write(&data).await?;
                        model.took(&data[..n]);
                    }
                    Step::ReadSome(len) if !model.bytes.is_empty() => {
                        let n = reader.read(&mut buf[..len]).await?;
                        model.gave(&buf[..n]);
                    }
                    Step::WriteInto | Step::ReadSome(_) => {}
                    Step::Turn => petla::sleep(std::time::Duration::ZERO).await,
                }
            }
            drop(writer);
            while let n @ 1.. = reader.read(&mut buf).await? {
                model.gave(&buf[..n]);
            }
            assert!(model.bytes.is_empty(), "bytes are lost");
            Ok(())
        }
    };
}

/// The bytes on their way.
#[derive(Default)]
struct Model {
    bytes: VecDeque<u8>,
    next: u8,
}

impl Model {
    /// Bytes to write, unlike those before them.
    fn fresh(&mut self, len: usize) -> Vec<u8> {
        self.next = self.next.wrapping_add(97);
        (0..len)
            .map(|n| self.next.wrapping_add((n % 251) as u8))
            .collect()
    }

    fn took(&mut self, sent: &[u8]) {
        self.bytes.extend(sent);
    }

    #[track_caller]
    fn gave(&mut self, got: &[u8]) {
        assert!(got.len() <= self.bytes.len(), "bytes out of nowhere");
        assert!(
            self.bytes.drain(..got.len()).eq(got.iter().copied()),
            "other bytes"
        );
    }
}

flow_test!(through_a_pipe, PipeWriter, PipeReader, {
    let (reader, writer) = pipe()?;
    (writer, reader)
});
flow_test!(through_unix, UnixStream, UnixStream, UnixStream::pair()?);
flow_test!(through_tcp, TcpStream, TcpStream, tcp_pair().await?);

async fn through_datagrams(steps: Vec<Step>) -> io::Result<()> {
    let (writer, reader) = UnixDatagram::pair()?;
    let mut model: VecDeque<Vec<u8>> = VecDeque::new();
    let (mut buf, mut number) = (vec![0; 9_000], 0_u8);
    let check = |model: &mut VecDeque<Vec<u8>>, room: &[u8], got: petla::net::Received| {
        let sent = model.pop_front().expect("a datagram out of nowhere");
        assert_eq!(
            (got.full_len, got.len),
            (sent.len(), sent.len().min(room.len()))
        );
        assert!(room[..got.len] == sent[..got.len]);
    };
    for step in steps {
        number = number.wrapping_add(1);
        match step {
            Step::Write(len) | Step::WriteVectored(len, _) | Step::WriteAll(len) => {
                let data = vec![number; len % 9_000];
                if let Poll::Ready(n) = once(writer.send(&data)) {
                    assert_eq!(n?, data.len());
                    model.push_back(data);
                }
            }
            Step::Read(len) | Step::ReadExact(len) => {
                let room = &mut buf[..len % 9_000];
                if let Poll::Ready(got) = once(reader.recv(room)) {
                    check(&mut model, room, got?);
                }
            }
            Step::WriteInto if model.is_empty() => {
                writer.send(&[number]).await?;
                model.push_back(vec![number]);
            }
            Step::ReadSome(len) if !model.is_empty() => {
                let room = &mut buf[..len % 9_000];
                let got = reader.recv(room).await?;
                check(&mut model, room, got);
            }
            Step::WriteInto | Step::ReadSome(_) => {}
            Step::Turn => petla::sleep(std::time::Duration::ZERO).await,
        }
    }
    while !model.is_empty() {
        let got = reader.recv(&mut buf).await?;
        check(&mut model, &buf, got);
    }
    assert!(once(reader.recv(&mut buf)).is_pending());
    Ok(())
}

/// Fewer than usual: each one moves megabytes, byte by byte where they are compared.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES");
    let cases = cases.ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(40))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pipes_keep_every_byte(steps in steps()) {
        within(through_a_pipe(steps)).unwrap();
    }

    #[test]
    fn unix_streams_keep_every_byte(steps in steps()) {
        within(through_unix(steps)).unwrap();
    }

    #[test]
    fn tcp_streams_keep_every_byte(steps in steps()) {
        within(through_tcp(steps)).unwrap();
    }

    #[test]
    fn datagrams_stay_whole_and_in_order(steps in steps()) {
        within(through_datagrams(steps)).unwrap();
    }
}
