//! Deletes captures. Of a directory only what a recorder makes is deleted, and the directory if nothing else is in it.

use std::fs;
use std::io;
use std::path::Path;

use super::store::{BODIES, DATABASE};

/// What SQLite makes beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Deletes the capture in `directory`; whether the directory is gone as well. Sessions that start at once may delete the
/// same one.
///
/// # Errors
/// What could not be deleted first; what was before that is gone.
pub fn delete(directory: &Path) -> io::Result<bool> {
    gone(fs::remove_dir_all(directory.join(BODIES)))?;
    let beside = BESIDE.map(|ending| format!("{DATABASE}{ending}"));
    // The database last: without it nobody would find the rest.
    for name in beside.iter().map(String::as_str).chain([DATABASE]) {
        gone(fs::remove_file(directory.join(name)))?;
    }
    match gone(fs::remove_dir(directory)) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        result => result.map(|()| true),
    }
}

/// To have removed what is not there is to have removed it.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
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
    use std::sync::Barrier;

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

    #[test]
    fn those_who_delete_the_same_capture_at_once_all_succeed() {
        let directory = Directory::new();
        for _ in 0..50 {
            let capture = directory.0.join("capture");
            fs::create_dir(&capture).unwrap();
            drop(make(&capture));
            let gate = Barrier::new(4);
            let delete = || {
                gate.wait();
                delete(&capture)
            };
            std::thread::scope(|scope| {
                let all = [(); 4].map(|()| scope.spawn(delete));
                all.into_iter().for_each(|one| assert!(one.join().unwrap().is_ok_and(|is_gone| is_gone)));
            });
            assert!(!capture.exists());
        }
    }
}
