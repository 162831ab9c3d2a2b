//! Files that a capture is taken elsewhere in. They are made as the user who asked, so that under sudo nothing is made or
//! overwritten that the user could not have.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::directory::{Owner, acting_as};

/// Makes a file that `owner` alone may read, or empties the one that there is.
///
/// # Errors
/// If `owner` may not.
pub fn create(path: &Path, owner: Owner) -> io::Result<File> {
    acting_as(owner, || Ok(File::options().write(true).create(true).truncate(true).mode(0o600).open(path)))
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Makes a folder that `owner` alone may enter, unless there is one.
///
/// # Errors
/// If `owner` may not.
pub fn create_folder(path: &Path, owner: Owner) -> io::Result<()> {
    let make = || match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(_) if fs::metadata(path).is_ok_and(|found| found.is_dir()) => Ok(()),
        made => made,
    };
    acting_as(owner, || Ok(make())).unwrap_or_else(|error| Err(io::Error::other(error)))
}
