//! Random programs of peers and servers: whatever is done in whatever order, an echo is a prefix of
//! what was sent, nobody is left, and nothing is reported but what handlers failed with.

use std::io;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use petla::net::TcpStream;
use petla::streams::{Server, start_server};
use petla::{EventLoop, TaskRef, all_tasks, timeout};

use super::{LOCAL, client, echo};
use crate::common::{LONG, collect_reports, poll_once, yield_until};

/// The most that a peer sends at once.
const MOST: usize = 200_000;

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// One client, and how much of its pattern it has sent and got back.
struct Peer {
    stream: TcpStream,
    sent: usize,
    got: usize,
}

/// What every peer sends, from its byte `from` on.
fn pattern(from: usize, length: usize) -> &'static [u8] {
    static ROUNDS: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..MOST + 251).map(|i| (i % 251) as u8).collect());
    &ROUNDS[from % 251..][..length]
}

impl Peer {
    /// Sends what the socket takes at once.
    fn send(&mut self, length: usize) {
        if let Poll::Ready(Ok(n)) = poll_once(&mut self.stream.write(pattern(self.sent, length))) {
            self.sent += n;
        }
    }

    /// Takes what has come.
    fn receive(&mut self) {
        let mut buf = [0; 5_000];
        let read = poll_once(&mut self.stream.read(&mut buf));
        if let Poll::Ready(Ok(n)) = read {
            assert_eq!(&buf[..n], pattern(self.got, n), "an echo of what was sent");
            self.got += n;
        }
        assert!(self.got <= self.sent);
    }
}

/// One step.
fn step(dice: &mut Dice, peers: &mut Vec<Peer>, server: &Server, own: &[TaskRef]) {
    let chosen = dice.below(peers.len().max(1));
    match dice.below(20) {
        0 => server.close_clients(),
        1 => server.abort_clients(),
        2 => {
            let tasks = all_tasks();
            let handlers: Vec<_> = tasks.iter().filter(|task| !own.contains(task)).collect();
            if !handlers.is_empty() {
                handlers[dice.below(handlers.len())].cancel("by the dice");
            }
        }
        3 if !peers.is_empty() => drop(peers.swap_remove(chosen)),
        4 if !peers.is_empty() => {
            let peer = peers.swap_remove(chosen);
            peer.stream.set_linger(Some(Duration::ZERO)).unwrap();
        }
        5 if !peers.is_empty() => {
            let _ = peers[chosen].stream.shutdown(std::net::Shutdown::Write);
        }
        6..=12 if !peers.is_empty() => {
            let most = [10, 5_000, MOST][dice.below(3)];
            peers[chosen].send(1 + dice.below(most));
        }
        _ if !peers.is_empty() => peers[chosen].receive(),
        _ => {}
    }
}

async fn program(seed: u64) -> io::Result<()> {
    let mut dice = Dice(seed);
    let reports = collect_reports();
    let limit = 1 + dice.below(6);
    let server = start_server(LOCAL, echo).limit(limit).await?;
    let own = all_tasks();
    let mut peers = Vec::new();
    for _ in 0..120 {
        if peers.len() < 8 && dice.below(4) == 0 {
            let stream = client(&server).await?;
            peers.push(Peer {
                stream,
                sent: 0,
                got: 0,
            });
        }
        step(&mut dice, &mut peers, &server, &own);
        for _ in 0..dice.below(4) {
            petla::yield_now().await;
        }
        assert!(server.connections() <= limit, "seed {seed}");
    }
    match dice.below(3) {
        0 => {
            server.close();
            drop(peers);
            server.wait_closed().await;
        }
        1 => {
            server.shutdown(Duration::ZERO).await;
            drop(peers);
        }
        _ => drop((server, peers)),
    }
    yield_until(|| all_tasks().len() == 1).await;
    for report in reports.take() {
        let expected = ["the handler of", "could not send everything"];
        assert!(
            expected.iter().any(|text| report.contains(text)),
            "{report}"
        );
    }
    Ok(())
}

#[test]
fn whatever_is_done_nothing_is_mixed_up_and_nobody_is_left() {
    for seed in 0..200 {
        // The dice throw the order of the tasks as well.
        let event_loop = EventLoop::builder().seed(seed).build().unwrap();
        let program = timeout(LONG, program(seed));
        let ended = event_loop.run_until_complete(program).unwrap();
        ended.expect("it hangs").unwrap();
        event_loop.close().unwrap();
    }
}
