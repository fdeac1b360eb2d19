//! Errors, in words that say what to do.

use std::io::{self, ErrorKind};

use anyhow::{Error, anyhow};

/// Why there is no connection.
pub(crate) fn connect(error: io::Error, address: &str) -> Error {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            anyhow!("nobody listens at {address}: is the server running?")
        }
        // The message of a failed look-up names the host.
        _ => Error::new(error).context(format!("there is no way to {address}")),
    }
}

/// Why a server that was reached did not answer.
pub(crate) fn no_answer(error: hyper::Error, speaks_http2: bool) -> Error {
    let what = if error.is_incomplete_message() {
        "the server closed the connection and did not answer"
    } else if speaks_http2 {
        "the server does not speak HTTP/2, or not without TLS"
    } else if error.is_parse() {
        "the server does not speak HTTP/1"
    } else {
        "the connection was lost before the answer"
    };
    Error::new(error).context(what)
}
