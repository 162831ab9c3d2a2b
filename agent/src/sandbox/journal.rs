//! What a session has made, written down before it is made, so that whoever comes later can remove it.
//!
//! One JSON object a line, in the session's directory. Removal goes backwards; what is already gone is no error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, umount2};
use serde::{Deserialize, Serialize};

use super::failpoint::{Failpoint, Step};
use super::{Error, cgroup, netns, tmpfs};

/// One thing that has to be removed at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "made", rename_all = "snake_case")]
pub enum Record {
    /// A directory with all that is in it.
    Tree {
        /// Where.
        path: PathBuf,
    },
    /// A tmpfs with all that is in it.
    Tmpfs {
        /// Where.
        path: PathBuf,
    },
    /// A directory that is removed only if it is empty by then.
    EmptyDir {
        /// Where.
        path: PathBuf,
    },
    /// A directory that several sessions may need: the last that names it removes it, if it is empty by then.
    SharedDir {
        /// Where.
        path: PathBuf,
    },
    /// Something shared that this session no longer needs. Only whoever needs it counts for whether it stays.
    Released {
        /// What.
        shared: Box<Self>,
    },
    /// A name in `/run/netns`.
    Netns {
        /// Where.
        path: PathBuf,
    },
    /// A control group with every process in it.
    Cgroup {
        /// Where.
        path: PathBuf,
    },
    /// A BPF file system that was not mounted before any session: the last that names it unmounts it, if nothing is
    /// pinned in it by then.
    Bpffs {
        /// Where.
        path: PathBuf,
        /// In which mount namespace, as `/proc/self/ns/mnt` names it.
        namespace: PathBuf,
    },
}

impl Record {
    /// Removes the thing, if it is still there, on behalf of the session in `directory`.
    fn remove(&self, directory: &Path) -> Result<(), Error> {
        match self {
            Self::Tree { path } => absent(fs::remove_dir_all(path)).map_err(Error::file("remove", path)),
            Self::Tmpfs { path } => tmpfs::remove(path),
            Self::EmptyDir { path } => unless_in_use(fs::remove_dir(path)).map_err(Error::file("remove", path)),
            Self::SharedDir { path } => self
                .unless_shared(directory, || unless_in_use(fs::remove_dir(path)).map_err(Error::file("remove", path))),
            Self::Released { .. } => Ok(()),
            Self::Netns { path } => netns::unpublish(path),
            Self::Cgroup { path } => cgroup::remove(path),
            Self::Bpffs { path, .. } => self.unless_shared(directory, || unmount_if_empty(path)),
        }
    }

    /// Does what `remove` does, if no other session needs the same thing.
    fn unless_shared(&self, directory: &Path, remove: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let _locked = lock_shared(directory)?;
        // Said first: of two sessions that end together, one must be the last. If it cannot be said, as on a full disk,
        // the worst is that the other leaves the thing to us.
        let released = Self::Released { shared: Box::new(self.clone()) };
        if let Err(error) = Journal::open(directory).and_then(|mut journal| journal.record(&released)) {
            tracing::warn!(%error, ?released, "not said");
        }
        if needed_by_others(directory, self) { Ok(()) } else { remove() }
    }
}

/// The journal of one session.
pub struct Journal {
    file: File,
    path: PathBuf,
    failpoint: Failpoint,
}

impl Journal {
    /// Opens the journal in a session's directory.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("journal");
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file("open journal", &path))?;
        Ok(Self { file, path, failpoint: Failpoint::default() })
    }

    /// The same journal, whose writer may be made to die after a record.
    #[must_use]
    pub fn with(self, failpoint: Failpoint) -> Self {
        Self { failpoint, ..self }
    }

    /// Writes a record. To be called before the thing is made.
    ///
    /// # Errors
    /// If it cannot be written; the thing must then not be made.
    pub fn record(&mut self, record: &Record) -> Result<(), Error> {
        let mut line = serde_json::to_vec(record).map_err(|error| self.failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| self.failed(error))?;
        self.failpoint.pass(Step::Record);
        Ok(())
    }

    /// Records a thing that is about to be made if it is missing, or that another session has made: whichever of them
    /// ends last removes it. What was there before any session is nobody's to remove. No other session records, makes or
    /// removes anything shared while the returned lock is held.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn record_shared(&mut self, record: &Record, exists: impl FnOnce() -> bool) -> Result<Flock<File>, Error> {
        let directory = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        let locked = lock_shared(&directory)?;
        if !exists() || needed_by_others(&directory, record) {
            self.record(record)?;
        }
        Ok(locked)
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::file("write journal", &self.path)(source)
    }
}

/// Removes everything that a session's journal names, latest first, and the journal. Goes on after a failure and
/// returns them all.
#[must_use]
pub fn undo(directory: &Path, failpoint: &Failpoint) -> Vec<Error> {
    let remove = |record: &Record| {
        let removed = record.remove(directory);
        failpoint.pass(Step::Undo);
        removed.err()
    };
    match read(directory) {
        Ok(records) => records.iter().rev().filter_map(remove).collect(),
        Err(error) => vec![error],
    }
}

