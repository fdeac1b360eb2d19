//! Where a server listens, and that each connection gets a handler of its own.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::mpsc;

use petla::all_tasks;
use petla::net::{TcpListener, TcpStream};
use petla::streams::{Server, StreamReader, StreamWriter, serve, start_server};

use super::{LOCAL, client, echo, echo_server, read_all, served};
use crate::common::{poll_once, within, within_io, yield_until};

#[test]
fn a_thousand_clients_have_a_thousand_handlers() {
    within_io(async {
        let server = echo_server().await?;
        let mut clients = Vec::new();
        for number in 0..1_000_u32 {
            let client = client(&server).await?;
            client.write_all(&number.to_ne_bytes()).await?;
            clients.push(client);
        }
        for (number, client) in clients.iter().enumerate() {
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await?;
            assert_eq!(u32::from_ne_bytes(answer) as usize, number);
        }
        assert_eq!(server.connections(), 1_000);
        clients.clear();
        assert_eq!(server.shutdown(None).await, 0);
        Ok(())
    });
}

#[test]
fn a_handler_shares_what_its_closure_owns() {
    within_io(async {
        let peers = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&peers);
        let server = start_server(LOCAL, async move |_reader, mut writer| {
            seen.borrow_mut().push(writer.peer_addr()?);
            let count = seen.borrow().len();
            writer.write(count.to_string().as_bytes());
            writer.wait_closed().await
        });
        let server = server.await?;
        for number in ["1", "2", "3"] {
            let client = client(&server).await?;
            assert_eq!(read_all(&client).await?, number.as_bytes());
            assert_eq!(peers.borrow().last(), Some(&client.local_addr()?));
        }
        server.shutdown(None).await;
        yield_until(|| Rc::strong_count(&peers) == 1).await; // the handler is dropped
        Ok(())
    });
}

#[test]
fn small_answers_do_not_wait_for_the_answer_to_the_last() {
    within_io(async {
        let handler = async |reader: StreamReader, writer: StreamWriter| {
            let (stream, _) = TcpStream::from_streams(reader, writer).unwrap();
            stream.write_all(&[stream.nodelay()?.into()]).await
        };
        let started = start_server(LOCAL, handler).await?;
        let bound = serve(TcpListener::bind(LOCAL).await?, handler).await?;
        for server in [started, bound] {
            assert_eq!(read_all(&client(&server).await?).await?, [1]);
        }
        Ok(())
    });
}

