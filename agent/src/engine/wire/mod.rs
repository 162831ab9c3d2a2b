//! Bytes to values, for every protocol that the agent reads. Nothing here waits for bytes or sends any.

pub mod dns;
