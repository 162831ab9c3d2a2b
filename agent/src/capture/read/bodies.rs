//! Content of bodies: in their row, or in a file of zstd frames in a row.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use rusqlite::{OptionalExtension as _, Row};

use super::{Capture, Error};
use crate::capture::store::BODIES;
use crate::engine::record::Content;

/// What is selected of a body.
const COLUMNS: &str = "size, cut, coding, content, file";

impl Capture {
    /// The body in row `id`, which `is_open` while it is still coming; `None` if the row is not there any more, since
    /// another body turned out to be the same.
    pub(super) fn body(&self, id: i64, is_open: bool) -> Result<Option<Content>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM bodies WHERE id = ?");
        let found = self.database.prepare_cached(&sql)?.query_row([id], Stored::of).optional()?;
        let Some(Stored { size, is_cut, is_decoded, place }) = found else { return Ok(None) };
        let (bytes, is_whole) = match place {
            Place::Row(bytes) => (bytes, true),
            Place::File(file) => unpack(&self.directory, &file, size)?,
        };
        Ok(Some(Content { bytes, is_cut: is_cut || !is_whole, is_open, is_decoded }))
    }
}

/// A row of `bodies`.
struct Stored {
    size: u64,
    is_cut: bool,
    is_decoded: bool,
    place: Place,
}

enum Place {
    Row(Vec<u8>),
    File(String),
}

impl Stored {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let content: Option<Vec<u8>> = row.get(3)?;
        let place = match content {
            Some(content) => Place::Row(content),
            None => Place::File(row.get::<_, Option<String>>(4)?.unwrap_or_default()),
        };
        let coding: Option<String> = row.get(2)?;
        Ok(Self { size: row.get(0)?, is_cut: row.get(1)?, is_decoded: coding.is_some(), place })
    }
}

/// `size` bytes of what is in a file of bodies, and whether that is all of them. The file may have more than its row says:
/// it is written first, and its last frame may not be complete.
pub(super) fn unpack(directory: &Path, file: &str, size: u64) -> Result<(Vec<u8>, bool), Error> {
    let path = inside(directory, file)?;
    let opened = File::options().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(&path);
    let mut bytes = Vec::new();
    let read = opened.and_then(zstd::Decoder::new).and_then(|unpacker| unpacker.take(size).read_to_end(&mut bytes));
    match read {
        Err(source) if bytes.is_empty() && size > 0 => Err(Error::Body { path, source }),
        _ => {
            let is_whole = bytes.len() as u64 == size;
            Ok((bytes, is_whole))
        }
    }
}

/// The path of a body's file, which is nowhere else: a capture may come from anybody.
fn inside(directory: &Path, file: &str) -> Result<PathBuf, Error> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if file.is_empty() || !Path::new(file).components().all(is_plain) {
        return Err(Error::Stray(file.to_owned()));
    }
    Ok(directory.join(BODIES).join(file))
}

/// Whether a body could not be read because it has just been given another name.
pub(super) fn has_moved(error: &Error) -> bool {
    matches!(error, Error::Body { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
