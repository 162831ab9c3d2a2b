//! Bodies in the store: small ones in their row, others in files that are named by what is in them, so that the same
//! content is there once.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use rusqlite::{OptionalExtension as _, Transaction, params};
use zstd::bulk::Compressor;

use super::Error;
use crate::capture::body::{Body, Place};
use crate::capture::connection::hex;

/// The fastest level whose output is not larger than its input by more than a header.
const LEVEL: i32 = 1;
/// Rows that are known by their content.
const KNOWN: usize = 1 << 16;
/// The folder of what is still coming.
const OPEN: &str = "open";

pub(super) struct Bodies {
    folder: PathBuf,
    compressor: Compressor<'static>,
    /// The latest row.
    last: i64,
    known: HashMap<String, i64>,
    open: HashMap<String, Growing>,
    /// Those of `open` that the database refers to by another name once the turn is over.
    named: Vec<String>,
    used: u64,
}

/// A file that is still growing.
struct Growing {
    written: u64,
    hash: Context,
    /// What is in it, once that is complete.
    digest: Option<Digest>,
}

impl Bodies {
    pub(super) fn open(folder: PathBuf, last: u64) -> Result<Self, Error> {
        let open = folder.join(OPEN);
        fs::create_dir_all(&open).map_err(file(&open))?;
        let compressor = Compressor::new(LEVEL).map_err(file(&folder))?;
        Ok(Self {
            used: size(&folder),
            folder,
            compressor,
            last: i64::try_from(last).unwrap_or(i64::MAX),
            known: HashMap::new(),
            open: HashMap::new(),
            named: Vec::new(),
        })
    }

    /// Bytes of all files, those included that turned out to be there already.
    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// Writes what `body` has for its file.
    pub(super) fn write(&mut self, exchange: u64, direction: &str, body: Option<&mut Body>) -> Result<(), Error> {
        let Some(Body { place: Place::File(pending), is_over, .. }) = body else { return Ok(()) };
        let name = format!("{exchange}-{direction}.zst");
        let path = self.folder.join(OPEN).join(&name);
        let growing =
            self.open.entry(name).or_insert_with(|| Growing { written: 0, hash: Context::new(&SHA256), digest: None });
        if !pending.is_empty() {
            let frame = self.compressor.compress(pending).map_err(file(&path))?;
            let target = File::options()
                .create(true)
                .write(true)
                .truncate(false)
                .mode(0o640)
                .open(&path)
                .map_err(file(&path))?;
            target.write_all_at(&frame, growing.written).map_err(file(&path))?;
            growing.written += frame.len() as u64;
            self.used += frame.len() as u64;
            growing.hash.update(pending);
            // With its memory: many may be open.
            *pending = Vec::new();
        }
        if *is_over && growing.digest.is_none() {
            growing.digest = Some(growing.hash.clone().finish());
        }
        Ok(())
    }

    /// The row of `body`, written if it has changed.
    pub(super) fn row(
        &mut self,
        transaction: &Transaction<'_>,
        exchange: u64,
        direction: &str,
        body: Option<&mut Body>,
    ) -> Result<Option<i64>, Error> {
        let Some(body) = body else { return Ok(None) };
        if !body.is_dirty {
            return Ok(body.row);
        }
        let name = format!("{exchange}-{direction}.zst");
        let digest = match &body.place {
            Place::Memory(content) => body.is_over.then(|| digest(&SHA256, content)),
            Place::File(_) => self.open.get(&name).and_then(|growing| growing.digest),
        };
        let digest = digest.map(|digest| hex(digest.as_ref()));
        let row = match &digest {
            // What is cut or unpacked says so in its row.
            Some(digest) if !body.is_cut && !body.is_unpacked => self.find(transaction, digest)?,
            _ => None,
        };
        let row = match row {
            Some(found) => self.merge(transaction, found, body.row, &name)?,
            None => self.insert(transaction, body, &name, digest)?,
        };
        body.row = Some(row);
        Ok(Some(row))
    }

    /// The row that has the same content.
    fn find(&self, transaction: &Transaction<'_>, digest: &str) -> Result<Option<i64>, Error> {
        if let Some(row) = self.known.get(digest) {
            return Ok(Some(*row));
        }
        let mut statement = transaction.prepare_cached("SELECT id FROM bodies WHERE sha256 = ?")?;
        Ok(statement.query_row([digest], |row| row.get(0)).optional()?)
    }

    /// Uses the row `found`, and removes what was made meanwhile.
    fn merge(&mut self, transaction: &Transaction<'_>, found: i64, own: Option<i64>, name: &str) -> Result<i64, Error> {
        if let Some(own) = own.filter(|own| *own != found) {
            transaction.prepare_cached("DELETE FROM bodies WHERE id = ?")?.execute([own])?;
        }
        if self.open.contains_key(name) {
            self.named.push(name.to_owned());
        }
        Ok(found)
    }

    fn insert(
        &mut self,
        transaction: &Transaction<'_>,
        body: &Body,
        name: &str,
        digest: Option<String>,
    ) -> Result<i64, Error> {
        let row = body.row.unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        let (content, file) = match (&body.place, &digest) {
            (Place::Memory(content), _) => (Some(content), None),
            (Place::File(_), None) => (None, Some(format!("{OPEN}/{name}"))),
            (Place::File(_), Some(digest)) => (None, Some(self.rename(name, digest)?)),
        };
        let coding = body.is_unpacked.then_some("identity");
        // Content that is cut or unpacked is not found by what it is: the same may be there whole.
        let known = digest.filter(|_| !body.is_cut && !body.is_unpacked);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO bodies (id, sha256, size, cut, coding, content, file) VALUES (?, ?, ?, ?, ?, ?, ?)")?
            .execute(params![row, known, body.kept, body.is_cut, coding, content, file])?;
        if let Some(digest) = known {
            if self.known.len() >= KNOWN {
                self.known.clear();
            }
            self.known.insert(digest, row);
        }
        Ok(row)
    }

    /// Gives a file that is complete its name; it keeps the old one until the database has the new one.
    fn rename(&mut self, name: &str, digest: &str) -> Result<String, Error> {
        let new = format!("{}/{digest}.zst", &digest[..2]);
        let (from, to) = (self.folder.join(OPEN).join(name), self.folder.join(&new));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(file(parent))?;
        }
        match fs::hard_link(&from, &to) {
            // Of an earlier attempt, or of a row that was lost with its process.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked.map_err(file(&to))?,
        }
        self.named.push(name.to_owned());
        Ok(new)
    }

    /// The turn is written: old names are of no use any more.
    pub(super) fn clear(&mut self) {
        for name in self.named.drain(..) {
            self.open.remove(&name);
            let path = self.folder.join(OPEN).join(name);
            if let Err(error) = fs::remove_file(&path) {
                tracing::debug!(%error, path = %path.display(), "a file has two names");
            }
        }
    }

    /// The turn was not written: what it was to add to the database is not there.
    pub(super) fn doubt(&mut self) {
        self.known.clear();
        self.named.clear();
    }
}

/// Bytes of all files below `folder`.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}
