//! What `/proc` links to of processes outside: their namespaces, roots, directories and descriptors.

use std::fs::{self, File};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "proc-ns",
    what: "/proc/PID/{ns/*,root,cwd,fd} of process 1, a host process, the supervisor and the worker",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "Landlock", errors: &["EACCES", "EPERM"] },
};

const LINKS: &[&str] = &["ns/net", "ns/mnt", "ns/user", "ns/pid"];
const DIRECTORIES: &[&str] = &["root/", "cwd/"];

fn attempt(target: &Target) -> Vec<Step> {
    let processes = [1].into_iter().chain(target.others());
    processes.flat_map(|pid| steps(&format!("/proc/{pid}"))).collect()
}

fn steps(process: &str) -> Vec<Step> {
    let links = LINKS.iter().map(|name| opened(format!("{process}/{name}")));
    let directories = DIRECTORIES.iter().map(|name| {
        let path = format!("{process}/{name}");
        let listed = fs::read_dir(&path);
        Step::of(path, listed)
    });
    links.chain(directories).chain(descriptors(process)).collect()
}

/// User 0 may list their numbers, which says nothing of what they are.
fn descriptors(process: &str) -> Vec<Step> {
    let Ok(listed) = fs::read_dir(format!("{process}/fd")) else { return vec![opened(format!("{process}/fd"))] };
    listed.flatten().map(|entry| opened(entry.path().display().to_string())).collect()
}

fn opened(path: String) -> Step {
    let opened = File::open(&path);
    Step::of(path, opened)
}