/// The records of a session's journal; none if it has none.
fn read(directory: &Path) -> Result<Vec<Record>, Error> {
    let path = directory.join("journal");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Error::file("read journal", &path))?,
    };
    Ok(records(&text))
}

/// The records in the text of a journal.
#[must_use]
pub fn records(journal: &str) -> Vec<Record> {
    // A last line cut short by a crash was never acted upon: records come before the things.
    journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Held while sessions agree on who removes what they share: a lock on the directory that all sessions are in.
fn lock_shared(directory: &Path) -> Result<Flock<File>, Error> {
    let parent = directory.parent().unwrap_or(Path::new("."));
    let file = File::open(parent).map_err(Error::file("open", parent))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| Error::file_errno("lock", parent)(errno))
}

/// Whether the journal of a session other than the one in `directory` names the same thing and has not released it.
fn needed_by_others(directory: &Path, shared: &Record) -> bool {
    let sessions = directory.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten();
    let others = sessions.map(|session| session.path()).filter(|other| other != directory);
    let released = Record::Released { shared: Box::new(shared.clone()) };
    let needs = |records: &Vec<Record>| records.contains(shared) && !records.contains(&released);
    others.filter_map(|other| read(&other).ok()).any(|records| needs(&records))
}

fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn unless_in_use(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        result => absent(result),
    }
}

fn unmount_if_empty(path: &Path) -> Result<(), Error> {
    match fs::read_dir(path) {
        Ok(entries) => {
            // The kernel itself puts `maps.debug` and `progs.debug` into a new one (CONFIG_BPF_PRELOAD).
            let ours_alone = entries.flatten().all(|entry| entry.path().extension() == Some("debug".as_ref()));
            if !ours_alone {
                return Ok(());
            }
        }
        Err(error) => return absent(Err(error)).map_err(Error::file("read", path)),
    }
    match umount2(path, MntFlags::empty()) {
        // Not mounted any more, or used by somebody else by now.
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::EBUSY) => Ok(()),
        Err(errno) => Err(Error::file_errno("unmount", path)(errno)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Error, Failpoint, Journal, Record};

    fn undo(directory: &Path) -> Vec<Error> {
        super::undo(directory, &Failpoint::default())
    }

    #[test]
    fn undo_removes_what_was_recorded_latest_first_and_forgives_what_is_gone() {
        let root = std::env::temp_dir().join(format!("agent-journal-{}", std::process::id()));
        let outer = root.join("outer");
        let inner = outer.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let mut journal = Journal::open(&root).unwrap();
        journal.record(&Record::EmptyDir { path: outer.clone() }).unwrap();
        journal.record(&Record::EmptyDir { path: inner }).unwrap();
        journal.record(&Record::Tree { path: root.join("never-made") }).unwrap();
        fs::write(root.join("journal"), fs::read_to_string(root.join("journal")).unwrap() + "{\"made\":\"tr").unwrap();
        assert!(undo(&root).is_empty());
        assert!(!outer.exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_sessions_share_goes_with_the_last_of_them() {
        let root = std::env::temp_dir().join(format!("agent-journal-shared-{}", std::process::id()));
        let (first, second, shared) = (root.join("first"), root.join("second"), root.join("shared"));
        for session in [&first, &second] {
            fs::create_dir_all(session).unwrap();
            let record = Record::SharedDir { path: shared.clone() };
            Journal::open(session).unwrap().record_shared(&record, || shared.exists()).map(drop).unwrap();
            fs::create_dir_all(&shared).unwrap();
        }
        assert!(undo(&first).is_empty() && shared.exists());
        // The first's own directory is still there: its last step has not been taken.
        assert!(undo(&second).is_empty() && !shared.exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_directory_that_was_there_before_is_nobodys_to_remove() {
        let root = std::env::temp_dir().join(format!("agent-journal-before-{}", std::process::id()));
        let (session, theirs) = (root.join("session"), root.join("theirs"));
        fs::create_dir_all(&session).unwrap();
        fs::create_dir_all(&theirs).unwrap();
        let record = Record::SharedDir { path: theirs.clone() };
        Journal::open(&session).unwrap().record_shared(&record, || theirs.exists()).map(drop).unwrap();
        assert!(undo(&session).is_empty() && theirs.exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_directory_that_others_use_is_left() {
        let root = std::env::temp_dir().join(format!("agent-journal-used-{}", std::process::id()));
        let used = root.join("used");
        fs::create_dir_all(used.join("by-others")).unwrap();
        Journal::open(&root).unwrap().record(&Record::EmptyDir { path: used.clone() }).unwrap();
        assert!(undo(&root).is_empty());
        assert!(used.exists());
        fs::remove_dir_all(root).unwrap();
    }
}
