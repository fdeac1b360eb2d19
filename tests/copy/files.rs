//! From a file into a connection, and what may become of the file meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};

use petla::net::UnixStream;

use super::{LARGE, MUCH, Side, connected, noise, read_all, reset};
use crate::common::{poll_once, succeeds_alone, within_io};

/// A file of this test alone, which has no name any more.
fn file_of(name: &str, data: &[u8]) -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("petla-{}-{name}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    file.write_all(data)?;
    Ok(file)
}

#[test]
fn parts_of_all_sizes_arrive_behind_what_was_written() {
    within_io(async {
        let data = noise(3 * LARGE);
        let file = file_of("parts", &data)?;
        for length in [0, 1, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE] {
            for offset in [0, 1, LARGE - 1] {
                let Side {
                    mut writer, peer, ..
                } = connected().await?;
                let all = petla::spawn(async move { read_all(&peer).await });
                writer.write(b"head");
                writer
                    .send_file(&file, offset as u64, length as u64)
                    .await?;
                assert_eq!(writer.unsent(), 0);
                writer.write(b"tail");
                writer.wait_closed().await?;
                let part = &data[offset..offset + length];
                assert!(all.await?? == [b"head", part, b"tail"].concat());
            }
        }
        Ok(())
    });
}

#[test]
fn a_file_goes_into_unix_sockets_and_pipes_as_well() {
    within_io(async {
        let data = noise(MUCH);
        let file = file_of("others", &data)?;
        let (left, right) = UnixStream::pair()?;
        let (_reader, unix) = left.into_streams();
        let (mut unix_end, _writer) = right.into_streams();
        let (out, into) = petla::io::pipe()?;
        let mut pipe_end = out.into_stream();
        for (mut writer, reader) in [(unix, &mut unix_end), (into.into_stream(), &mut pipe_end)] {
            let send = async {
                writer.send_file(&file, 0, MUCH as u64).await?;
                writer.wait_closed().await
            };
            let receive = async {
                let mut all = vec![0; MUCH];
                reader.read_exact(&mut all).await?;
                assert!(all == data);
                assert_eq!(reader.read(&mut [0]).await?, 0);
                Ok(())
            };
            petla::try_gather!(send, receive).await?;
        }
        Ok(())
    });
}

#[test]
fn what_is_unsent_goes_first() {
    within_io(async {
        let data = noise(LARGE);
        let file = file_of("first", &data)?;
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        let before = noise(MUCH);
        writer.write(&before);
        assert!(writer.unsent() > 0);
        let all = petla::spawn(async move { read_all(&peer).await });
        let mut sending = writer.send_file(&file, 0, LARGE as u64);
        assert!(poll_once(&mut sending).is_pending());
        assert_eq!(sending.sent(), 0);
        (&mut sending).await?;
        assert_eq!(sending.sent(), LARGE as u64);
        drop(sending);
        drop(writer);
        assert!(all.await?? == [before, data].concat());
        Ok(())
    });
}

#[test]
fn a_file_that_is_too_short_says_how_much_there_was() {
    within_io(async {
        let file = file_of("short", b"0123456789")?;
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        let mut sending = writer.send_file(&file, 4, 100);
        let error = (&mut sending).await.unwrap_err();
        assert_eq!(
            (error.kind(), sending.sent()),
            (ErrorKind::UnexpectedEof, 6)
        );
        assert!(error.to_string().contains("6 of 100 bytes"), "{error}");
        drop(sending);
        let error = writer.send_file(&file, 11, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        writer.wait_closed().await?;
        assert_eq!(read_all(&peer).await?, b"456789");
        Ok(())
    });
}

#[test]
fn a_file_that_is_cut_short_meanwhile_says_how_much_was_sent() {
    within_io(async {
        let data = noise(MUCH);
        let file = file_of("cut", &data)?;
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        let mut sending = writer.send_file(&file, 0, MUCH as u64);
        let mut before = 1;
        while sending.sent() != before {
            before = sending.sent();
            assert!(poll_once(&mut sending).is_pending());
            petla::yield_now().await;
        }
        file.set_len(1)?;
        let all = petla::spawn(async move { read_all(&peer).await });
        let error = (&mut sending).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let sent = sending.sent() as usize;
        assert!(LARGE < sent && sent < MUCH);
        drop(sending);
        writer.wait_closed().await?;
        assert_eq!(all.await??.len(), sent);
        Ok(())
    });
}

#[test]
fn one_that_is_given_up_goes_on_where_it_was() {
    within_io(async {
        let data = noise(MUCH);
        let file = file_of("place", &data)?;
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        let all = petla::spawn(async move { read_all(&peer).await });
        let mut place = 0;
        while place < MUCH as u64 {
            let mut sending = writer.send_file(&file, place, MUCH as u64 - place);
            drop(poll_once(&mut sending));
            place += sending.sent();
            petla::yield_now().await;
        }
        writer.wait_closed().await?;
        assert!(all.await?? == data);
        Ok(())
    });
}

#[test]
fn a_file_that_the_system_does_not_send_is_read() {
    within_io(async {
        // The files of /proc about a process are made while they are read.
        let name = "/proc/self/cmdline";
        let data = fs::read(name)?;
        let file = File::open(name)?;
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        writer.write(b"head");
        writer.send_file(&file, 0, data.len() as u64).await?;
        writer.send_file(&file, 1, 3).await?;
        let mut sending = writer.send_file(&file, 0, 1 << 20);
        let error = (&mut sending).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(sending.sent(), data.len() as u64);
        drop(sending);
        drop(writer);
        let expected = [b"head", &data[..], &data[1..4], &data].concat();
        assert_eq!(read_all(&peer).await?, expected);
        Ok(())
    });
}

#[test]
fn what_is_no_file_is_an_error_and_the_connection_lives_on() {
    within_io(async {
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        let directory = File::open("/")?;
        let error = writer.send_file(&directory, 0, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory, "{error}");
        let (pipe, _end) = io::pipe()?;
        let error = writer.send_file(&pipe, 0, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSeekable, "{error}");
        let error = writer.send_file(&directory, u64::MAX, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        writer.write(b"well");
        writer.wait_closed().await?;
        assert_eq!(read_all(&peer).await?, b"well");
        Ok(())
    });
}

#[test]
fn a_reset_in_the_middle_says_how_much_was_sent() {
    within_io(async {
        let file = file_of("reset", &noise(MUCH))?;
        let Side {
            mut writer, peer, ..
        } = connected().await?;
        let mut sending = writer.send_file(&file, 0, MUCH as u64);
        assert!(poll_once(&mut sending).is_pending());
        reset(peer);
        let error = (&mut sending).await.unwrap_err();
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(0 < sending.sent() && sending.sent() < MUCH as u64);
        drop(sending);
        drop(writer);
        Ok(())
    });
}

#[test]
fn a_closed_writer_sends_no_file() {
    within_io(async {
        let Side { mut writer, .. } = connected().await?;
        writer.close();
        let file = File::open("/proc/self/cmdline")?;
        let error = writer.send_file(&file, 0, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        writer.wait_closed().await
    });
}

#[test]
fn a_connection_that_is_closed_raises_no_signal() {
    succeeds_alone(|| {
        // SAFETY: both are constants. The standard library ignores the signal; a program that is
        // not written in Rust may not.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        within_io(async {
            let Side {
                mut writer, peer, ..
            } = connected().await?;
            drop(peer);
            let file = file_of("signal", b"0123456789")?;
            let error = loop {
                if let Err(error) = writer.send_file(&file, 0, 10).await {
                    break error;
                }
                petla::yield_now().await;
            };
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            Ok(())
        });
    });
}
