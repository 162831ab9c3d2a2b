//! Maps pinned in the BPF file system, so that `agent stats` needs nothing from the agent's processes.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use agent_common::maps;
use agent_common::owner::OWNERS;
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::Error;
use super::dataplane::Dataplane;

/// Where the BPF file system belongs.
pub const BPFFS: &str = "/sys/fs/bpf";
/// What is pinned.
pub(super) const PINNED: [&str; 5] = [maps::FLOWS, maps::NAMES, OWNERS, maps::BLOCKED, maps::COUNTERS];

/// Where the maps of a session are pinned.
#[must_use]
pub fn directory(name: &str) -> PathBuf {
    Path::new(BPFFS).join("agent").join(name)
}

/// Whether the BPF file system is mounted.
#[must_use]
pub fn is_mounted() -> bool {
    statfs(BPFFS).is_ok_and(|stat| stat.filesystem_type() == BPF_FS_MAGIC)
}

/// Mounts the BPF file system.
///
/// # Errors
/// If the kernel refuses.
pub fn mount_bpffs() -> Result<(), Error> {
    let nothing = None::<&Path>;
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), nothing).map_err(|errno| Error::Bpffs {
        op: "mount the BPF file system at",
        path: BPFFS.into(),
        source: errno.into(),
    })
}

/// Pins the maps, readable by root only and writable by nobody.
///
/// # Errors
/// If the directory or a pin cannot be made.
pub fn pin(dataplane: &Dataplane, directory: &Path) -> Result<(), Error> {
    let failed = |op, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Bpffs { op, path, source }
    };
    fs::create_dir_all(directory).map_err(failed("create", directory))?;
    for name in PINNED {
        let path = directory.join(name);
        dataplane.map(name)?.pin(&path).map_err(|error| failed("pin", &path)(io::Error::other(error)))?;
        fs::set_permissions(&path, Permissions::from_mode(0o400)).map_err(failed("protect", &path))?;
    }
    Ok(())
}
