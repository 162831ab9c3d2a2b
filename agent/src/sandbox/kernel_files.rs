//! The files through which a process changes the kernel instead of asking it: read-only in the mount namespace of a
//! command. Root without capabilities owns them still, and one of them (`core_pattern`) names a program for the kernel
//! to start outside of everything.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::Error;

/// Those below `/proc`, which is left writable: a process changes itself there.
const PROC: &[&str] = &["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];
/// File systems that are such files and nothing else, wherever they are mounted: a chroot may have its own.
const TYPES: &[&str] =
    &["bpf", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "pstore", "securityfs", "sysfs", "tracefs"];

/// Makes them read-only in the calling thread's mount namespace.
///
/// # Errors
/// If the kernel refuses.
pub fn make_read_only() -> Result<(), Error> {
    let nothing = None::<&Path>;
    for path in PROC.iter().map(Path::new).filter(|path| path.exists()) {
        mount(Some(path), path, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)
            .map_err(Error::file_errno("mount", path))?;
    }
    let mountinfo = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(mountinfo).map_err(Error::file("read", mountinfo))?;
    mounts_of_kernel(&text).iter().try_for_each(|path| remount(path))
}

/// A mount that lies under another cannot be named any more, and need not be.
fn remount(path: &Path) -> Result<(), Error> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let nothing = None::<&Path>;
    match mount(nothing, path, nothing, flags | harmless, nothing) {
        Ok(()) | Err(nix::Error::ENOENT | nix::Error::EACCES) => Ok(()),
        Err(errno) => Err(Error::file_errno("make read-only", path)(errno)),
    }
}

/// The mount points among them in the text of `/proc/self/mountinfo` (proc(5)), spaces and other escapes resolved.
#[must_use]
pub fn mounts_of_kernel(mountinfo: &str) -> Vec<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        Some((unescape(mount.split(' ').nth(4)?), file_system.split(' ').next()?))
    });
    let is_of_kernel = |(point, kind): &(PathBuf, &str)| match *kind {
        // A process changes itself in its own; another's it has no use for.
        "proc" => point != Path::new("/proc"),
        kind => TYPES.contains(&kind),
    };
    mounts.filter(is_of_kernel).map(|(point, _)| point).collect()
}

fn unescape(path: &str) -> PathBuf {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_found_wherever_they_are_mounted() {
        let mountinfo = "22 1 0:5 / /proc rw - proc proc rw\n23 1 0:6 / /sys rw,nosuid - sysfs sysfs rw\n\
                         24 23 0:7 / /sys/fs/cgroup rw - cgroup2 c rw\n25 22 0:5 /sys /proc/sys rw - proc proc rw\n\
                         26 1 0:9 / /sysroot rw - ext4 /dev/a rw\n27 23 0:8 / /sys/a\\040b rw - debugfs t rw\n\
                         28 1 0:5 / /srv/root/proc rw - proc proc rw\n";
        let expect = ["/sys", "/sys/fs/cgroup", "/proc/sys", "/sys/a b", "/srv/root/proc"].map(PathBuf::from);
        assert_eq!(mounts_of_kernel(mountinfo), expect);
    }
}
