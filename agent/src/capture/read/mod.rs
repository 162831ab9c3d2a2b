//! Reads a session's directory, also while it is being written and where nothing may be written. It changes nothing.

mod bodies;
mod error;
mod exchange;
pub mod filter;
pub mod find;
mod grep;
mod open;
mod outline;
mod sql;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};

pub use self::error::Error;
pub use self::filter::Filter;
pub use self::sql::Table;

/// A session's directory, open for reading.
pub struct Capture {
    database: Connection,
    directory: PathBuf,
}

impl Capture {
    /// Opens the capture in `directory`.
    ///
    /// # Errors
    /// If there is none that can be read, or it is a newer agent's.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let database = open::open(directory)?;
        Ok(Self { database, directory: directory.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the capture says of its session under `name`, as text.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn about(&self, name: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT CAST(value AS TEXT) FROM session WHERE name = ?";
        Ok(self.database.query_row(sql, [name], |row| row.get(0)).optional()?.flatten())
    }

    /// The session's TLS secrets, as lines of a key log file without their ends, each once.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn secrets(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.database.prepare("SELECT line FROM secrets GROUP BY line ORDER BY min(id)")?;
        let lines = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(lines)
    }
}
