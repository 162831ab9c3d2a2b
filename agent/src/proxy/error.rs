//! What can go wrong with a connection, and whose fault it is. Blame decides what the child is told and how.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;
use thiserror::Error;

/// Where an error came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The child's end.
    Downstream,
    /// The server's end.
    Upstream,
    /// Ourselves.
    Internal,
}

impl Side {
    /// The name that events and messages use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The address is one that is never dialled.
    Forbidden,
    /// The peer refused the connection.
    Refused,
    /// No route to the peer.
    Unreachable,
    /// The peer did not answer in time.
    TimedOut,
    /// The TLS handshake failed.
    Tls,
    /// The peer closed or reset the connection.
    Closed,
    /// The peer reset one HTTP/2 stream.
    StreamReset,
    /// The peer broke the rules of HTTP.
    Protocol,
    /// No file descriptor is left.
    Exhausted,
    /// The session cannot be set up: its CA is unusable.
    Setup,
}

impl Kind {
    const fn text(self) -> &'static str {
        match self {
            Self::Forbidden => "is an address that is never dialled",
            Self::Refused => "refused the connection",
            Self::Unreachable => "is unreachable",
            Self::TimedOut => "did not answer in time",
            Self::Tls => "failed the TLS handshake",
            Self::Closed => "closed the connection",
            Self::StreamReset => "reset the stream",
            Self::Protocol => "broke the HTTP protocol",
            Self::Exhausted => "has no file descriptor left: raise the limit with `ulimit -n`",
            Self::Setup => "cannot be used",
        }
    }

    /// What an I/O error on an open or opening connection means.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        use io::ErrorKind as E;
        match error.kind() {
            E::ConnectionRefused => Self::Refused,
            E::TimedOut => Self::TimedOut,
            E::HostUnreachable | E::NetworkUnreachable | E::NetworkDown | E::AddrNotAvailable => Self::Unreachable,
            _ if is_tls(error) => Self::Tls,
            _ if is_exhausted(error) => Self::Exhausted,
            _ => Self::Closed,
        }
    }
}

/// What was at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Whoever has this address.
    Address(SocketAddr),
    /// Something of our own.
    Thing(&'static str),
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl From<&'static str> for Peer {
    fn from(thing: &'static str) -> Self {
        Self::Thing(thing)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Thing(thing) => thing.fmt(f),
        }
    }
}

/// An error of the proxy, with the side to blame.
#[derive(Debug, Error)]
#[error("{} {peer} {}", side.name(), kind.text())]
pub struct Error {
    /// Where it came from.
    pub side: Side,
    /// What went wrong.
    pub kind: Kind,
    /// The address or thing at fault.
    pub peer: Peer,
    /// What a library said.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// `peer` on `side` did `kind`.
    pub fn new(side: Side, kind: Kind, peer: impl Into<Peer>) -> Self {
        Self { side, kind, peer: peer.into(), source: None }
    }

    /// The same, as a library reported it.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// An I/O error of the connection to `peer` on `side`.
    pub fn io(side: Side, peer: impl Into<Peer>, error: io::Error) -> Self {
        match Kind::of(&error) {
            Kind::Exhausted => Self::new(Side::Internal, Kind::Exhausted, "the agent").because(error),
            kind => Self::new(side, kind, peer).because(error),
        }
    }

    /// An error of the HTTP exchange with `peer` on `side`.
    pub(crate) fn hyper(side: Side, peer: impl Into<Peer>, error: hyper::Error) -> Self {
        let stream = find::<h2::Error>(&error).is_some_and(|cause| cause.is_reset() && cause.is_remote());
        let io = find::<io::Error>(&error).map(Kind::of);
        let kind = match io {
            _ if stream => Kind::StreamReset,
            Some(kind) => kind,
            None if error.is_parse() || error.is_user() => Kind::Protocol,
            None => Kind::Closed,
        };
        Self::new(side, kind, peer).because(error)
    }

    /// Whether somebody did not answer in time.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.kind == Kind::TimedOut
    }

    /// The error with all its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(StdError::source(self), |&cause| cause.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    [Errno::EMFILE, Errno::ENFILE].iter().any(|&errno| error.raw_os_error() == Some(errno as i32))
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>)
}

/// The first cause of type `T` in the chain of `error`, itself included.
pub(crate) fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&cause| cause.source()).find_map(|cause| cause.downcast_ref())
}

/// Whether the peer left without a word, as clients do with connections they no longer need.
pub(crate) fn is_end(error: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    find::<io::Error>(error).is_some_and(|cause| matches!(cause.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
}

/// Whether the peer reset the connection that `error` came from.
pub(crate) fn is_reset(error: &(dyn StdError + 'static)) -> bool {
    find::<io::Error>(error).is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionReset)
}
