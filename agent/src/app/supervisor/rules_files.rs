//! The file of rules and those that it names, watched: whoever writes one, or puts another in its place, changes the
//! session's rules.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Tells when one of some files has changed.
pub(super) struct RulesFiles {
    inotify: Inotify,
    /// The names that count, in each folder.
    names: HashMap<WatchDescriptor, HashSet<OsString>>,
}

impl RulesFiles {
    /// Watches nothing yet.
    pub(super) fn new() -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, names: HashMap::new() })
    }

    /// Watches these files as well, by their folders: editors do not write to a file, they replace it. The first that
    /// cannot be watched, and why, if there is one.
    pub(super) fn watch(&mut self, files: &[PathBuf]) -> Option<(PathBuf, nix::Error)> {
        let mut failed = None;
        for file in files {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match self.inotify.add_watch(folder, AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO) {
                Ok(watch) => {
                    self.names.entry(watch).or_default().insert(file.file_name().unwrap_or_default().to_owned());
                }
                Err(errno) => {
                    failed.get_or_insert_with(|| (file.clone(), errno));
                }
            }
        }
        failed
    }

    /// Whether one has changed since this was last asked.
    pub(super) fn has_changed(&self) -> bool {
        let mut changed = false;
        while let Ok(events) = self.inotify.read_events() {
            // Without a name, events were lost.
            changed |= events.iter().any(|event| match (&event.name, self.names.get(&event.wd)) {
                (Some(name), Some(names)) => names.contains(name),
                (Some(_), None) => false,
                (None, _) => true,
            });
        }
        changed
    }
}

impl AsFd for RulesFiles {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
