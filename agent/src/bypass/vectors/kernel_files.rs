//! Files that change the kernel, some of which name a program for it to start outside of everything. They are opened,
//! and not written to.

use std::fs::File;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "kernel-files",
    what: "core_pattern, modprobe, binfmt_misc, sysrq-trigger, uevent_helper and others, opened for writing",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "read-only mount, mode", errors: &["EROFS", "EACCES", "ENOENT", "EPERM"] },
};

const FILES: &[&str] = &[
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/usermodehelper/bset",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/debug/tracing/trace_on",
    "/sys/kernel/tracing/kprobe_events",
    "/sys/kernel/security/apparmor/.load",
    "/sys/power/state",
    "/sys/module/kernel/parameters/panic",
];

fn attempt(_target: &Target) -> Vec<Step> {
    FILES.iter().map(|path| Step::of(*path, File::options().write(true).open(path))).collect()
}
