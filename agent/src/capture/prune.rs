//! Deletes captures. Of a directory only what a recorder makes is deleted, and the directory if nothing else is in it.

use std::fs;
use std::io;
use std::path::Path;

use super::store::{BODIES, DATABASE};

/// What SQLite makes beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Deletes the capture in `directory`; whether the directory is gone as well.
///
/// # Errors
/// What could not be deleted first; what was before that is gone.
pub fn delete(directory: &Path) -> io::Result<bool> {
    match fs::remove_dir_all(directory.join(BODIES)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let beside = BESIDE.map(|ending| format!("{DATABASE}{ending}"));
    // The database last: without it nobody would find the rest.
    for name in beside.iter().map(String::as_str).chain([DATABASE]) {
        match fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::remove_dir(directory) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

/// Bytes of all files of the capture in `directory`.
#[must_use]
pub fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let of = |entry: &fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(|entry| of(&entry)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::read::tests::{Directory, make};

    #[test]
    fn only_what_the_recorder_made_is_deleted() {
        let directory = Directory::new();
        let capture = directory.0.join("capture");
        fs::create_dir(&capture).unwrap();
        drop(make(&capture));
        assert!(size(&capture) > 10_000);
        fs::write(capture.join("notes"), "mine").unwrap();
        assert!(!delete(&capture).unwrap());
        assert_eq!(fs::read_dir(&capture).unwrap().count(), 1);
        fs::remove_file(capture.join("notes")).unwrap();
        drop(make(&capture));
        assert!(delete(&capture).unwrap());
        assert!(!capture.exists());
    }
}
