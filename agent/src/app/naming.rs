//! Names for what the kernel knows by number: users and control groups, looked up when somebody is to read them.

use std::collections::HashMap;
use std::path::Path;

use nix::unistd::{Uid, User};

use crate::engine::process::Process;
use crate::engine::stats::Snapshot;
use crate::sandbox::cgroup;

/// Names the users and control groups of a snapshot; `session` is the session's own group. What has no name, or is
/// gone, stays a number.
pub(super) fn name(snapshot: &mut Snapshot, session: &Path) {
    let groups = cgroup::below(session);
    let mut users = HashMap::new();
    let connections = snapshot.connections.iter_mut().filter_map(|connection| connection.process.as_mut());
    let attempts = snapshot.attempts.iter_mut().filter_map(|attempt| attempt.process.as_mut());
    for process in connections.chain(attempts) {
        process.user = users.entry(process.uid).or_insert_with_key(|uid| user(*uid)).clone();
        process.cgroup_path = path(process, &groups);
    }
}

fn user(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

fn path(process: &Process, groups: &HashMap<u64, std::path::PathBuf>) -> Option<String> {
    groups.get(&process.cgroup).map(|path| path.to_string_lossy().into_owned())
}
