//! Leaving the session's control group, which says whose a connection is and what ends with the session.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "cgroup-escape",
    what: "joining the root's control group or the parent's, or making one below the own",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "read-only mount, mode", errors: &["EROFS", "EACCES", "ENOENT"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let groups = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next().filter(|_| fields.next() == Some("cgroup2")).map(PathBuf::from)
    });
    let steps: Vec<Step> = groups.flat_map(|root| steps(&root, &target.session)).collect();
    if steps.is_empty() { vec![Step::absent("control groups", "none is mounted")] } else { steps }
}

fn steps(root: &Path, session: &str) -> Vec<Step> {
    let parent = root.join("agent");
    let own = parent.join(session);
    let join = |group: &Path| File::options().write(true).open(group.join("cgroup.procs"));
    vec![
        Step::of("the root's", join(root)),
        Step::of("the parent's", join(&parent)),
        Step::of("a new one", fs::create_dir(own.join("below"))),
    ]
}
