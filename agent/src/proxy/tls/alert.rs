//! Tells a client whose handshake is not going to be answered why, as the server told us.

use rustls::AlertDescription;

use crate::proxy::error::{Error, find};

/// The record of a fatal alert (RFC 8446 section 6) for a failed upstream handshake: the server's own alert if it sent
/// one, `handshake_failure` otherwise.
pub(crate) fn record(error: &Error) -> [u8; 7] {
    let description = match find::<std::io::Error>(error).and_then(inner).or_else(|| find(error)) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        Some(rustls::Error::NoApplicationProtocol) => AlertDescription::NoApplicationProtocol,
        _ => AlertDescription::HandshakeFailure,
    };
    [21, 3, 3, 0, 2, 2, u8::from(description)]
}

/// What an `io::Error` wraps: its own `source` skips it.
pub(crate) fn inner(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
