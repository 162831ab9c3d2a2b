//! Network namespaces: made, entered, named, removed. A thread that enters one ends there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::Error;
use super::name::Name;

/// Where `ip netns` looks for named namespaces.
pub const RUN_NETNS: &str = "/run/netns";

/// The path of a named namespace.
#[must_use]
pub fn path(name: &Name) -> PathBuf {
    Path::new(RUN_NETNS).join(name.as_str())
}

/// Moves the calling thread into a new network namespace and returns a descriptor of it.
///
/// # Errors
/// If the kernel refuses, for want of privilege or of `CONFIG_NET_NS`.
pub fn unshare_here() -> Result<OwnedFd, Error> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(Error::errno("create a network namespace"))?;
    current()
}

/// Tries whether namespaces can be made, on a thread of its own, which then ends: nothing else moves.
///
/// # Errors
/// If they cannot.
pub fn probe() -> Result<(), Error> {
    let tried = std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)).join();
    tried.unwrap_or(Err(nix::Error::ECHILD)).map_err(Error::errno("make network and mount namespaces"))
}

/// A descriptor of the calling thread's network namespace; closed on exec, as every file that std opens.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn current() -> Result<OwnedFd, Error> {
    let path = Path::new("/proc/thread-self/ns/net");
    File::open(path).map(OwnedFd::from).map_err(Error::file("open", path))
}

/// Moves the calling thread into a network namespace.
///
/// # Errors
/// If the kernel refuses.
pub fn enter(netns: &OwnedFd) -> Result<(), Error> {
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(Error::errno("enter a network namespace"))
}

/// Opens a named namespace.
///
/// # Errors
/// If there is none.
pub fn open(path: &Path) -> Result<OwnedFd, Error> {
    File::open(path).map(OwnedFd::from).map_err(Error::file("open network namespace", path))
}

/// Gives the calling thread's namespace a name, as `ip netns add` does: a bind mount below `/run/netns`.
///
/// # Errors
/// If the name is taken, or the mount fails.
pub fn publish(path: &Path) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
    }
    OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::file("create", path))?;
    let source = Path::new("/proc/thread-self/ns/net");
    mount(Some(source), path, None::<&Path>, MsFlags::MS_BIND, None::<&Path>)
        .map_err(Error::file_errno("mount the network namespace at", path))
}

/// Removes a name. Processes in the namespace keep it alive, without a way out.
///
/// # Errors
/// If the mount point cannot be removed.
pub fn unpublish(path: &Path) -> Result<(), Error> {
    match umount2(path, MntFlags::MNT_DETACH) {
        // Not mounted: a start that was interrupted between the two steps of `publish`.
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
        Err(errno) => return Err(Error::file_errno("unmount", path)(errno)),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}
