//! Keeps commands from the services of the host that listen on Unix sockets and would act for them outside: container
//! engines, the session bus, the service manager, ssh-agent, the display. Sockets with a path belong to no network
//! namespace (unix(7)); what the command's mount namespace does not show cannot be connected to.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Error;
use super::session::{Mount, User};

/// What of `/run` is shown all the same: no sockets there, and programs fail without.
const KEPT: &[&str] = &["booted-system", "current-system", "opengl-driver", "udev/data"];
/// Directories elsewhere that are there for sockets, of which more may be made any time.
const ELSEWHERE: &[&str] = &["/tmp/.X11-unix", "/tmp/.ICE-unix"];
/// A device by which user 0 speaks to the host's vsock sockets as a virtual machine does (drivers/vhost/vsock.c).
const DEVICE: &str = "/dev/vhost-vsock";
/// Where sockets that exist are listed: for this network namespace, and for that of the host's first process.
const LISTS: &[&str] = &["/proc/net/unix", "/proc/1/net/unix"];

/// What is mounted, in this order and after `mounts`, so that no socket of the host is left to be seen: over `/run` a
/// tree made below the session's `directory`, empty but for what is kept, files that `mounts` replaces, `shown` (a
/// directory of this session's) and a runtime directory for the user; nothing over what is elsewhere.
///
/// # Errors
/// If the tree cannot be made.
pub fn hide(directory: &Path, shown: &Path, mounts: &[Mount], user: &User) -> Result<Vec<Mount>, Error> {
    let (run, nothing, empty) = (directory.join("run"), directory.join("nothing"), directory.join("empty"));
    make(&nothing, 0o555)?;
    fs::write(&empty, "").map_err(Error::file("write", &empty))?;
    let real = Path::new("/run");
    let in_tree = |path: &Path| run.join(path.strip_prefix(real).unwrap_or(path));
    let mut hidden = Vec::new();
    for target in elsewhere(user) {
        let source = if target.is_dir() { nothing.clone() } else { empty.clone() };
        hidden.push(Mount { source, target });
    }
    for Mount { source, target } in
        mounts.iter().filter(|mount| mount.target.starts_with(real) && mount.target.is_file())
    {
        let target = in_tree(target);
        target.parent().map_or(Ok(()), |parent| make(parent, 0o755))?;
        fs::write(&target, "").map_err(Error::file("write", &target))?;
        hidden.push(Mount { source: source.clone(), target });
    }
    let kept = KEPT.iter().map(|name| real.join(name)).filter(|path| path.is_dir());
    for source in kept.chain([shown.to_owned()]) {
        let target = in_tree(&source);
        make(&target, 0o755)?;
        hidden.push(Mount { source, target });
    }
    make(&run.join("lock"), 0o1777)?;
    let runtime = run.join("user").join(user.uid.to_string());
    make(&runtime, 0o700)?;
    std::os::unix::fs::chown(&runtime, Some(user.uid), Some(user.gid)).map_err(Error::file("give away", &runtime))?;
    hidden.push(Mount { source: run, target: real.to_owned() });
    Ok(hidden)
}

/// What is mounted so that nothing of `target`, a directory, is seen: an empty one below the session's `directory`.
///
/// # Errors
/// If that cannot be made.
pub fn instead(directory: &Path, target: PathBuf) -> Result<Mount, Error> {
    let source = directory.join("nothing");
    make(&source, 0o555)?;
    Ok(Mount { source, target })
}

fn make(path: &Path, mode: u32) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(Error::file("create", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file("protect", path))
}

/// Directories and single sockets outside of `/run`. One that lies in a directory which is hidden is hidden with it.
fn elsewhere(user: &User) -> Vec<PathBuf> {
    let directories = ELSEWHERE.iter().map(PathBuf::from).chain([format!("/tmp/tmux-{}", user.uid).into()]);
    let mut hidden: Vec<PathBuf> = directories.filter(|path| path.is_dir()).collect();
    let lists = LISTS.iter().filter_map(|list| fs::read_to_string(list).ok());
    let mut sockets: Vec<PathBuf> =
        lists.flat_map(|list| bound(&list)).filter_map(|path| path.canonicalize().ok()).collect();
    sockets.sort();
    sockets.dedup();
    sockets.retain(|path| !path.starts_with("/run") && !hidden.iter().any(|directory| path.starts_with(directory)));
    sockets.retain(|path| fs::metadata(path).is_ok_and(|file| file.file_type().is_socket()));
    hidden.extend(sockets);
    hidden.extend([PathBuf::from(DEVICE)].into_iter().filter(|path| path.exists()));
    hidden
}

/// The paths in the text of `/proc/net/unix` (unix(7)), abstract names left out.
#[must_use]
pub fn bound(list: &str) -> Vec<PathBuf> {
    // After seven fields, as it is: a path may have spaces.
    let path = |line| (0..7).try_fold(line, |rest: &str, _| rest.trim_start().split_once(' ').map(|(_, rest)| rest));
    list.lines().filter_map(path).filter(|path| path.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn sockets_with_a_path_are_found() {
        let list = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/docker.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03   999\n\
            0000000000000000: 00000002 00000000 00010000 0001 01    77 @/tmp/.X11-unix/X0\n\
            0000000000000000: 00000002 00000000 00010000 0001 01    78 /tmp/a b.sock\n";
        let expect = ["/run/docker.sock", "/tmp/a b.sock"].map(Into::<std::path::PathBuf>::into);
        assert_eq!(bound(list), expect);
    }
}
