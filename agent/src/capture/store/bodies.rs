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
use crate::engine::hex::hex;
use crate::engine::http::exchange::Direction;

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
    open: HashMap<Part, Growing>,
    /// Those of `open` that the database refers to by another name once the turn is over, and whether the same content was
    /// there already.
    named: Vec<(Part, bool)>,
    used: u64,
}

/// A direction of an exchange.
pub(super) type Part = (u64, Direction);

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
            used: crate::capture::prune::size(&folder),
            folder,
            compressor,
            last: i64::try_from(last).unwrap_or(i64::MAX),
            known: HashMap::new(),
            open: HashMap::new(),
            named: Vec::new(),
        })
    }

    /// Bytes of all files.
    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// Writes what `body` has for its file.
    pub(super) fn write(&mut self, part: Part, body: &mut Body) -> Result<(), Error> {
        let Body { place: Place::File(pending), is_over, is_dirty: true, .. } = body else { return Ok(()) };
        let path = self.folder.join(OPEN).join(name(part));
        let growing =
            self.open.entry(part).or_insert_with(|| Growing { written: 0, hash: Context::new(&SHA256), digest: None });
        if !pending.is_empty() {
            let frame = self.compressor.compress(pending).map_err(file(&path))?;
            let target = File::options()
                .create(true)
                .write(true)
                .truncate(false)
                .mode(0o640)
                .open(&path)
                .map_err(file(&path))?;
            if let Err(error) = target.write_all_at(&frame, growing.written) {
                // Half a frame would spoil those before it.
                target.set_len(growing.written).map_err(file(&path))?;
                return Err(file(&path)(error));
            }
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
        part: Part,
        body: Option<&mut Body>,
    ) -> Result<Option<i64>, Error> {
        let Some(body) = body else { return Ok(None) };
        if !body.is_dirty {
            return Ok(body.row);
        }
        let digest = match &body.place {
            Place::Memory(content) => body.is_over.then(|| digest(&SHA256, content)),
            Place::File(_) => self.open.get(&part).and_then(|growing| growing.digest),
        };
        let digest = digest.map(|digest| hex(digest.as_ref()));
        let row = match &digest {
            // What is cut or unpacked says so in its row.
            Some(digest) if !body.is_cut && !body.is_unpacked => self.find(transaction, digest)?,
            _ => None,
        };
        let row = match row {
            Some(found) => self.merge(transaction, found, body.row, part)?,
            None => self.insert(transaction, body, part, digest)?,
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
    fn merge(&mut self, transaction: &Transaction<'_>, found: i64, own: Option<i64>, part: Part) -> Result<i64, Error> {
        if let Some(own) = own.filter(|own| *own != found) {
            transaction.prepare_cached("DELETE FROM bodies WHERE id = ?")?.execute([own])?;
        }
        if self.open.contains_key(&part) {
            self.named.push((part, true));
        }
        Ok(found)
    }

    fn insert(
        &mut self,
        transaction: &Transaction<'_>,
        body: &Body,
        part: Part,
        digest: Option<String>,
    ) -> Result<i64, Error> {
        let row = body.row.unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        let (content, file) = match (&body.place, &digest) {
            (Place::Memory(content), _) => (Some(content), None),
            (Place::File(_), None) => (None, Some(format!("{OPEN}/{}", name(part)))),
            (Place::File(_), Some(digest)) => (None, Some(self.rename(part, digest)?)),
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
    fn rename(&mut self, part: Part, digest: &str) -> Result<String, Error> {
        let new = format!("{}/{digest}.zst", &digest[..2]);
        let (from, to) = (self.folder.join(OPEN).join(name(part)), self.folder.join(&new));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(file(parent))?;
        }
        let linked = fs::hard_link(&from, &to);
        // Of an earlier attempt, or of a row that was lost with its process, or that says something else of it.
        let was_there = linked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
        if !was_there {
            linked.map_err(file(&to))?;
        }
        self.named.push((part, was_there));
        Ok(new)
    }

    /// The turn is written: old names are of no use any more.
    pub(super) fn clear(&mut self) {
        for (part, was_there) in self.named.drain(..) {
            let growing = self.open.remove(&part);
            self.used -= growing.filter(|_| was_there).map_or(0, |growing| growing.written);
            let path = self.folder.join(OPEN).join(name(part));
            if let Err(error) = fs::remove_file(&path) {
                tracing::debug!(%error, path = %path.display(), "a file has two names");
            }
        }
    }

    /// Nothing more is written of exchanges that are not open.
    pub(super) fn forget(&mut self, is_open: impl Fn(u64) -> bool) {
        self.open.retain(|(exchange, _), _| is_open(*exchange));
    }

    /// The turn was not written: what it was to add to the database is not there.
    pub(super) fn doubt(&mut self) {
        self.known.clear();
        self.named.clear();
    }
}

/// The name of a file that is still growing.
fn name((exchange, direction): Part) -> String {
    format!("{exchange}-{}.zst", direction.name())
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::capture::store::SCHEMA;

    #[test]
    fn a_body_that_is_named_is_followed_no_longer_and_counts_once() {
        let folder = std::env::temp_dir().join(format!("agent-bodies-{}", std::process::id()));
        let database = Connection::open_in_memory().unwrap();
        database.execute_batch(SCHEMA).unwrap();
        let mut bodies = Bodies::open(folder.clone(), 0).unwrap();
        let mut used = Vec::new();
        for exchange in 1..=2 {
            let part = (exchange, Direction::Response);
            let mut body = Body::new(1 << 20, None);
            body.push(&(0..20_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
            body.end();
            // A turn in which it comes, and one in which only the other direction goes on.
            for _ in 0..2 {
                bodies.write(part, &mut body).unwrap();
                let transaction = database.unchecked_transaction().unwrap();
                assert_eq!(bodies.row(&transaction, part, Some(&mut body)).unwrap(), Some(1));
                transaction.commit().unwrap();
                body.written();
                bodies.clear();
            }
            assert!(bodies.open.is_empty());
            used.push(bodies.used());
        }
        assert!(used[0] > 1_000 && used[0] == used[1], "{used:?}");
        assert_eq!(used[1], crate::capture::prune::size(&folder));
        fs::remove_dir_all(folder).unwrap();
    }
}
