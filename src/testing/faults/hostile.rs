//! Random bytes in random pieces, read by random operations that are given up and tried again,
//! while system calls are interrupted and the connection fails: a `StreamReader` loses nothing.
//!
//! The model is the rest of what the peer has sent. Each operation must take what it says from its
//! front, or nothing. After a failure the reader gives what it had received, and then the error.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;

use crate::combinators::gather_tuple;
use crate::net::{TcpListener, TcpStream};
use crate::streams::{ReadError, StreamReader, open_connection};
use crate::sys::faults::Plan;
use crate::sys::faults::errnos::{ECONNRESET, EINTR};
use crate::time::{timeout, yield_now};

const SEPARATORS: [&[&[u8]]; 3] = [&[b";"], &[b"\r\n", b"\n"], &[b"a;;", b";\n"]];

#[derive(Debug, Clone)]
enum Op {
    Read(usize),
    Exact(usize),
    Until(usize),
    Line,
    Limit(usize),
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..40_usize).prop_map(Op::Read),
        1 => Just(Op::Read(20_000)), // past the buffer
        3 => (0..40_usize).prop_map(Op::Exact),
        4 => (0..SEPARATORS.len()).prop_map(Op::Until),
        4 => Just(Op::Line),
        1 => (0..60_usize).prop_map(Op::Limit),
    ]
}

#[derive(Debug, Clone)]
struct Case {
    pieces: Vec<Vec<u8>>,
    /// Each is begun and given up first, if so marked.
    ops: Vec<(Op, bool)>,
    /// Which of the calls to send and receive are interrupted, over and over.
    interrupted: Vec<bool>,
    /// After how many calls to receive the connection fails.
    fails: Option<usize>,
}

fn cases() -> impl Strategy<Value = Case> {
    let byte = prop::sample::select(b"aab;;\r\n\xff".to_vec());
    let pieces = prop::collection::vec(prop::collection::vec(byte, 0..60), 0..12);
    let ops = prop::collection::vec((ops(), any::<bool>()), 1..60);
    let interrupted = prop::collection::vec(any::<bool>(), 0..5);
    let fails = prop::option::of(1..12_usize);
    (pieces, ops, interrupted, fails).prop_map(|(pieces, ops, mut interrupted, fails)| {
        interrupted.push(false); // at some time it goes on
        Case {
            pieces,
            ops,
            interrupted,
            fails,
        }
    })
}

fn plan(case: &Case) -> Plan {
    let mut interrupted = VecDeque::from(case.interrupted.clone());
    let mut left = case.fails.unwrap_or(usize::MAX);
    Plan::new(move |call| {
        if !matches!(call, "recv" | "send") {
            return None;
        }
        interrupted.rotate_left(1);
        if interrupted[0] {
            return Some(EINTR);
        }
        if call == "send" {
            return None;
        }
        left = left.wrapping_sub(1); // once: an error is not told twice
        (left == 0).then_some(ECONNRESET)
    })
}

/// What an operation gave: bytes, or no line.
type Given = Result<Option<Vec<u8>>, ReadError>;

async fn perform(reader: &mut StreamReader, op: &Op) -> Given {
    Ok(Some(match op {
        Op::Read(n) => {
            let mut buf = vec![0; *n];
            let n = reader.read(&mut buf).await?;
            buf[..n].to_vec()
        }
        Op::Exact(n) => {
            let mut buf = vec![0; *n];
            reader.read_exact(&mut buf).await?;
            buf
        }
        Op::Until(which) => reader.read_until_any(SEPARATORS[*which]).await?.to_vec(),
        Op::Line => {
            return Ok(reader
                .read_line()
                .await?
                .map(|line| line.as_bytes().to_vec()));
        }
        Op::Limit(bytes) => {
            reader.set_limit(*bytes);
            Vec::new()
        }
    }))
}

/// The result, if the operation has one at once; else it is given up.
async fn at_once(operation: impl Future<Output = Given>) -> Option<Given> {
    let mut operation = pin!(operation);
    let poll = poll_fn(|cx| Poll::Ready(operation.as_mut().poll(cx))).await;
    match poll {
        Poll::Ready(given) => Some(given),
        Poll::Pending => None,
    }
}

