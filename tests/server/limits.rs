//! The limit of open connections: what is above it waits in the backlog and is not lost.

use std::cell::Cell;
use std::rc::Rc;

use petla::net::TcpStream;
use petla::streams::{StreamReader, StreamWriter, start_server};

use super::{LOCAL, client, echo, read_all, served};
use crate::common::{within_io, yield_until};

/// Runs until nothing more can come by itself.
async fn settle() {
    for _ in 0..300 {
        petla::yield_now().await;
    }
}

#[test]
fn never_more_than_the_limit_are_open_and_all_are_served() {
    within_io(async {
        for limit in [1, 7] {
            let (open, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let peak = Rc::clone(&most);
            let handler = async move |mut reader: StreamReader, mut writer: StreamWriter| {
                open.set(open.get() + 1);
                peak.set(peak.get().max(open.get()));
                let line = reader.read_line().await?.unwrap_or("").to_owned();
                petla::yield_now().await;
                writer.write(line.as_bytes());
                let sent = writer.wait_closed().await;
                open.set(open.get() - 1);
                sent
            };
            let server = start_server(LOCAL, handler).limit(limit).await?;
            let address = server.local_addr()?;
            let clients = (0..200).map(|number| async move {
                let client = TcpStream::connect(address).await?;
                client.write_all(format!("{number}\n").as_bytes()).await?;
                let answer = read_all(&client).await?;
                assert_eq!(answer, number.to_string().as_bytes());
                std::io::Result::Ok(())
            });
            petla::try_gather(clients).await?;
            assert!((1..=limit).contains(&most.get()), "{}", most.get());
            assert_eq!(server.shutdown(None).await, 0);
        }
        Ok(())
    });
}

#[test]
fn at_the_limit_nobody_is_accepted_until_one_goes() {
    within_io(async {
        let server = start_server(LOCAL, echo).limit(2).await?;
        let first = served(&server).await?;
        let _second = served(&server).await?;
        let third = client(&server).await?;
        third.write_all(b"x").await?;
        settle().await;
        assert_eq!(server.connections(), 2);
        drop(first);
        third.read_exact(&mut [0]).await?;
        assert_eq!(server.connections(), 2);
        Ok(())
    });
}

#[test]
fn a_connection_counts_until_its_rest_is_sent() {
    within_io(async {
        let handler = async |_: StreamReader, mut writer: StreamWriter| {
            writer.write(&vec![1; super::MUCH]);
            Ok(()) // and the rest goes by itself
        };
        let server = start_server(LOCAL, handler).limit(1).await?;
        let first = client(&server).await?;
        yield_until(|| server.connections() == 1).await;
        let second = client(&server).await?;
        settle().await;
        assert_eq!(server.connections(), 1);
        assert_eq!(read_all(&first).await?.len(), super::MUCH);
        assert_eq!(read_all(&second).await?.len(), super::MUCH);
        server.close();
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn a_writer_that_left_its_handler_counts() {
    within_io(async {
        let kept = Rc::new(Cell::new(None));
        let place = Rc::clone(&kept);
        let handler = async move |_: StreamReader, writer: StreamWriter| {
            place.set(Some(writer));
            Ok(())
        };
        let server = start_server(LOCAL, handler).await?;
        let peer = client(&server).await?;
        let writer = loop {
            match kept.take() {
                Some(writer) => break writer,
                None => petla::yield_now().await,
            }
        };
        settle().await;
        assert_eq!(server.connections(), 1);
        drop(writer);
        assert_eq!(server.connections(), 0);
        assert_eq!(read_all(&peer).await?, b"");
        Ok(())
    });
}

#[test]
fn a_flood_of_connections_is_taken_in_portions() {
    within_io(async {
        let server = start_server(LOCAL, echo).await?;
        let mut clients = Vec::new();
        for _ in 0..200 {
            // By the standard library: the loop stands still meanwhile.
            clients.push(std::net::TcpStream::connect(server.local_addr()?)?);
        }
        assert_eq!(server.connections(), 0);
        let mut portions = Vec::new();
        while server.connections() < 200 {
            let before = server.connections();
            petla::yield_now().await;
            portions.push(server.connections() - before);
        }
        assert!(
            portions.iter().all(|portion| *portion <= 16),
            "{portions:?}"
        );
        Ok(())
    });
}

#[test]
fn a_server_that_is_full_can_be_closed() {
    within_io(async {
        let server = start_server(LOCAL, echo).limit(1).await?;
        let first = served(&server).await?;
        let waiting = client(&server).await?;
        settle().await;
        server.close();
        assert!(read_all(&waiting).await.is_err(), "the system resets it");
        drop(first);
        server.wait_closed().await;
        Ok(())
    });
}
