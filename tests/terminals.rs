//! Terminals read and written like pipes: they are shared with a shell, which must not notice.

mod common;

use std::io::Write as _;

use common::fd::{is_nonblocking, pty};
use common::{poll_once, within_io as within};
use petla::io::{PipeReader, PipeWriter};

#[test]
fn a_terminal_is_opened_anew_and_the_shells_own_stays_as_it_was() {
    within(async {
        let (master, terminal) = pty();
        let (reader, writer) = (terminal.try_clone()?, terminal.try_clone()?);
        let (reader, writer) = (PipeReader::from_fd(reader)?, PipeWriter::from_fd(writer)?);
        assert!(!is_nonblocking(&terminal));
        assert!(is_nonblocking(&reader) && is_nonblocking(&writer));

        let mut keys = master.try_clone()?;
        let mut buf = [0; 64];
        let mut read = reader.read(&mut buf);
        assert!(poll_once(&mut read).is_pending());
        keys.write_all(b"half a line")?;
        assert!(poll_once(&mut read).is_pending());
        keys.write_all(b", and two\nlines\n")?;
        assert_eq!(read.await?, 21); // a terminal gives one line at a time
        assert_eq!(&buf[..21], b"half a line, and two\n");
        assert_eq!(reader.read(&mut buf).await?, 6);

        writer.write_all(b"seen").await?;
        drop((terminal, reader));
        assert!(!is_nonblocking(&master));
        Ok(())
    });
}

#[test]
fn a_terminal_that_hangs_up_ends_the_read() {
    within(async {
        let (master, terminal) = pty();
        let reader = PipeReader::from_fd(terminal)?;
        let task = petla::spawn(async move { reader.read(&mut [0; 8]).await });
        petla::yield_now().await;
        drop(master);
        // Linux gives the end to those that read from then on, and EIO to a writer.
        assert_eq!(task.await??, 0);
        Ok(())
    });
}

#[test]
fn a_ptys_master_stays_the_master_of_its_terminal() {
    within(async {
        let (master, mut terminal) = pty();
        let reader = PipeReader::from_fd(master)?;
        terminal.write_all(b"shown")?;
        let mut buf = [0; 8];
        assert_eq!(reader.read(&mut buf).await?, 5);
        drop(terminal);
        let error = reader.read(&mut buf).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        Ok(())
    });
}
