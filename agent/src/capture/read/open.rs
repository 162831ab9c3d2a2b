//! Opens the database for reading. SQLite's log (WAL) needs a shared file beside it even of readers, so there are two
//! cases: a capture that is being written, or was not closed, has a log, and is read with it; a closed one has none, and
//! is read as a file that does not change, which leaves nothing behind and works where nothing may be written.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Error;
use crate::capture::store::{DATABASE, VERSION};

/// How long a reader waits for the writer.
const BUSY: Duration = Duration::from_secs(5);
/// How much of the database is read through memory maps at most, in bytes.
const MAPPED: i64 = 1 << 34;

pub(super) fn open(directory: &Path) -> Result<Connection, Error> {
    let path = directory.join(DATABASE);
    fs::File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Error::Denied(directory.to_owned()),
        _ => Error::None(directory.to_owned()),
    })?;
    let mut uri = uri(&path);
    uri.push_str(if has_log(&path) { "?mode=ro" } else { "?immutable=1" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(uri, flags).and_then(|database| {
        database.busy_timeout(BUSY)?;
        let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        // The version is in the first page; that the rest can be read shows here.
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        database.pragma_update(None, "mmap_size", MAPPED)?;
        Ok((database, version))
    });
    let (database, found) = opened.map_err(|source| failed(directory, source))?;
    match found {
        1..=VERSION => Ok(database),
        // Made, and nothing written yet.
        ..=0 => Err(Error::None(directory.to_owned())),
        _ => Err(Error::Newer { directory: directory.to_owned(), found }),
    }
}

/// Whether the database has a log with something in it.
fn has_log(path: &Path) -> bool {
    let mut log = OsString::from(path);
    log.push("-wal");
    fs::metadata(log).is_ok_and(|found| found.len() > 0)
}

/// The path as SQLite's URIs write it.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02x}"));
        }
    }
    uri
}

fn failed(directory: &Path, source: rusqlite::Error) -> Error {
    match source.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Error::Unclosed(directory.to_owned()),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::Broken { directory: directory.to_owned(), source }
        }
        _ => source.into(),
    }
}
