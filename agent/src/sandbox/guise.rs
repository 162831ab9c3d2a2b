//! Acting on files as another user, for a moment: what root could write and that user could not stays as it is.

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgroups, setfsgid, setfsuid, setgroups};

use super::Error;
use super::session::User;

/// Calls `act`, whose access to files is that of `user`. Supplementary groups change for the whole process meanwhile:
/// to be used while it has no other thread that minds.
///
/// # Errors
/// If the process may not do this; `act` was not called then.
pub fn as_user<T>(user: &User, act: impl FnOnce() -> T) -> Result<T, Error> {
    let own = getgroups().map_err(Error::errno("read the supplementary groups"))?;
    let theirs: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let set = |groups: &[Gid]| setgroups(groups).map_err(Error::errno("set the supplementary groups"));
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set(&theirs)?;
    // Without capabilities over files, which the kernel takes as long as the user is not root.
    let (own_gid, own_uid) = (setfsgid(gid), setfsuid(uid));
    // They do not say whether they worked, but what was set before.
    let result = if (setfsgid(gid), setfsuid(uid)) == (gid, uid) {
        Ok(act())
    } else {
        Err(Errno::EPERM).map_err(Error::errno("act as another user"))
    };
    setfsuid(own_uid);
    setfsgid(own_gid);
    set(&own)?;
    result
}
