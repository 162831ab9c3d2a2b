//! Names and directories that belong to this process, and the removal of those whose process has died.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tools;

/// How every name of ours begins: `agtest-PID-NUMBER`.
const PREFIX: &str = "agtest-";

/// Where sessions of users without a home are recorded.
const SYSTEM_CAPTURES: &str = "/var/lib/agent/captures";

/// A name that nobody else uses; it names this process.
#[must_use]
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory that goes with its value; readable by everyone, as commands run as other users.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique());
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it, as text.
    ///
    /// # Panics
    /// If the path is no text.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file in it.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.file(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

/// Removes, once, what runs that were killed have left: namespaces with their processes, sessions, directories.
pub fn remove_dead() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in dead_names(Path::new("/run/agent")) {
            run(tools::agent_binary().to_str().unwrap(), &["down", &name]);
        }
        for name in dead_names(Path::new("/run/netns")) {
            kill_all_in(&name);
            run("ip", &["netns", "del", &name]);
        }
        for folder in fs::read_dir(SYSTEM_CAPTURES).into_iter().flatten().flatten().map(|entry| entry.path()) {
            for name in dead_names(&folder) {
                fs::remove_dir_all(folder.join(name)).unwrap_or_default();
            }
        }
        for name in dead_names(&std::env::temp_dir()) {
            if let Err(error) = fs::remove_dir_all(std::env::temp_dir().join(&name)) {
                eprintln!("{name}: {error}");
            }
        }
    });
}

/// Our names in a directory whose process is gone.
fn dead_names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| owner(name).is_some_and(|pid| !Path::new("/proc").join(pid).exists())).collect()
}

fn owner(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.split('-').next()
}

fn kill_all_in(netns: &str) {
    let output = tools::command("ip").args(["netns", "pids", netns]).output().unwrap();
    for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap_or_default();
    }
}

fn run(program: &str, args: &[&str]) {
    match tools::command(program).args(args).output() {
        Ok(output) if output.status.success() => {}
        other => eprintln!("{program} {args:?}: {other:?}"),
    }
}
