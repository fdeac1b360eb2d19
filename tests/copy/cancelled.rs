//! A copy that is given up at any point loses nothing: random programs of both peers.

use std::io;
use std::net::Shutdown;
use std::task::Poll;

use petla::net::TcpStream;
use petla::streams::{StreamReader, copy, copy_bidirectional};
use proptest::prelude::*;

use super::{look, noise, two};
use crate::common::{poll_once, within_io};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many bytes leave a peer, if its socket takes them: the source's, or the other's.
    Send(bool, usize),
    /// A peer reads so many, if they are there.
    Receive(bool, usize),
    Poll,
    Look,
    /// The copy is dropped, and another one begins.
    Renew,
    /// The same, and between them the readers look for what does not come.
    Search,
}

/// Small pieces, and such as no socket takes at once.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = || prop_oneof![1..100_usize, 10_000..40_000_usize, 200_000..3_000_000_usize];
    let step = prop_oneof![
        3 => (any::<bool>(), size()).prop_map(|(source, n)| Step::Send(source, n)),
        3 => (any::<bool>(), size()).prop_map(|(source, n)| Step::Receive(source, n)),
        4 => Just(Step::Poll),
        2 => Just(Step::Look),
        1 => Just(Step::Renew),
        1 => Just(Step::Search),
    ];
    prop::collection::vec(step, 1..60)
}

/// A peer that is read and written without waiting.
struct End {
    peer: TcpStream,
    data: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
}

impl End {
    fn new(peer: TcpStream) -> End {
        let (data, received) = (noise(8 << 20), Vec::new());
        End {
            peer,
            data,
            sent: 0,
            received,
        }
    }

    fn send(&mut self, most: usize) -> io::Result<()> {
        let rest = &self.data[self.sent..];
        let piece = &rest[..most.min(rest.len())];
        if let Poll::Ready(n) = poll_once(&mut self.peer.write(piece)) {
            self.sent += n?;
        }
        Ok(())
    }

    /// False at the end.
    fn receive(&mut self, most: usize) -> io::Result<bool> {
        let mut buf = vec![0; most];
        let Poll::Ready(n) = poll_once(&mut self.peer.read(&mut buf)) else {
            return Ok(true);
        };
        let n = n?;
        self.received.extend_from_slice(&buf[..n]);
        Ok(n > 0)
    }

    async fn receive_all(&mut self) -> io::Result<()> {
        while self.receive(1 << 20)? {
            petla::yield_now().await;
        }
        Ok(())
    }

    /// Has it received what `other` sent, and nothing else?
    fn has_all_of(&self, other: &End) -> bool {
        self.received == other.data[..other.sent]
    }
}

/// Runs the steps up to one that ends the copy; gives that one.
async fn run<R>(
    steps: &mut impl Iterator<Item = Step>,
    mut copying: impl Future<Output = io::Result<R>> + Unpin,
    source: &mut End,
    other: &mut End,
) -> io::Result<Option<Step>> {
    for step in steps {
        match step {
            Step::Send(true, n) => source.send(n)?,
            Step::Send(false, n) => other.send(n)?,
            Step::Receive(true, n) => drop(source.receive(n)?),
            Step::Receive(false, n) => drop(other.receive(n)?),
            Step::Poll => assert!(poll_once(&mut copying).is_pending()),
            Step::Look => look().await,
            Step::Renew | Step::Search => return Ok(Some(step)),
        }
    }
    Ok(None)
}

/// Fills the reader's buffer and takes nothing out.
fn search(reader: &mut StreamReader) {
    reader.set_limit(1 << 20);
    drop(poll_once(&mut reader.read_until(&[7; 16])));
}

async fn one_way(steps: Vec<Step>) -> io::Result<()> {
    let (mut source, mut sink) = two().await?;
    let (mut from, mut to) = (End::new(source.peer), End::new(sink.peer));
    let mut steps = steps.into_iter().map(|step| match step {
        Step::Send(_, n) => Step::Send(true, n),
        Step::Receive(_, n) => Step::Receive(false, n),
        step => step,
    });
    loop {
        let copying = copy(&mut source.reader, &mut sink.writer);
        match run(&mut steps, copying, &mut from, &mut to).await? {
            Some(Step::Search) => search(&mut source.reader),
            Some(_) => {}
            None => break,
        }
    }
    from.peer.shutdown(Shutdown::Write)?;
    let end = async {
        copy(&mut source.reader, &mut sink.writer).await?;
        sink.writer.write_eof();
        Ok(())
    };
    petla::try_gather!(end, to.receive_all()).await?;
    assert!(to.has_all_of(&from));
    Ok(())
}

async fn both_ways(steps: Vec<Step>) -> io::Result<()> {
    let (mut left, mut right) = two().await?;
    let (mut from, mut to) = (End::new(left.peer), End::new(right.peer));
    let mut steps = steps.into_iter();
    loop {
        let first = (&mut left.reader, &mut left.writer);
        let both = copy_bidirectional(first, (&mut right.reader, &mut right.writer));
        match run(&mut steps, both, &mut from, &mut to).await? {
            Some(Step::Search) => {
                search(&mut left.reader);
                search(&mut right.reader);
            }
            Some(_) => {}
            None => break,
        }
    }
    for end in [&from, &to] {
        end.peer.shutdown(Shutdown::Write)?;
    }
    let first = (&mut left.reader, &mut left.writer);
    let both = copy_bidirectional(first, (&mut right.reader, &mut right.writer));
    petla::try_gather!(both, from.receive_all(), to.receive_all()).await?;
    assert!(to.has_all_of(&from) && from.has_all_of(&to));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_copy_that_is_given_up_loses_nothing(steps in steps()) {
        within_io(one_way(steps));
    }

    #[test]
    fn copies_of_both_directions_that_are_given_up_lose_nothing(steps in steps()) {
        within_io(both_ways(steps));
    }
}
