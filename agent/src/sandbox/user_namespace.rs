//! A network namespace that a user namespace of its own owns: capabilities in that one count over this network and over
//! nothing else. Users are the same in it as outside.
//!
//! Only a process with one thread can make a user namespace, so another process does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

use super::{Error, netns};

/// Every user there is, as themselves (user_namespaces(7)).
const EVERYONE: &str = "0 0 4294967295";

/// Has `helper`, which runs [`help`], make the namespaces, and returns the network's.
///
/// # Errors
/// If it fails; it then has said why to its standard error.
pub fn make_network(mut helper: Command) -> Result<OwnedFd, Error> {
    let failed = || Error::system("make a user namespace");
    let (mut ours, theirs) = UnixStream::pair().map_err(failed())?;
    let mut process = helper.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn().map_err(failed())?;
    // Ours is the only end that it waits for.
    drop(helper);
    let mut talk = || -> Result<OwnedFd, Error> {
        let proc = Path::new("/proc").join(process.id().to_string());
        ours.read_exact(&mut [0]).map_err(failed())?;
        for map in ["uid_map", "gid_map"] {
            let path = proc.join(map);
            fs::write(&path, EVERYONE).map_err(Error::file("write", &path))?;
        }
        ours.write_all(&[1]).and_then(|()| ours.read_exact(&mut [0])).map_err(failed())?;
        netns::open(&proc.join("ns/net"))
    };
    let network = talk();
    drop(ours);
    process.wait().map_err(failed())?;
    network
}

/// The other process's part: makes the one namespace, is told that it is set up, makes the other, and ends when that has
/// been taken. Its standard input is the socket to [`make_network`].
///
/// # Errors
/// If the kernel refuses, or the other side is gone.
pub fn help(mut socket: UnixStream) -> Result<(), Error> {
    let failed = || Error::system("make a user namespace");
    unshare(CloneFlags::CLONE_NEWUSER).map_err(Error::errno("make a user namespace"))?;
    socket.write_all(&[1]).and_then(|()| socket.read_exact(&mut [0])).map_err(failed())?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(Error::errno("create a network namespace"))?;
    socket.write_all(&[1]).map_err(failed())?;
    // The end of the stream; an error is one as well.
    match socket.read(&mut [0]) {
        Ok(_) | Err(_) => Ok(()),
    }
}
