//! A thousand members in one process, and one that does not read.

use std::io;
use std::net::SocketAddr;

use petla::streams::{StreamReader, StreamWriter, open_connection};

use crate::common::{collect_reports, within_io, yield_until};
use crate::{any_port, chat_server};

const MEMBERS: usize = 1_000;

async fn join(address: SocketAddr, name: &str) -> io::Result<(StreamReader, StreamWriter)> {
    let (mut reader, mut writer) = open_connection(address).await?;
    assert_eq!(reader.read_line().await?, Some("your name?"));
    writer.write(name.as_bytes());
    writer.write(b"\n");
    let greeting = reader.read_line().await?.unwrap();
    assert!(greeting.ends_with(" are here"), "{greeting}");
    Ok((reader, writer))
}

#[test]
fn a_thousand_members_hear_each_other() {
    within_io(async {
        let reports = collect_reports();
        let (server, room) = chat_server::start(any_port()).await?;
        let address = server.local_addr()?;
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            members.push(join(address, &format!("m{number}")).await?);
        }
        assert_eq!(room.len(), MEMBERS);
        for speaker in [0, 500, MEMBERS - 1] {
            members[speaker].1.write(b"hello\n");
            let heard = format!("m{speaker}: hello");
            for (number, (reader, _)) in members.iter_mut().enumerate() {
                if number != speaker {
                    assert_eq!(reader.read_line().await?, Some(&heard[..]));
                }
            }
        }
        members.truncate(MEMBERS / 2);
        yield_until(|| room.len() == MEMBERS / 2).await;
        members[0].1.write(b"who is left?\n");
        for (reader, _) in &mut members[1..] {
            assert_eq!(reader.read_line().await?, Some("m0: who is left?"));
        }
        drop(members);
        assert_eq!(server.shutdown(None).await, 0);
        assert_eq!((room.len(), reports.len()), (0, 0));
        Ok(())
    });
}

#[test]
fn who_does_not_read_is_dropped_and_holds_nobody_up() {
    within_io(async {
        let reports = collect_reports();
        let (server, room) = chat_server::start(any_port()).await?;
        let address = server.local_addr()?;
        let (mut slow, _kept) = join(address, "slow").await?;
        let (mut ear, _mouth) = join(address, "ear").await?;
        let (_reader, mut speaker) = join(address, "speaker").await?;
        let line = "x".repeat(990);
        let (mut said, mut heard) = (0, 0);
        while room.len() == 3 {
            for _ in 0..50 {
                speaker.write(line.as_bytes());
                speaker.write(b"\n");
                said += 1;
            }
            speaker.drain().await?;
            while heard < said {
                assert!(ear.read_line().await?.unwrap().ends_with(&line));
                heard += 1;
            }
            assert!(said < 100_000, "it is never dropped");
        }
        speaker.write(b"still here\n");
        while ear.read_line().await?.unwrap() != "speaker: still here" {}
        // What the system held for it may come, then the reset.
        while slow.read_line().await.is_ok() {}
        assert_eq!((room.len(), server.connections()), (2, 2));
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn a_line_without_end_ends_its_member_alone() {
    within_io(async {
        let reports = collect_reports();
        let (server, room) = chat_server::start(any_port()).await?;
        let address = server.local_addr()?;
        let (mut ear, _mouth) = join(address, "ear").await?;
        let (mut reader, mut endless) = join(address, "endless").await?;
        endless.write(&[b'x'; 5_000]);
        while let Ok(Some(_)) = reader.read_line().await {}
        yield_until(|| room.len() == 1).await;
        let report = reports.only();
        assert!(
            report.contains("longer than the reader's limit"),
            "{report}"
        );
        let (_reader, mut writer) = join(address, "other").await?;
        writer.write(b"hello\n");
        assert_eq!(ear.read_line().await?, Some("other: hello"));
        Ok(())
    });
}
