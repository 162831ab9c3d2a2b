//! The session's directory: the database, and files of bodies. What was written survives the death of the process at any
//! moment; what is written twice is the same.

mod bodies;
mod rows;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use self::bodies::Bodies;
use super::Config;
use super::book::Book;
use crate::engine::http::exchange::Direction;

/// The tables.
pub const SCHEMA: &str = include_str!("schema.sql");
/// The version of the tables, in `PRAGMA user_version`. A reader reads its own and older ones.
pub const VERSION: i64 = 3;
/// The database's name in the directory.
pub const DATABASE: &str = "capture.db";
/// The folder of bodies in the directory.
pub const BODIES: &str = "bodies";

/// How long a turn waits for somebody else who writes to the database.
const BUSY: Duration = Duration::from_secs(1);

/// Why something cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be written.
    #[error("the capture's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file cannot be written.
    #[error("the capture's file `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The directory has the capture of another version.
    #[error("the capture in `{}` has version {found}, this agent writes {VERSION}; choose another directory", path.display())]
    Version {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The session has as much as it may.
    #[error("the capture has reached its limit of {0} bytes")]
    Limit(u64),
    /// The names of fields to mask cannot be used.
    #[error("what is to be masked: {0}")]
    Masks(#[from] crate::engine::decode::mask::Unusable),
    /// No thread can be started.
    #[error("the capture's thread: {0}")]
    Thread(#[source] io::Error),
}

/// A session's directory, open for writing.
pub(super) struct Store {
    database: Connection,
    bodies: Bodies,
    path: PathBuf,
    limit: u64,
    last: (u64, u64),
}

impl Store {
    /// Opens the directory, and makes what it does not have.
    pub(super) fn open(config: &Config) -> Result<Self, Error> {
        let path = config.directory.join(DATABASE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(&path, flags)?;
        database.busy_timeout(BUSY)?;
        // NORMAL: a commit survives the process, though not always the machine. Rows are replaced, so that what refers to
        // them would be in the way.
        database.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; \
             PRAGMA foreign_keys = OFF; PRAGMA wal_autocheckpoint = 4000;",
        )?;
        let found: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => database.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"))?,
            VERSION => {}
            _ => return Err(Error::Version { path: config.directory.clone(), found }),
        }
        let latest = |table: &str| -> Result<u64, Error> {
            let sql = format!("SELECT ifnull(max(id), 0) FROM {table}");
            Ok(u64::try_from(database.query_row(&sql, [], |row| row.get::<_, i64>(0))?).unwrap_or(0))
        };
        let last = (latest("connections")?, latest("exchanges")?);
        let bodies = Bodies::open(config.directory.join(BODIES), latest("bodies")?)?;
        let store = Self { database, bodies, path, limit: config.max_session, last };
        store.about(config)?;
        Ok(store)
    }

    /// The latest connection and the latest exchange that there are.
    pub(super) const fn last(&self) -> (u64, u64) {
        self.last
    }

    /// Writes what the session is.
    fn about(&self, config: &Config) -> Result<(), Error> {
        let own = [
            ("agent".to_owned(), Value::from(env!("CARGO_PKG_VERSION"))),
            ("redacted".to_owned(), Value::from(i64::from(config.redact))),
        ];
        let given = config.about.iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
        for (name, value) in own.into_iter().chain(given) {
            self.set(&name, &value)?;
        }
        Ok(())
    }

    fn set(&self, name: &str, value: &Value) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO session (name, value) VALUES (?, ?)";
        let mut statement = self.database.prepare_cached(sql)?;
        match value {
            Value::Number(number) => statement.execute((name, number.as_i64()))?,
            Value::String(text) => statement.execute((name, text))?,
            _ => 0,
        };
        Ok(())
    }

    /// Writes all that `book` has and is not written. After a failure it may be called again with the same.
    pub(super) fn write(&mut self, book: &mut Book) -> Result<(), Error> {
        if book.rows.is_empty() && !book.is_dirty() {
            return Ok(());
        }
        if self.used() > self.limit {
            return Err(Error::Limit(self.limit));
        }
        let written = self.write_all(book);
        if written.is_err() {
            self.bodies.doubt();
        }
        written?;
        book.written();
        self.bodies.clear();
        Ok(())
    }

    fn write_all(&mut self, book: &mut Book) -> Result<(), Error> {
        for (id, exchange) in &mut book.exchanges {
            if exchange.is_dirty {
                for direction in Direction::BOTH {
                    let body = exchange.side(direction).body.as_mut();
                    body.map_or(Ok(()), |body| self.bodies.write((*id, direction), body))?;
                }
            }
        }
        let transaction = self.database.unchecked_transaction()?;
        for (id, connection) in book.connections.iter().filter(|(_, connection)| connection.is_dirty) {
            rows::connection(&transaction, *id, connection)?;
        }
        for (id, exchange) in book.exchanges.iter_mut().filter(|(_, exchange)| exchange.is_dirty) {
            let mut row =
                |direction| self.bodies.row(&transaction, (*id, direction), exchange.side(direction).body.as_mut());
            let (request, response) = (row(Direction::Request)?, row(Direction::Response)?);
            rows::exchange(&transaction, *id, exchange, [request, response])?;
        }
        for row in &book.rows {
            rows::row(&transaction, row, book.keeping.masks.as_deref())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Lets go of what cannot be written, and writes down how much that is, if at least that fits.
    pub(super) fn forget(&mut self, book: &mut Book) {
        book.forget();
        self.bodies.forget(|exchange| book.exchanges.contains_key(&exchange));
        for (name, value) in
            [("unrecorded_bytes", book.unrecorded()), ("unrecorded_exchanges", book.unrecorded_exchanges)]
        {
            if let Err(error) = self.set(name, &Value::from(value)) {
                tracing::debug!(%error, "what is missing in the capture is not told of there");
            }
        }
    }

    /// Bytes that the directory has.
    fn used(&self) -> u64 {
        let size = |path: &Path| fs::metadata(path).map(|found| found.len()).unwrap_or(0);
        let log = self.path.with_file_name(format!("{DATABASE}-wal"));
        size(&self.path) + size(&log) + self.bodies.used()
    }
}
