//! Memory that looks like a directory: where many small files are made that live no longer than the session. Quick to
//! fill on any host, gone at one stroke.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::Error;

/// The most that the files together may take.
const OPTIONS: &str = "size=64m,mode=755";

/// Makes the directory and mounts the memory on it.
///
/// # Errors
/// If the kernel refuses.
pub fn create(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("create", path))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("agent"), path, Some("tmpfs"), flags, Some(OPTIONS)).map_err(Error::file_errno("mount a tmpfs at", path))
}

/// Removes it with all that is in it.
///
/// # Errors
/// If it cannot be unmounted.
pub fn remove(path: &Path) -> Result<(), Error> {
    match umount2(path, MntFlags::MNT_DETACH) {
        // Not mounted: a start that was interrupted between the two steps of `create`.
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
        Err(errno) => return Err(Error::file_errno("unmount", path)(errno)),
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}
