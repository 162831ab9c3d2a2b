//! Bytes to meaning, resumable and without I/O. Whole protocol implementations (TLS, HTTP) are libraries' work.

pub mod dns;
pub mod sniff;
