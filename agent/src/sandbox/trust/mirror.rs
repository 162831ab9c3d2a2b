//! A copy of a directory of certificates in which some files are replaced. Links stay links, so the copy is cheap and
//! right when it is mounted where the original is.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::sandbox::Error;
use crate::sandbox::session::Mount;

/// A larger file is no certificate store and is left out.
const MAX_FILE: u64 = 8 << 20;
/// How deep the trees of certificates are; what lies deeper is left out.
const MAX_DEPTH: u32 = 8;

/// Copies `source` to `target`; a file that is the target of a replacement becomes a link to the replacement's source.
/// What others may not read (private keys) is left out.
///
/// # Errors
/// If something cannot be read or written.
pub(super) fn mirror(source: &Path, target: &Path, replacements: &[Mount]) -> Result<(), Error> {
    level(source, target, replacements, MAX_DEPTH)
}

fn level(source: &Path, target: &Path, replacements: &[Mount], depth: u32) -> Result<(), Error> {
    fs::create_dir_all(target).map_err(Error::file("create", target))?;
    for entry in fs::read_dir(source).map_err(Error::file("read", source))?.flatten() {
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        let metadata = entry.metadata().map_err(Error::file("read", &from))?;
        if metadata.is_symlink() {
            let link = fs::read_link(&from).map_err(Error::file("read", &from))?;
            make(symlink(link, &to), &to)?;
        } else if let Some(replacement) = replacements.iter().find(|replacement| replacement.target == from) {
            make(symlink(&replacement.source, &to), &to)?;
        } else if metadata.is_dir() && depth > 0 && readable_by_all(&metadata, 0o005) {
            level(&from, &to, replacements, depth - 1)?;
        } else if metadata.is_file() && metadata.len() <= MAX_FILE && readable_by_all(&metadata, 0o004) {
            fs::copy(&from, &to).map_err(Error::file("copy", &from))?;
        }
    }
    Ok(())
}

fn readable_by_all(metadata: &fs::Metadata, bits: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & bits == bits
}

fn make(result: io::Result<()>, path: &Path) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(Error::file("create", path)),
    }
}