#[test]
fn a_name_with_two_addresses_has_one_server_on_both() {
    within_io(async {
        let server = start_server("localhost:0", echo).await?;
        let addrs = server.local_addrs();
        assert_eq!(addrs[0], server.local_addr()?);
        for addr in &addrs {
            assert_eq!(addr.port(), addrs[0].port());
            let client = TcpStream::connect(addr).await?;
            client.write_all(b"x").await?;
            client.read_exact(&mut [0]).await?;
        }
        assert_eq!(server.connections(), addrs.len());
        server.close();
        for addr in addrs {
            let refused = TcpStream::connect(addr).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
        Ok(())
    });
}

#[test]
fn both_families_may_be_served_on_one_port() {
    within_io(async {
        // Each without its address, which on its own would take the clients of both. Where there is
        // no IPv6 it is passed over.
        let any: [SocketAddr; 2] = ["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()];
        let server = start_server(&any[..], echo).await?;
        let port = server.local_addr()?.port();
        for addr in server.local_addrs() {
            assert_eq!(addr.port(), port);
        }
        let client = TcpStream::connect(("127.0.0.1", port)).await?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        Ok(())
    });
}

#[test]
fn of_several_addresses_those_that_are_not_here_are_passed_over() {
    within_io(async {
        let absent: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let local: SocketAddr = LOCAL.parse().unwrap();
        let server = start_server(&[absent, local, local][..], echo).await?;
        assert_eq!(server.local_addrs().len(), 1, "and doubles are one");
        let port = server.local_addr()?.port();
        let apart = [SocketAddr::from(([127, 0, 0, 2], port)), local];
        let apart = start_server(&apart[..], echo).await?.local_addrs();
        assert_ne!(
            apart[1].port(),
            port,
            "a port that was asked for is one address's"
        );
        let error = start_server(&[absent][..], echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains("192.0.2.1:0"), "{error}");
        Ok(())
    });
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    within_io(async {
        let server = echo_server().await?;
        let addr = server.local_addr()?;
        let error = start_server(addr, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let text = format!("cannot listen on {addr}: ");
        assert!(error.to_string().starts_with(&text), "{error}");

        // One of two is taken: then nothing listens on the other.
        let free: SocketAddr = "127.0.0.2:0".parse().unwrap();
        let free = SocketAddr::new(free.ip(), addr.port());
        let error = start_server(&[free, addr][..], echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(TcpStream::connect(free).await.is_err());
        Ok(())
    });
}

#[test]
fn one_port_may_have_several_servers_if_each_asks_for_it() {
    within_io(async {
        let first = start_server(LOCAL, echo).reuse_port(true).await?;
        let addr = first.local_addr()?;
        let second = start_server(addr, echo).reuse_port(true).backlog(5).await?;
        assert_eq!(second.local_addr()?, addr);
        assert!(start_server(addr, echo).await.is_err());
        let mut clients = Vec::new();
        while first.connections() == 0 || second.connections() == 0 {
            clients.push(served(&first).await?);
            assert!(clients.len() < 1_000, "the system spreads them");
        }
        Ok(())
    });
}

#[test]
fn servers_of_two_loops_take_turns_on_a_shared_listener() {
    let listener = StdListener::bind(LOCAL).unwrap();
    let addr = listener.local_addr().unwrap();
    let (ready, is_ready) = mpsc::channel();
    let threads = [1_u8, 2].map(|number| {
        let (listener, ready) = (listener.try_clone().unwrap(), ready.clone());
        std::thread::spawn(move || {
            within_io(async {
                let handler = async move |_: StreamReader, mut writer: StreamWriter| {
                    writer.write(&[number]);
                    writer.wait_closed().await
                };
                let server = serve(TcpListener::from_std(listener)?, handler).await?;
                ready.send(()).unwrap();
                let served = Server::connections;
                yield_until(|| served(&server) > 0).await;
                server.shutdown(None).await;
                Ok(())
            });
        })
    });
    is_ready.recv().unwrap();
    is_ready.recv().unwrap();
    within_io(async {
        let mut seen = [false; 2];
        while seen != [true; 2] {
            let client = TcpStream::connect(addr).await?;
            let mut number = [0];
            client.read_exact(&mut number).await?;
            seen[usize::from(number[0]) - 1] = true;
        }
        Ok(())
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn one_server_may_have_several_listeners() {
    within_io(async {
        let listeners = vec![
            TcpListener::bind(LOCAL).await?,
            TcpListener::bind(LOCAL).await?,
        ];
        let server = serve(listeners, echo).limit(2).await?;
        let addrs = server.local_addrs();
        assert_ne!(addrs[0], addrs[1]);
        let mut clients = Vec::new();
        for addr in addrs {
            let client = TcpStream::connect(addr).await?;
            client.write_all(b"x").await?;
            client.read_exact(&mut [0]).await?;
            clients.push(client);
        }
        assert_eq!(server.connections(), 2);
        Ok(())
    });
}

#[test]
fn a_listener_that_has_waited_already_may_serve() {
    within_io(async {
        let listener = TcpListener::bind(LOCAL).await?;
        assert!(poll_once(&mut listener.accept()).is_pending());
        let server = serve(listener, echo).await?;
        served(&server).await?;
        Ok(())
    });
}

#[test]
fn a_closed_server_leaves_epoll_also_if_its_socket_has_duplicates() {
    within_io(async {
        let listener = StdListener::bind(LOCAL)?;
        let server = serve(TcpListener::from_std(listener.try_clone()?)?, echo).await?;
        served(&server).await?;
        server.close();
        // The next duplicate has the same number: epoll would know both already.
        let again = TcpListener::from_std(listener.try_clone()?)?;
        assert!(poll_once(&mut again.accept()).is_pending());
        let _client = TcpStream::connect(again.local_addr()?).await?;
        again.accept().await?;
        Ok(())
    });
}

#[test]
fn what_makes_no_sense_says_so() {
    within_io(async {
        let error = start_server(LOCAL, echo).limit(0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let none = Vec::<TcpListener>::new();
        let error = serve(none, echo).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = start_server("127.0.0.1", echo).await.unwrap_err();
        assert!(error.to_string().contains("no port"), "{error}");
        Ok(())
    });
    let mut start = start_server(LOCAL, echo);
    let std::task::Poll::Ready(Err(error)) = poll_once(&mut start) else {
        panic!("nobody can serve here");
    };
    assert!(error.to_string().contains("petla::run"), "{error}");
}

#[test]
fn a_start_that_is_given_up_leaves_nothing() {
    within(async {
        let tasks = all_tasks().len();
        let mut start = start_server("localhost:0", echo);
        // It looks the name up, or has found it already.
        drop(poll_once(&mut start));
        drop(start);
        yield_until(|| all_tasks().len() == tasks).await;
    });
}

#[test]
fn a_server_says_what_it_is() -> io::Result<()> {
    within(async {
        let server = echo_server().await?;
        let _client = served(&server).await?;
        let text = format!("{server:?}");
        assert!(text.contains(&server.local_addr()?.to_string()), "{text}");
        assert!(text.contains("connections: 1"), "{text}");
        let names = all_tasks();
        let accepts = |task: &petla::TaskRef| task.name() == "petla: accepts connections";
        assert_eq!(names.iter().filter(|task| accepts(task)).count(), 1);
        Ok(())
    })
}
