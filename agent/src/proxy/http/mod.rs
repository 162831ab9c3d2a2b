//! HTTP between one connection of the child and one of the server. [`exchange`] is the only way for a request; the
//! carrier here terminates HTTP on both sides with hyper.

mod answer;
mod body;
mod exchange;
mod half_close;
mod terminate;
mod upgrade;
mod upstream;

pub(crate) use self::half_close::Open;
pub(crate) use self::terminate::serve;
pub(crate) use self::upstream::Upstream;

/// What both sides of a connection speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}
