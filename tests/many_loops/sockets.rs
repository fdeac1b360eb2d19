//! Sockets, work and values that pass from one loop to another.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use petla::event_loop::{Worker, Workers};
use petla::net::{TcpListener, TcpStream, UnixStream};
use petla::sync::{CancelToken, Event, Receiver, Sender, channel};
use petla::{LoopHandle, spawn, timeout};

use crate::common::{LONG, poll_once, within, within_io};

const CLIENTS: usize = 60;

/// Sends back one byte, plus one.
async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut byte = [0];
    stream.read_exact(&mut byte).await?;
    stream.write_all(&[byte[0] + 1]).await
}

/// One client after the other, each with a byte to send.
async fn clients(address: std::net::SocketAddr) -> io::Result<()> {
    for n in 0..CLIENTS {
        let stream = TcpStream::connect(address).await?;
        petla::yield_now().await; // the server may have to wait for the byte
        stream.write_all(&[n as u8]).await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        assert_eq!(usize::from(byte[0]), n + 1);
    }
    Ok(())
}

/// `count` listeners that share one port.
async fn listeners(count: usize) -> io::Result<Vec<TcpListener>> {
    let first = TcpListener::bind("127.0.0.1:0").reuse_port(true).await?;
    let address = first.local_addr()?;
    let mut all = vec![first];
    while all.len() < count {
        all.push(TcpListener::bind(address).reuse_port(true).await?);
    }
    Ok(all)
}

#[test]
fn loops_that_share_a_port_all_get_connections_and_none_is_lost() {
    let listeners = within(listeners(3)).unwrap();
    let address = listeners[0].local_addr().unwrap();
    let served = [(); 3].map(|()| AtomicUsize::new(0));
    let token = CancelToken::new();
    let load = std::thread::spawn({
        let token = token.clone();
        move || {
            let done = within(clients(address));
            token.cancel("all were served");
            done
        }
    });
    let outcomes = Workers::new(3).token(&token).run(async |worker: Worker| {
        let (listener, served) = (&listeners[worker.index()], &served[worker.index()]);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream).await.unwrap();
            served.fetch_add(1, Ordering::Relaxed);
        }
    });
    load.join().unwrap().unwrap();
    for outcome in outcomes.unwrap() {
        assert_eq!(outcome.unwrap_err().reason(), Some("all were served"));
    }
    let served = served.map(AtomicUsize::into_inner);
    assert_eq!(served.iter().sum::<usize>(), CLIENTS);
    assert!(served.iter().all(|&served| served > 0), "{served:?}");
}

#[test]
fn sockets_accepted_on_one_loop_are_served_on_others() {
    let listener = within(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel(2);
    let sender = std::sync::Mutex::new(Some(sender));
    let outcomes = Workers::new(4).run(async |worker| match worker.index() {
        0 => {
            // Taken out, so that the channel is closed when this worker ends.
            let sender: Sender<TcpStream> = sender.lock().unwrap().take().unwrap();
            for _ in 0..CLIENTS {
                let (stream, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
                sender.put(stream).await.unwrap();
            }
            0
        }
        1 => {
            timeout(LONG, clients(address)).await.unwrap().unwrap();
            0
        }
        _ => {
            let receiver: Receiver<TcpStream> = receiver.clone();
            let mut served = 0;
            while let Ok(stream) = receiver.get().await {
                serve(stream).await.unwrap();
                served += 1;
            }
            served
        }
    });
    let served: usize = outcomes.unwrap().into_iter().map(Result::unwrap).sum();
    assert_eq!(served, CLIENTS);
}

#[test]
fn sockets_that_wait_in_a_channel_nobody_reads_are_closed_with_it() {
    within_io(async {
        let (sender, receiver) = channel(2);
        let (near, far) = UnixStream::pair()?;
        sender.put(near).await.unwrap();
        std::thread::spawn(move || drop((sender, receiver)))
            .join()
            .unwrap();
        assert_eq!(far.read(&mut [0; 8]).await?, 0);
        Ok(())
    });
}

/// Registers the near socket with the loop that runs here.
fn register(stream: &UnixStream) {
    assert!(matches!(
        poll_once(&mut stream.read(&mut [0; 8])),
        Poll::Pending
    ));
}

#[test]
fn a_socket_that_waited_on_one_loop_is_refused_on_another_and_says_how_to_move_it() {
    within_io(async {
        let (near, _far) = UnixStream::pair()?;
        register(&near);
        let error = std::thread::spawn(move || {
            petla::run(async move { near.read(&mut [0; 8]).await.unwrap_err() })
        });
        let error = error.join().unwrap().to_string();
        assert!(error.contains("from_std(socket.into_std())"), "{error}");
        Ok(())
    });
}

#[test]
fn a_socket_that_waited_moves_by_way_of_std_taken_apart_on_either_side() {
    for at_home in [true, false] {
        within_io(async {
            let (near, far) = UnixStream::pair()?;
            register(&near);
            let moved: Box<dyn FnOnce() -> UnixStream + Send> = if at_home {
                let std = near.into_std();
                Box::new(|| UnixStream::from_std(std).unwrap())
            } else {
                Box::new(|| UnixStream::from_std(near.into_std()).unwrap())
            };
            let waits = Arc::new(Event::new());
            let waiting = waits.clone();
            let there = std::thread::spawn(move || {
                within(async move {
                    let stream = moved();
                    register(&stream);
                    waiting.set();
                    let mut buf = [0; 8];
                    let n = stream.read(&mut buf).await.unwrap();
                    stream.write_all(&buf[..n]).await.unwrap();
                });
            });
            waits.wait().await;
            far.write_all(b"moved").await?;
            let mut buf = [0; 5];
            far.read_exact(&mut buf).await?;
            assert_eq!(&buf, b"moved");
            there.join().unwrap();
            Ok(())
        });
    }
}

#[test]
fn work_goes_to_another_loop_and_its_results_come_back_in_any_order() {
    let outcomes = Workers::new(2).run(async |worker| {
        if worker.index() == 1 {
            return pending().await; // it works for the other one
        }
        let there = &worker.loops()[1];
        let tasks: Vec<_> = (1..=100)
            .map(|n| there.spawn(async move || spawn(async move { n * n }).await.unwrap()))
            .collect();
        let mut sum = 0;
        for task in tasks.into_iter().rev() {
            sum += task.await.unwrap();
        }
        worker.token().cancel("enough");
        sum
    });
    let outcomes = outcomes.unwrap();
    assert_eq!(*outcomes[0].as_ref().unwrap(), 338_350);
}

#[test]
fn work_for_a_loop_that_has_ended_is_cancelled_and_its_socket_closed() {
    within_io(async {
        let gone = std::thread::spawn(|| petla::run(async { LoopHandle::current() }));
        let gone = gone.join().unwrap();
        let (near, far) = UnixStream::pair()?;
        let task = gone.spawn(async move || near.write_all(b"never").await.is_ok());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(far.read(&mut [0; 8]).await?, 0);
        Ok(())
    });
}
