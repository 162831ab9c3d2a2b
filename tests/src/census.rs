//! How much of everything the machine holds that a session is made of. Counted over the whole machine: what others run
//! on it counts as well.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};

/// Kernel objects, which have to be as many afterwards, and memory, which may breathe.
#[derive(Clone, Debug, Default)]
pub struct Census(BTreeMap<&'static str, u64>);

/// By how many KiB each kind of memory may grow.
const BREATH: [(&str, u64); 3] = [
    ("resident memory of this process, KiB", 8 << 10),
    ("kernel memory, KiB", 64 << 10),
    ("memory per CPU, KiB", 8 << 10),
];

impl Census {
    /// Counts.
    ///
    /// # Panics
    /// If `/proc` cannot be read.
    #[must_use]
    pub fn now() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let cgroups = fs::read_to_string("/sys/fs/cgroup/cgroup.stat").unwrap_or_default();
        let count = |path: &str| fs::read_dir(path).into_iter().flatten().count() as u64;
        let length = |usize: usize| usize as u64;
        Self(BTreeMap::from([
            ("programs", length(loaded_programs().flatten().count())),
            ("maps", length(loaded_maps().flatten().count())),
            ("links", length(loaded_links().flatten().count())),
            ("namespaces, by processes and descriptors", namespaces()),
            ("namespaces, by name", count("/run/netns")),
            ("sessions", count("/run/agent")),
            ("pins", count("/sys/fs/bpf/agent")),
            ("mounts", length(fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count())),
            ("control groups", number(&cgroups, "nr_descendants")),
            ("control groups that are dying", number(&cgroups, "nr_dying_descendants")),
            ("descriptors of this process", count("/proc/self/fd")),
            ("resident memory of this process, KiB", number(&status, "VmRSS:")),
            ("kernel memory, KiB", number(&meminfo, "SUnreclaim:")),
            ("memory per CPU, KiB", number(&meminfo, "Percpu:")),
        ]))
    }

    /// What there is more of than `before`, beyond what it may be more.
    #[must_use]
    pub fn grown_since(&self, before: &Self) -> Vec<String> {
        let may = |what: &str| BREATH.iter().find(|(memory, _)| *memory == what).map_or(0, |(_, breath)| *breath);
        let both = self.0.iter().map(|(what, now)| (*what, before.0[what], *now));
        let grown = both.filter(|(what, before, now)| *now > before + may(what));
        grown.map(|(what, before, now)| format!("{what}: {before}, then {now}")).collect()
    }

    /// A line for everything, with how many there were at each of `times`.
    #[must_use]
    pub fn table(times: &[(&str, Self)]) -> String {
        let head: String = times.iter().map(|(when, _)| format!("{when:>16}")).collect();
        let mut table = format!("{:<42}{head}\n", "");
        for what in times.first().map(|(_, census)| census.0.keys()).into_iter().flatten() {
            let cells: String = times.iter().map(|(_, census)| format!("{:>16}", census.0[what])).collect();
            table.push_str(&format!("{what:<42}{cells}\n"));
        }
        table
    }
}

/// The network namespaces that processes are in or hold.
fn namespaces() -> u64 {
    let mut inodes = HashSet::new();
    for process in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_network = |path: &Path| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("net:"));
        let held = descriptors.chain([process.join("ns/net")]).filter(|path| is_network(path));
        inodes.extend(held.filter_map(|path| Some(fs::metadata(path).ok()?.ino())));
    }
    inodes.len() as u64
}

/// The number that follows a word at the start of a line.
fn number(text: &str, word: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
