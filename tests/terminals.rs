//! Terminals read and written like pipes: they are shared with a shell, which must not notice.

mod common;

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use common::{poll_once, within_io as within};
use petla::io::{PipeReader, PipeWriter};

fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    // SAFETY: this command takes no pointer.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    assert_ne!(flags, -1);
    flags & libc::O_NONBLOCK != 0
}

/// A pseudo-terminal: its master, and what a program sees as its terminal.
fn pty() -> io::Result<(OwnedFd, File)> {
    // SAFETY: no pointer.
    let master = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
    assert_ne!(master, -1, "{}", io::Error::last_os_error());
    // SAFETY: new, so nobody else's.
    let master = unsafe { OwnedFd::from_raw_fd(master) };
    // SAFETY: no pointer.
    assert_eq!(unsafe { libc::unlockpt(master.as_raw_fd()) }, 0);
    let mut name = [0_u8; 64];
    // SAFETY: the buffer lives and is as long as said.
    let named = unsafe { libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr().cast(), 64) };
    assert_eq!(named, 0);
    let name = CStr::from_bytes_until_nul(&name).unwrap();
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).custom_flags(libc::O_NOCTTY);
    Ok((master, options.open(name.to_str().unwrap())?))
}

#[test]
fn a_terminal_is_opened_anew_and_the_shells_own_stays_as_it_was() {
    within(async {
        let (master, terminal) = pty()?;
        let (reader, writer) = (terminal.try_clone()?, terminal.try_clone()?);
        let (reader, writer) = (PipeReader::from_fd(reader)?, PipeWriter::from_fd(writer)?);
        assert!(!is_nonblocking(&terminal));
        assert!(is_nonblocking(&reader) && is_nonblocking(&writer));

        let mut keys = File::from(master.try_clone()?);
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
        let (master, terminal) = pty()?;
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
        let (master, mut terminal) = pty()?;
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