/// What has not been read of all that the peer sends.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take(&mut self, bytes: &[u8]) {
        assert!(self.0.starts_with(bytes), "{:?}: {bytes:?}", self.0);
        self.0 = &self.0[bytes.len()..];
    }

    /// How long the next message is, with its separator.
    fn message(&self, separators: &[&[u8]]) -> Option<usize> {
        let ends = |end: &usize| {
            let message = &self.0[..*end];
            separators.iter().any(|one| message.ends_with(one))
        };
        (1..=self.0.len()).find(ends)
    }

    fn line(&self) -> (&[u8], usize) {
        let length = self.message(&[b"\n"]).unwrap_or(self.0.len());
        let line = &self.0[..length];
        let text = line.strip_suffix(b"\r\n");
        (
            text.or_else(|| line.strip_suffix(b"\n")).unwrap_or(line),
            length,
        )
    }

    /// Checks one operation and takes what it took. True if the connection has failed.
    fn check(&mut self, op: &Op, given: Given, limit: usize) -> bool {
        match (op, given) {
            (Op::Limit(_), Ok(_)) => {}
            (Op::Read(n), Ok(Some(bytes))) => {
                let is_end = *n > 0 && bytes.is_empty();
                assert!(!is_end || self.0.is_empty(), "an end before the end");
                self.take(&bytes);
            }
            (Op::Exact(n), Ok(Some(bytes))) => {
                assert_eq!(bytes.len(), *n);
                self.take(&bytes);
            }
            (Op::Exact(n), Err(ReadError::Incomplete { partial })) => {
                assert!(self.0 == partial && partial.len() < *n);
                self.take(&partial);
            }
            (Op::Until(which), Ok(Some(bytes))) => {
                assert_eq!(self.message(SEPARATORS[*which]), Some(bytes.len()));
                self.take(&bytes);
            }
            (Op::Until(which), Err(ReadError::Incomplete { partial })) => {
                assert_eq!(self.message(SEPARATORS[*which]), None);
                assert_eq!(self.0, partial);
                self.take(&partial);
            }
            (Op::Line, Ok(Some(text))) => {
                let (line, length) = self.line();
                assert_eq!(line, text);
                self.0 = &self.0[length..];
            }
            (Op::Line, Ok(None)) => assert!(self.0.is_empty()),
            (Op::Line, Err(ReadError::Utf8)) => assert!(str::from_utf8(self.line().0).is_err()),
            (Op::Until(_) | Op::Line, Err(ReadError::LimitOverrun { consumed })) => {
                let separators: &[&[u8]] = match op {
                    Op::Until(which) => SEPARATORS[*which],
                    _ => &[b"\n"],
                };
                let before = Rest(&self.0[..consumed]);
                assert!(consumed > limit && before.message(separators).is_none());
            }
            (_, Err(ReadError::Io(error))) => {
                assert_eq!(error.raw_os_error(), Some(ECONNRESET.code));
                return true;
            }
            (op, given) => panic!("{op:?} gave {given:?}"),
        }
        false
    }
}

async fn read_all(mut reader: StreamReader, case: &Case) {
    let sent = case.pieces.concat();
    let mut rest = Rest(&sent);
    let to_the_end = [(Op::Read(7), true)];
    let mut ops = case.ops.iter().chain(to_the_end.iter().cycle());
    loop {
        let (op, given_up) = ops.next().expect("it has no end");
        let limit = reader.limit();
        let first = match given_up {
            true => at_once(perform(&mut reader, op)).await,
            false => None,
        };
        let given = match first {
            Some(given) => given,
            None => perform(&mut reader, op).await,
        };
        if rest.check(op, given, limit) {
            return fail_for_ever(reader, rest).await;
        }
        if reader.at_eof() {
            assert!(rest.0.is_empty(), "an end before the end");
            return;
        }
    }
}

/// What was received before a failure comes out, then the failure, again and again.
async fn fail_for_ever(mut reader: StreamReader, mut rest: Rest<'_>) {
    let read = Op::Read(7);
    while !rest.check(&read, perform(&mut reader, &read).await, 0) {
        assert!(!reader.at_eof(), "the failure was forgotten");
    }
    for op in [read, Op::Exact(1), Op::Until(0), Op::Line, Op::Read(20_000)] {
        let given = perform(&mut reader, &op).await;
        assert!(rest.check(&op, given, 0), "the failure was forgotten");
    }
}

async fn send_all(peer: TcpStream, case: &Case) {
    for piece in &case.pieces {
        if peer.write_all(piece).await.is_err() {
            return; // the reader failed, and was dropped
        }
        yield_now().await;
    }
}

fn play(case: &Case) {
    crate::event_loop::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (reader, _writer) = open_connection(addr).await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let _entered = plan(case).enter();
        let both = gather_tuple((read_all(reader, case), send_all(peer, case)));
        timeout(Duration::from_secs(20), both)
            .await
            .expect("it hangs");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..<_>::default() })]
    #[test]
    fn a_reader_loses_nothing_whatever_comes_and_whatever_fails(case in cases()) {
        play(&case);
    }
}
