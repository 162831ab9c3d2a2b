//! Giving up privilege for good. Both the worker and the command pass through here.

use std::io;

use caps::CapSet;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::Error;
use super::session::User;

/// Makes the calling, single-threaded process that user without any capability, now and after any exec, and has it sent
/// `parent_death` when the thread that started it ends.
///
/// # Errors
/// If anything of it fails; the process must then end.
pub fn become_user(user: &User, parent_death: Option<Signal>) -> Result<(), Error> {
    // Emptied first: it takes a capability to do, and is what keeps an exec by uid 0 from getting any back.
    clear(CapSet::Bounding)?;
    clear(CapSet::Ambient)?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&groups).map_err(Error::errno("set the supplementary groups"))?;
    setresgid(gid, gid, gid).map_err(Error::errno("set the group"))?;
    setresuid(uid, uid, uid).map_err(Error::errno("set the user"))?;
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        clear(set)?;
    }
    prctl::set_no_new_privs().map_err(Error::errno("set NO_NEW_PRIVS"))?;
    // After the change of user, which clears it.
    prctl::set_pdeathsig(parent_death).map_err(Error::errno("tie the process to its parent"))?;
    verify()
}

fn clear(set: CapSet) -> Result<(), Error> {
    caps::clear(None, set).map_err(io::Error::other).map_err(Error::system("drop capabilities"))
}

/// What was set is read back: a process that kept something must not go on.
fn verify() -> Result<(), Error> {
    for set in [CapSet::Bounding, CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        let left = caps::read(None, set).map_err(io::Error::other).map_err(Error::system("read capabilities"))?;
        if !left.is_empty() {
            return Err(Error::System { op: "drop capabilities", source: io::Error::other(format!("kept {left:?}")) });
        }
    }
    Ok(())
}
