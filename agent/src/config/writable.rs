//! The files that options name and that the worker writes: opened here, as the user who asked for them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{Error, invoker};
use crate::sandbox::guise;

/// Opens the file that `option` names, makes it if it is not there, and leaves what is in it.
///
/// # Errors
/// [`Error::Unwritable`] if the invoking user may not write it.
pub(super) fn open(option: &'static str, path: &Path) -> Result<File, Error> {
    opened(option, path, OpenOptions::new().write(true).truncate(false))
}

/// The same, to read its end and to write behind it.
///
/// # Errors
/// As [`open`].
pub(super) fn append(option: &'static str, path: &Path) -> Result<File, Error> {
    opened(option, path, OpenOptions::new().read(true).append(true))
}

fn opened(option: &'static str, path: &Path, options: &mut OpenOptions) -> Result<File, Error> {
    let user = invoker::invoking()?;
    // Keys are in it, and URLs.
    options.create(true).mode(0o600);
    let opened = guise::as_user(&user, || options.open(path)).map_err(io::Error::other).flatten();
    opened.map_err(|source| Error::Unwritable { option, path: path.to_owned(), user: user.name, source })
}

/// Whether what is written into one of two files overwrites the other. It does not in pipes and devices.
pub(super) fn is_same(one: &File, other: &File) -> bool {
    let known = |file: &File| file.metadata().ok().filter(fs::Metadata::is_file).map(|file| (file.dev(), file.ino()));
    known(one).is_some_and(|one| known(other) == Some(one))
}
