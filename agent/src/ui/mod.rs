//! What people see: plain lines. Facts go to standard output, everything said about them to standard error.

pub mod bars;
pub mod colour;
pub mod escape;
pub mod table;

use std::io::Write as _;

/// Writes one line to standard output, at once.
pub fn line(text: &str) {
    text_out(&format!("{text}\n"));
}

/// Writes text to standard output. A reader that has gone (a closed pipe) has seen enough.
pub fn text_out(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        tracing::debug!("nobody reads standard output");
    }
}

/// Writes bytes to standard output as they are; whether somebody still reads them.
pub fn bytes_out(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// Says something that did not go as asked, without ending anything.
pub fn warn(text: &str) {
    let mut err = std::io::stderr().lock();
    if writeln!(err, "agent: {text}").is_err() {
        tracing::debug!("nobody reads standard error");
    }
}
