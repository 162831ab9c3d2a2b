//! Records a session: what passes goes through a bounded queue to one thread, which writes the session's directory. What
//! waits to be written holds the traffic up, so that nothing passes unrecorded and memory does not grow.
//!
//! The directory has an SQLite database, `capture.db`, and `bodies/` for what is too large for it. The schema is
//! [`store::SCHEMA`]; `docs/capture.md` explains it.

mod body;
mod book;
mod connection;
mod exchange;
pub mod keylog;
pub mod packets;
pub mod prune;
mod queue;
pub mod read;
mod recorder;
pub mod store;
mod tail;
mod tap;
mod writer;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::recorder::Recorder;
pub use self::store::Error;

/// What is recorded, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The session's directory, as the recorder sees it.
    pub directory: PathBuf,
    /// Bytes of one body that are kept; of the rest only the number is.
    pub max_body: u64,
    /// Bytes that the session's directory may have.
    pub max_session: u64,
    /// What happens when no more can be written.
    pub on_full: OnFull,
    /// Whether credentials are masked before anything is stored.
    pub redact: bool,
    /// Fields of JSON and forms that are masked as well.
    pub redact_fields: Vec<String>,
    /// What the database says of the session itself, besides what the recorder knows: names and values.
    pub about: Vec<(String, String)>,
}

/// What happens when no more can be written: the disk or the session's limit is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// Traffic goes on and is not recorded; how much is counted.
    #[default]
    Continue,
    /// Traffic stops until there is room.
    Block,
}

#[cfg(test)]
mod tests;
