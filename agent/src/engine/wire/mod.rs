//! Bytes to meaning, resumable and without I/O. Whole protocol implementations (TLS, and HTTP where it is terminated)
//! are libraries' work; here is what a carrier that passes bytes on needs to follow them.

pub mod dns;
pub mod h2;
pub mod hpack;
pub mod http1;
pub mod sniff;

/// Why bytes are not what they claim to be, or may be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);
