//! Giving up privilege for good. Both the worker and the command pass through here.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::Error;
use super::allowances::{Allowance, Allowances};
use super::session::User;
use super::standing::Standing;
use super::{domain, syscalls};

/// What root of a network namespace has over it.
const NET_ADMIN: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

/// Makes the calling, single-threaded process the worker: that user, without any capability, now and after any exec,
/// unable to open a file except below its working directory if it `records` there, and killed when the thread that
/// started it ends. The working directory becomes the root of all that it sees.
///
/// # Errors
/// If anything of it fails or did not take; the process must then end.
pub fn become_worker(user: &User, records: bool) -> Result<(), Error> {
    if records {
        // Its files are the group's as well, which is that of the directory.
        umask(Mode::S_IRWXO);
        domain::keep_to_directory()?;
    } else {
        domain::leave_files()?;
    }
    become_user(user, &CapsHashSet::new())?;
    prctl::set_no_new_privs().map_err(Error::errno("set NO_NEW_PRIVS"))?;
    tie_to_parent(Some(Signal::SIGKILL))?;
    syscalls::confine_worker()
}

/// Makes the calling, single-threaded process a command: that user, with no more than `allowances` give, and has it sent
/// `parent_death` when the thread that started it ends. Without [`Allowance::Host`], other processes are out of reach.
///
/// # Errors
/// If anything of it fails or did not take; the process must then end.
pub fn become_command(user: &User, allowances: &Allowances, parent_death: Option<Signal>) -> Result<(), Error> {
    let kept: CapsHashSet =
        if allowances.has(Allowance::NetAdmin) { NET_ADMIN.into_iter().collect() } else { CapsHashSet::new() };
    if !allowances.has(Allowance::Host) {
        domain::leave_processes()?;
    }
    become_user(user, &kept)?;
    if !allowances.has(Allowance::NewPrivs) {
        prctl::set_no_new_privs().map_err(Error::errno("set NO_NEW_PRIVS"))?;
    }
    tie_to_parent(parent_death)?;
    syscalls::confine_command(allowances)?;
    Standing::own()?.require(&expected(user, allowances))
}

/// What a process of `user` has to look like that became a command.
fn expected(user: &User, allowances: &Allowances) -> Standing {
    let capabilities = if allowances.has(Allowance::NetAdmin) { bits(&NET_ADMIN) } else { 0 };
    let new_privs = allowances.has(Allowance::NewPrivs);
    Standing {
        capabilities,
        no_new_privs: !new_privs,
        filtered: !new_privs && !allowances.has(Allowance::AllSyscalls),
        ..worker(user)
    }
}

/// What the worker has to look like.
#[must_use]
pub fn worker(user: &User) -> Standing {
    let mut groups = user.groups.clone();
    groups.sort_unstable();
    Standing {
        uids: vec![user.uid; 4],
        gids: vec![user.gid; 4],
        groups,
        capabilities: 0,
        no_new_privs: true,
        filtered: true,
    }
}

fn bits(capabilities: &[Capability]) -> u64 {
    capabilities.iter().fold(0, |bits, capability| bits | capability.bitmask())
}

/// Changes the identity and keeps of all capabilities only `kept`, also over an exec.
fn become_user(user: &User, kept: &CapsHashSet) -> Result<(), Error> {
    let none = CapsHashSet::new();
    set(CapSet::Ambient, &none)?;
    // Before the rest: it takes a capability, and is what keeps an exec by uid 0 from getting any back.
    for capability in caps::read(None, CapSet::Bounding).map_err(io::Error::other).map_err(failed())?.difference(kept) {
        caps::drop(None, CapSet::Bounding, *capability).map_err(io::Error::other).map_err(failed())?;
    }
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&groups).map_err(Error::errno("set the supplementary groups"))?;
    setresgid(gid, gid, gid).map_err(Error::errno("set the group"))?;
    // Or the change of user would take them all.
    prctl::set_keepcaps(!kept.is_empty()).map_err(Error::errno("keep capabilities"))?;
    setresuid(uid, uid, uid).map_err(Error::errno("set the user"))?;
    // Each set within the one before it, as the kernel wants it.
    for (kind, capabilities) in [
        (CapSet::Effective, &none),
        (CapSet::Permitted, kept),
        (CapSet::Inheritable, kept),
        (CapSet::Effective, kept),
        (CapSet::Ambient, kept),
    ] {
        set(kind, capabilities)?;
    }
    Ok(())
}

fn set(kind: CapSet, capabilities: &CapsHashSet) -> Result<(), Error> {
    caps::set(None, kind, capabilities).map_err(io::Error::other).map_err(failed())
}

fn failed() -> impl FnOnce(io::Error) -> Error {
    Error::system("drop capabilities")
}

/// After the change of user, which clears it.
fn tie_to_parent(parent_death: Option<Signal>) -> Result<(), Error> {
    prctl::set_pdeathsig(parent_death).map_err(Error::errno("tie the process to its parent"))
}
