//! What looks into the kernel or programs it: performance events, BPF, and the session's own maps.

use std::fs::{self, File};
use std::path::Path;

use nix::libc;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "perf-and-bpf",
    what: "perf_event_open(2), bpf(2), and the session's pinned maps",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp, mode, read-only mount", errors: &["EPERM", "EACCES", "EROFS"] },
};

/// `BPF_MAP_CREATE`, `BPF_PROG_LOAD`, `BPF_OBJ_GET`, `BPF_MAP_GET_FD_BY_ID` (linux/bpf.h).
const COMMANDS: [(&str, u32); 4] =
    [("BPF_MAP_CREATE", 0), ("BPF_PROG_LOAD", 5), ("BPF_OBJ_GET", 7), ("BPF_MAP_GET_FD_BY_ID", 14)];

fn attempt(target: &Target) -> Vec<Step> {
    // Attributes that no kernel takes: one that has the call says EFAULT.
    let bpf = COMMANDS.map(|(what, command)| Step::of(what, raw::call(libc::SYS_bpf, [command, 0, 64, 0])));
    let pins = Path::new("/sys/fs/bpf/agent").join(&target.session);
    let flows = File::options().write(true).open(pins.join("FLOWS"));
    let mut steps = vec![
        Step::of("perf_event_open", raw::call(libc::SYS_perf_event_open, [0; 4])),
        Step::of("opening FLOWS", flows),
        Step::of("renaming FLOWS", fs::rename(pins.join("FLOWS"), pins.join("FLOWS"))),
    ];
    steps.extend(bpf);
    steps
}
