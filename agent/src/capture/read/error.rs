//! Why a capture cannot be read.

use std::io;
use std::path::PathBuf;

use crate::capture::store::{DATABASE, VERSION};

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("no capture in `{}`: it has no `{DATABASE}`; name the directory of a session", .0.display())]
    None(PathBuf),
    /// It is somebody else's.
    #[error("the capture in `{}` is another user's; ask that user, or use sudo", .0.display())]
    Denied(PathBuf),
    /// It is no database.
    #[error("`{}` has a `{DATABASE}` that is no capture: {source}", directory.display())]
    Broken {
        /// Where it is.
        directory: PathBuf,
        /// What is wrong.
        source: rusqlite::Error,
    },
    /// Its database cannot be read without writing beside it.
    #[error("the capture in `{}` was not closed, and nothing can be written beside it: copy the directory to where you may write", .0.display())]
    Unclosed(PathBuf),
    /// A newer agent wrote it.
    #[error("the capture in `{}` has version {found}, and this agent reads up to {VERSION}; use a newer agent", directory.display())]
    Newer {
        /// Where it is.
        directory: PathBuf,
        /// Its version.
        found: i64,
    },
    /// There is no such exchange.
    #[error("no exchange {id} in `{}`; `agent flows` lists them", directory.display())]
    NoExchange {
        /// Its number.
        id: i64,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The database cannot be read.
    #[error("cannot read the capture's database")]
    Database(#[from] rusqlite::Error),
    /// A body cannot be read.
    #[error("cannot read the body `{}`", path.display())]
    Body {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A body is said to be where bodies are not.
    #[error("the capture is not sound: it has a body in `{0}`, which is no file of its own")]
    Stray(String),
    /// A condition or a query of the user's.
    #[error("`--sql {text}`: {reason}; `e` is the table of exchanges, `c` of connections")]
    Sql {
        /// What was asked.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory cannot be read.
    #[error("cannot read `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// What is wrong with `text`, SQL of the user's, without the statement that was made of it.
    pub(super) fn sql(text: &str, error: &rusqlite::Error) -> Self {
        let reason = match error {
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            other => other.to_string(),
        };
        Self::Sql { text: text.to_owned(), reason }
    }
}
