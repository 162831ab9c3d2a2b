//! The file of rules, watched: whoever writes it, or puts another in its place, changes the session's rules.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Tells when a file has changed.
pub(super) struct RulesFile {
    inotify: Inotify,
    name: OsString,
}

impl RulesFile {
    /// Watches the folder of the file at `path`: editors do not write to a file, they replace it.
    pub(super) fn watch(path: &Path) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        inotify.add_watch(folder, AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO)?;
        Ok(Self { inotify, name: path.file_name().unwrap_or_default().to_owned() })
    }

    /// Whether it has changed since this was last asked.
    pub(super) fn has_changed(&self) -> bool {
        let mut changed = false;
        while let Ok(events) = self.inotify.read_events() {
            // Without a name, events were lost.
            changed |= events.iter().any(|event| event.name.as_ref().is_none_or(|name| *name == self.name));
        }
        changed
    }
}

impl AsFd for RulesFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
