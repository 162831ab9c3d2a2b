//! Files of the agent: what it will undo, what it tells, what it logs. They are opened, and not written to.

use std::fs::File;
use std::path::PathBuf;

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "agents-files",
    what: "/run/agent/NAME/{journal,session.json,log,lock}, /run/netns/NAME and /etc/netns/NAME",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "mounts", errors: &["ENOENT", "EROFS", "EACCES"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let name = &target.session;
    let state = ["journal", "session.json", "log", "lock", "resolv.conf"];
    let mut files: Vec<PathBuf> = state.iter().map(|file| format!("/run/agent/{name}/{file}").into()).collect();
    files.push(format!("/run/netns/{name}").into());
    let read = files.iter().map(|path| Step::of(format!("reading {}", path.display()), File::open(path)));
    let mut steps: Vec<Step> = read.collect();
    // User 0 owns everything in /etc; what is there of the agent is for `ip netns exec`.
    let shared = (target.level == Level::User).then(|| PathBuf::from(format!("/etc/netns/{name}/resolv.conf")));
    let open = |path: &PathBuf| File::options().append(true).open(path);
    steps.extend(files.iter().chain(&shared).map(|path| Step::of(format!("writing {}", path.display()), open(path))));
    steps
}
