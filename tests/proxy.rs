//! The example `proxy`, from its listening socket to its target.

mod common;

#[path = "../examples/proxy.rs"]
#[allow(
    dead_code,
    reason = "its main() reads the arguments of another program"
)]
mod example;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::Duration;

use common::{poll_once, succeeds_alone, within_io, yield_until};
use example::Options;
use petla::net::{TcpListener, TcpStream};
use petla::streams::Server;

/// The target's listener, and a proxy to it.
async fn proxy(change: impl FnOnce(&mut Options)) -> io::Result<(TcpListener, Server)> {
    let target = TcpListener::bind("127.0.0.1:0").await?;
    let mut options = Options::new("127.0.0.1:0", &target.local_addr()?.to_string());
    change(&mut options);
    Ok((target, example::start(options).await?))
}

/// A client, and what it has reached behind the proxy.
async fn through(target: &TcpListener, proxy: &Server) -> io::Result<(TcpStream, TcpStream)> {
    let client = TcpStream::connect(proxy.local_addr()?).await?;
    let (server, _) = target.accept().await?;
    Ok((client, server))
}

async fn ended(peer: &TcpStream) -> io::Result<bool> {
    Ok(peer.read(&mut [0]).await? == 0)
}

#[test]
fn many_clients_speak_with_the_target_and_both_ends_are_passed_on() {
    within_io(async {
        let (target, proxy) = proxy(|_| {}).await?;
        let echo = petla::spawn(async move {
            while let Ok((server, _)) = target.accept().await {
                let echo = async move {
                    let mut buf = [0; 100];
                    while let n @ 1.. = server.read(&mut buf).await? {
                        server.write_all(&buf[..n]).await?;
                    }
                    io::Result::Ok(())
                };
                petla::spawn(echo).detach();
            }
        });
        let address = proxy.local_addr()?;
        let clients = (0..100_u8).map(async |number| {
            let client = TcpStream::connect(address).await?;
            let mut buf = [0; 3];
            for _ in 0..10 {
                client.write_all(&[number; 3]).await?;
                client.read_exact(&mut buf).await?;
                assert_eq!(buf, [number; 3]);
            }
            client.shutdown(Shutdown::Write)?;
            assert!(ended(&client).await?);
            io::Result::Ok(())
        });
        petla::try_gather(clients).await?;
        yield_until(|| proxy.connections() == 0).await;
        echo.cancel("enough");
        Ok(())
    });
}

#[test]
fn what_goes_wrong_at_one_side_is_a_reset_at_the_other() {
    within_io(async {
        let (target, proxy) = proxy(|_| {}).await?;
        for client_fails in [true, false] {
            let (client, server) = through(&target, &proxy).await?;
            let (fails, other) = match client_fails {
                true => (client, server),
                false => (server, client),
            };
            fails.write_all(b"half of").await?;
            other.read_exact(&mut [0; 7]).await?;
            fails.set_linger(Some(Duration::ZERO))?;
            drop(fails);
            let error = ended(&other).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        yield_until(|| proxy.connections() == 0).await;
        Ok(())
    });
}

#[test]
fn a_target_that_refuses_resets_the_client_and_the_proxy_lives_on() {
    within_io(async {
        // No listener, and no port that the system hands out can be this one.
        let proxy = example::start(Options::new("127.0.0.1:0", "127.0.0.1:1")).await?;
        for _ in 0..2 {
            let client = TcpStream::connect(proxy.local_addr()?).await?;
            let error = ended(&client).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert!(proxy.is_serving());
        Ok(())
    });
}

#[test]
fn a_connection_on_which_nothing_moves_is_given_up() {
    let given_up = petla::testing::run(async {
        let idle = Duration::from_secs(60);
        let (target, proxy) = proxy(|options| options.idle = idle).await?;
        let (client, server) = through(&target, &proxy).await?;
        let begin = petla::now();
        for _ in 0..5 {
            petla::sleep(idle - Duration::from_secs(1)).await;
            client.write_all(b"still here").await?;
            server.read_exact(&mut [0; 10]).await?;
        }
        let moved = petla::now();
        for peer in [&client, &server] {
            let error = ended(peer).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert!(moved - begin > 4 * idle);
        let idled = petla::now() - moved;
        assert!(idle <= idled && idled <= 2 * idle, "{idled:?}");
        io::Result::Ok(())
    });
    given_up.unwrap();
}

#[test]
fn more_clients_than_the_limit_wait() {
    within_io(async {
        let (target, proxy) = proxy(|options| options.limit = 1).await?;
        let (first, _server) = through(&target, &proxy).await?;
        let second = TcpStream::connect(proxy.local_addr()?).await?;
        second.write_all(b"my turn").await?;
        let mut accept = target.accept();
        for _ in 0..200 {
            assert!(poll_once(&mut accept).is_pending());
            petla::yield_now().await;
        }
        drop((first, _server));
        let (server, _) = accept.await?;
        server.read_exact(&mut [0; 7]).await
    });
}

#[test]
fn no_descriptor_is_left_however_connections_end() {
    succeeds_alone(|| {
        within_io(async {
            let open = || Ok::<_, io::Error>(fs::read_dir("/proc/self/fd")?.count());
            let (target, proxy) = proxy(|_| {}).await?;
            let mut before = None;
            for round in 0..60 {
                let (client, server) = through(&target, &proxy).await?;
                client.write_all(&vec![1; 300_000]).await?;
                match round % 4 {
                    0 => client.set_linger(Some(Duration::ZERO))?,
                    1 => server.set_linger(Some(Duration::ZERO))?,
                    2 => drop(server.read(&mut [0; 10]).await?),
                    _ => proxy.abort_clients(),
                }
                drop((client, server));
                yield_until(|| proxy.connections() == 0).await;
                if round == 3 {
                    before = Some(open()?);
                }
            }
            assert_eq!(Some(open()?), before);
            Ok(())
        });
    });
}
