//! The control group of a session's commands: where they are counted, found and, at the end, ended.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Error;
use super::name::Name;

/// How long processes that outlive the command are given to end on SIGTERM before they are killed.
pub const GRACE: Duration = Duration::from_secs(2);

/// Where the session's group is, below wherever cgroup v2 is mounted (on hybrid hosts that is not `/sys/fs/cgroup`).
///
/// # Errors
/// [`Error::Missing`] if cgroup v2 is not mounted.
pub fn path(name: &Name) -> Result<PathBuf, Error> {
    let mountinfo = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(mountinfo).map_err(Error::file("read", mountinfo))?;
    let root = cgroup2_mount(&text).ok_or_else(|| Error::Missing {
        what: "cgroup v2 is not mounted".into(),
        remedy: "mount it: `mount -t cgroup2 none /sys/fs/cgroup`",
    })?;
    Ok(root.join("agent").join(name.as_str()))
}

/// The mount point of cgroup v2 in the text of `/proc/self/mountinfo` (proc(5)).
#[must_use]
pub fn cgroup2_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let is_cgroup2 = file_system.split(' ').next()? == "cgroup2";
        is_cgroup2.then(|| mount.split(' ').nth(4)).flatten().map(PathBuf::from)
    })
}

/// Makes the group.
///
/// # Errors
/// If the kernel refuses, as in a container with a read-only cgroup mount.
pub fn create(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("create control group", path))
}

/// Moves the calling process into the group.
///
/// # Errors
/// If the group is gone or the kernel refuses.
pub fn join(path: &Path) -> Result<(), Error> {
    let procs = path.join("cgroup.procs");
    fs::write(&procs, "0").map_err(Error::file("join control group", &procs))
}

/// The processes in the group and in those below it.
#[must_use]
pub fn processes(path: &Path) -> Vec<i32> {
    let groups = below(path).into_values().map(|group| path.join(group.strip_prefix("/").unwrap_or(&group)));
    let lists = groups.map(|group| fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default());
    lists.flat_map(|list| list.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Kills every process in the group and in those below it.
///
/// # Errors
/// If the kernel refuses.
pub fn kill_all(path: &Path) -> Result<(), Error> {
    let kill = path.join("cgroup.kill");
    fs::write(&kill, "1").map_err(Error::file("kill the processes of", &kill))
}

/// The group and all below it, each by the number that the kernel knows it by; the group itself is `/`. One that goes
/// meanwhile is left out.
#[must_use]
pub fn below(path: &Path) -> HashMap<u64, PathBuf> {
    let mut groups = HashMap::new();
    let mut left = vec![path.to_owned()];
    while let Some(group) = left.pop() {
        let Ok(metadata) = fs::metadata(&group) else { continue };
        let entries = fs::read_dir(&group).into_iter().flatten().flatten();
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        left.extend(directories.map(|entry| entry.path()));
        groups.insert(metadata.ino(), Path::new("/").join(group.strip_prefix(path).unwrap_or(&group)));
    }
    groups
}

/// Asks every process in the group to end, and waits for that, but not longer than `patience`.
pub fn end(path: &Path, patience: Duration) {
    for pid in processes(path) {
        // One that has ended meanwhile is one less to wait for.
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap_or_default();
    }
    wait_until_empty(path, patience);
}

/// Waits until the group has no process, but not longer than `patience`; true if it has none.
pub fn wait_until_empty(path: &Path, patience: Duration) -> bool {
    let Ok(events) = fs::File::open(path.join("cgroup.events")) else { return true };
    let deadline = Instant::now() + patience;
    loop {
        let populated = fs::read_to_string(path.join("cgroup.events")).is_ok_and(|text| text.contains("populated 1"));
        let left = deadline.saturating_duration_since(Instant::now());
        if !populated || left.is_zero() {
            return !populated;
        }
        // The kernel signals a change of this file as an exceptional condition.
        let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&events), PollFlags::POLLPRI)];
        let timeout = PollTimeout::try_from(left.min(Duration::from_millis(50))).unwrap_or(PollTimeout::ZERO);
        if poll(&mut fds, timeout).is_err() {
            return false;
        }
    }
}

/// Kills whatever is left in the group and removes it, and the folder of all sessions' groups if it was the last.
///
/// # Errors
/// If a process cannot be killed, or the group not removed.
pub fn remove(path: &Path) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    if !processes(path).is_empty() {
        kill_all(path)?;
    }
    wait_until_empty(path, GRACE);
    // What processes of the session may have made in it goes first.
    let mut groups: Vec<PathBuf> = below(path).into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.components().count()));
    groups.iter().try_for_each(|group| remove_empty(&path.join(group.strip_prefix("/").unwrap_or(group))))?;
    match path.parent() {
        // Other sessions' groups may be in it.
        Some(parent) => remove_empty(parent).or(Ok(())),
        None => Ok(()),
    }
}

fn remove_empty(path: &Path) -> Result<(), Error> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove control group", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::{below, cgroup2_mount};

    #[test]
    fn cgroup2_is_found_wherever_it_is_mounted() {
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        let hybrid = "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw shared:2 - cgroup2 cgroup2 rw";
        let check = |text: &str, expect: Option<&str>| assert_eq!(cgroup2_mount(text), expect.map(Into::into));
        check(unified, Some("/sys/fs/cgroup"));
        check(hybrid, Some("/sys/fs/cgroup/unified"));
        check("1 0 8:1 / / rw - ext4 /dev/sda1 rw", None);
        check("garbage", None);
    }

    #[test]
    fn groups_are_found_by_the_inodes_of_their_directories() {
        let root = std::env::temp_dir().join(format!("agent-cgroup-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("cgroup.procs"), "").unwrap();
        let inode = |path: &str| fs::metadata(root.join(path)).unwrap().ino();
        let expect =
            [("", "/"), ("a", "/a"), ("a/b", "/a/b")].map(|(path, name)| (inode(path), Path::new(name).into()));
        assert_eq!(below(&root), expect.into());
        fs::remove_dir_all(&root).unwrap();
        assert!(below(&root).is_empty());
    }
}
