//! [`ReadError`]: why a reader gave no message.
//!
//! # Invariants
//! - **Nothing is lost**: with each of these the data are still in the reader, or in the error.
//! - **Never `Interrupted`**: as every error of this crate.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};

/// Why a [`StreamReader`](super::StreamReader) could not give what was asked for.
///
/// `?` makes an [`io::Error`] of it.
///
/// # asyncio
/// `LimitOverrunError` and `IncompleteReadError`; `readline` raises `ValueError` for a long line,
/// and throws it away.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The connection failed, or the reader is used outside its loop. What has arrived before
    /// is still in the reader.
    Io(io::Error),
    /// The message is longer than the reader's limit. It is still in the reader: `consumed` bytes
    /// can be read before its separator, if it has come already, is touched.
    LimitOverrun {
        /// How many bytes are certainly no part of a separator.
        consumed: usize,
    },
    /// The stream ended before the message did.
    Incomplete {
        /// What there was of it.
        partial: Vec<u8>,
    },
    /// The line is not UTF-8. It is still in the reader: `read_until(b"\n")` gives its bytes.
    Utf8,
}

impl Display for ReadError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io(error) => Display::fmt(error, f),
            ReadError::LimitOverrun { consumed } => write!(
                f,
                "the message is longer than the reader's limit: {consumed} bytes and no separator"
            ),
            ReadError::Incomplete { partial } => {
                let n = partial.len();
                write!(f, "the stream ended after {n} bytes of a message")
            }
            ReadError::Utf8 => f.write_str("the line is not UTF-8"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its own text is shown already: what is left is its cause.
            ReadError::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        ReadError::Io(error)
    }
}

impl From<ReadError> for io::Error {
    /// `UnexpectedEof` for `Incomplete`, `InvalidData` for `LimitOverrun` and `Utf8`.
    fn from(error: ReadError) -> io::Error {
        let kind = match error {
            ReadError::Io(error) if error.kind() != ErrorKind::Interrupted => return error,
            ReadError::Io(_) => ErrorKind::Other,
            ReadError::LimitOverrun { .. } | ReadError::Utf8 => ErrorKind::InvalidData,
            ReadError::Incomplete { .. } => ErrorKind::UnexpectedEof,
        };
        io::Error::new(kind, error)
    }
}

/// The same error once more: [`io::Error`] cannot be cloned.
pub(super) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{ReadError, again};
    use std::error::Error;
    use std::io::{self, ErrorKind};

    #[test]
    fn each_becomes_an_io_error_that_is_never_interrupted() {
        let io = |kind: ErrorKind| ReadError::Io(kind.into());
        let partial = b"abc".to_vec();
        for (error, kind, text) in [
            (io(ErrorKind::TimedOut), ErrorKind::TimedOut, "timed out"),
            (io(ErrorKind::Interrupted), ErrorKind::Other, "interrupted"),
            (
                ReadError::LimitOverrun { consumed: 7 },
                ErrorKind::InvalidData,
                "limit: 7 bytes",
            ),
            (
                ReadError::Incomplete { partial },
                ErrorKind::UnexpectedEof,
                "after 3 bytes",
            ),
            (ReadError::Utf8, ErrorKind::InvalidData, "not UTF-8"),
        ] {
            let error = io::Error::from(error);
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn the_cause_of_an_io_error_is_kept() {
        let inner = ReadError::Utf8;
        let error = ReadError::from(io::Error::other(inner));
        assert!(error.source().is_none(), "the text of the cause is shown");
        let wrapped = io::Error::from(ReadError::Utf8);
        assert!(wrapped.get_ref().unwrap().is::<ReadError>());
    }

    #[test]
    fn an_error_can_be_said_again() {
        let os = io::Error::from_raw_os_error(104);
        assert_eq!(again(&os).raw_os_error(), Some(104));
        let own = io::Error::new(ErrorKind::BrokenPipe, "closed");
        assert_eq!(again(&own).kind(), ErrorKind::BrokenPipe);
        assert_eq!(again(&own).to_string(), "closed");
    }
}
