//! What a client whose handshake is not going to be answered is told: what the server told us.

use std::io::ErrorKind;

use rustls::AlertDescription;

use crate::proxy::error::{Error, Kind, find};

/// How a handshake ends that is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With this record of a fatal alert (RFC 8446 section 6).
    Alert([u8; 7]),
    /// With an end.
    Close,
    /// With a reset.
    Reset,
}

/// The answer for a failed upstream handshake: the server's own alert if it sent one, the one that fits what it did
/// otherwise; an end where it ended; a reset where it never spoke TLS.
pub(crate) fn answer(error: &Error) -> Answer {
    let is_end = || find::<std::io::Error>(error).is_some_and(|cause| cause.kind() == ErrorKind::UnexpectedEof);
    match error.kind {
        Kind::Tls => Answer::Alert([21, 3, 3, 0, 2, 2, u8::from(description(error))]),
        Kind::Closed if is_end() => Answer::Close,
        _ => Answer::Reset,
    }
}

fn description(error: &Error) -> AlertDescription {
    match cause(error) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        Some(rustls::Error::NoApplicationProtocol) => AlertDescription::NoApplicationProtocol,
        // Nothing but its version is wrong with a server that we cannot speak to.
        Some(rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
            | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )) => AlertDescription::ProtocolVersion,
        _ => AlertDescription::HandshakeFailure,
    }
}

/// The TLS error behind `error`.
pub(crate) fn cause(error: &Error) -> Option<&rustls::Error> {
    find::<std::io::Error>(error).and_then(inner).or_else(|| find(error))
}

/// What an `io::Error` wraps: its own `source` skips it.
pub(crate) fn inner(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::proxy::error::Side;

    #[test]
    fn the_child_is_told_what_the_server_told_us() {
        let table = [
            (rustls::Error::AlertReceived(AlertDescription::ProtocolVersion), 70),
            (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), 116),
            (rustls::Error::NoApplicationProtocol, 120),
            (rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13.into(), 70),
            (rustls::Error::DecryptError, 40),
        ];
        for (error, alert) in table {
            let error = Error::io(Side::Upstream, "the server", io::Error::new(io::ErrorKind::InvalidData, error));
            assert_eq!(answer(&error), Answer::Alert([21, 3, 3, 0, 2, 2, alert]), "{error:?}");
        }
    }

    #[test]
    fn an_end_is_passed_on_as_an_end_and_the_rest_as_a_reset() {
        let answer = |kind: ErrorKind| answer(&Error::io(Side::Upstream, "the server", io::Error::from(kind)));
        assert_eq!(answer(ErrorKind::UnexpectedEof), Answer::Close);
        assert_eq!(answer(ErrorKind::ConnectionReset), Answer::Reset);
        assert_eq!(answer(ErrorKind::ConnectionRefused), Answer::Reset);
    }
}
