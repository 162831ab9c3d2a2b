//! A session as the file system shows it: `/run/agent/NAME` with its lock, its journal, and the facts that other
//! commands read.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::allowances::Allowances;
use super::failpoint::{Failpoint, Step};
use super::journal::{self, Journal, Record};
use super::name::Name;
use super::{Error, netns};

/// Where sessions live.
pub const RUN: &str = "/run/agent";

/// What a running session tells others, in `session.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The session's name.
    pub name: String,
    /// The supervisor's process.
    pub pid: i32,
    /// When it started, in seconds since 1970.
    pub started: u64,
    /// `observe` or `enforce`.
    pub mode: String,
    /// The client's namespace.
    pub netns: PathBuf,
    /// The control group of the session's commands.
    pub cgroup: PathBuf,
    /// Where the maps are pinned.
    pub maps: PathBuf,
    /// Where agent and worker write what happens.
    pub log: PathBuf,
    /// Where the session is recorded, if it is.
    #[serde(default)]
    pub capture: Option<PathBuf>,
    /// The certificate authority that the session's programs trust.
    pub ca: PathBuf,
    /// What is mounted over what, in the commands' mount namespaces.
    pub mounts: Vec<Mount>,
    /// Variables that are set for the commands.
    pub variables: BTreeMap<String, String>,
    /// Who the commands run as.
    pub user: User,
    /// What they may do beyond what every command may.
    pub allowances: Allowances,
}

/// A file or directory that is shown in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is shown.
    pub source: PathBuf,
    /// Where; it exists.
    pub target: PathBuf,
}

/// Who a command runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Login name, or the number where there is none.
    pub name: String,
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// The directory of a session.
#[must_use]
pub fn directory(name: &Name) -> PathBuf {
    Path::new(RUN).join(name.as_str())
}

/// The names of all sessions, running or left behind.
///
/// # Errors
/// If the directory exists and cannot be read.
pub fn list() -> Result<Vec<Name>, Error> {
    let run = Path::new(RUN);
    let entries = match fs::read_dir(run) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", run)(error)),
    };
    let mut names: Vec<Name> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}

/// What a session says of itself.
///
/// # Errors
/// [`Error::NoSession`] if there is none, or it has not come up.
pub fn facts(name: &Name) -> Result<Facts, Error> {
    let path = directory(name).join("session.json");
    let text = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoSession { name: name.to_string() });
        }
        text => text.map_err(Error::file("read", &path))?,
    };
    serde_json::from_slice(&text).map_err(|error| Error::file("parse", &path)(error.into()))
}

/// A session that this process holds. The lock dies with the process, however it ends.
pub struct Session {
    /// Its name.
    pub name: Name,
    /// Its directory.
    pub directory: PathBuf,
    /// Its journal.
    pub journal: Journal,
    /// Where its holder is to die, for tests.
    pub failpoint: Failpoint,
    _lock: Flock<File>,
}

impl Session {
    /// Takes the name: cleans up after a dead holder, refuses a living one and a namespace of somebody else's.
    ///
    /// # Errors
    /// [`Error::Held`], [`Error::ForeignNamespace`], or what failed.
    pub fn create(name: &Name, failpoint: &Failpoint) -> Result<Self, Error> {
        let directory = directory(name);
        collect(name)?;
        if netns::path(name).exists() {
            return Err(Error::ForeignNamespace { name: name.to_string() });
        }
        let mut lock = lock(name, &directory)?;
        write_pid(&mut lock, &directory)?;
        failpoint.pass(Step::Made);
        let mut journal = Journal::open(&directory)?.with(failpoint.clone());
        journal.record(&Record::EmptyDir { path: RUN.into() })?;
        journal.record(&Record::Tree { path: directory.clone() })?;
        Ok(Self { name: name.clone(), directory, journal, failpoint: failpoint.clone(), _lock: lock })
    }

    /// Publishes the facts, all at once.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn publish(&self, facts: &Facts) -> Result<(), Error> {
        let path = self.directory.join("session.json");
        let text = serde_json::to_vec_pretty(facts).map_err(|error| Error::file("write", &path)(error.into()))?;
        let draft = self.directory.join("session.json.new");
        fs::write(&draft, text).map_err(Error::file("write", &draft))?;
        fs::rename(&draft, &path).map_err(Error::file("write", &path))?;
        self.failpoint.pass(Step::Made);
        Ok(())
    }

    /// Removes everything the session made, and the session.
    #[must_use]
    pub fn remove(self) -> Vec<Error> {
        journal::undo(&self.directory, &self.failpoint)
    }
}

/// Removes what a dead session left, if anything.
///
/// # Errors
/// [`Error::Held`] if the session is alive, or the first thing that could not be removed.
pub fn collect(name: &Name) -> Result<(), Error> {
    let directory = directory(name);
    if !directory.exists() {
        return Ok(());
    }
    let _lock = lock(name, &directory)?;
    journal::undo(&directory, &Failpoint::default()).into_iter().next().map_or(Ok(()), Err)?;
    // A start that died before its first record.
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", &directory)(error)),
        _ => Ok(()),
    }
}

/// The process that holds a session; none if it is dead, or has not said yet who it is.
#[must_use]
pub fn holder(name: &Name) -> Option<i32> {
    let mut file = File::open(directory(name).join("lock")).ok()?;
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    let held = Flock::lock(file, FlockArg::LockSharedNonblock).is_err();
    // Zero would be no process but a signal to all of ours.
    held.then(|| pid.trim().parse().ok()).flatten().filter(|pid| *pid > 0)
}

fn lock(name: &Name, directory: &Path) -> Result<Flock<File>, Error> {
    loop {
        DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(Error::file("create", directory))?;
        let path = directory.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o644)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, _)) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(Error::file("read", &path))?;
                return Err(Error::Held { name: name.to_string(), pid: pid.trim().parse().unwrap_or(0) });
            }
        };
        // The holder before us may have removed the file between our opening and locking it.
        let same = fs::metadata(&path).is_ok_and(|now| lock.metadata().is_ok_and(|ours| ours.ino() == now.ino()));
        if same {
            return Ok(lock);
        }
    }
}

fn write_pid(lock: &mut Flock<File>, directory: &Path) -> Result<(), Error> {
    let write = |lock: &mut Flock<File>| {
        lock.set_len(0)?;
        lock.write_all(std::process::id().to_string().as_bytes())
    };
    write(lock).map_err(Error::file("write", &directory.join("lock")))
}
