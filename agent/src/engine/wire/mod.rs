//! Bytes to meaning, resumable and without I/O. Whole protocol implementations (TLS, HTTP) are libraries' work.

pub mod sniff;
