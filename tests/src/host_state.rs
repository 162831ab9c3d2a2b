//! The network state of a host, as text that is compared before, during and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::netns::Netns;
use crate::process;

/// Sysctls that change by themselves.
const VOLATILE: [&str; 2] = ["nf_conntrack_count", "tcp_fastopen_key"];

/// Rules, links, addresses, routes, neighbours and sysctls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostState(BTreeMap<String, String>);

impl HostState {
    /// Reads all of it.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn of(netns: &Netns) -> Self {
        let mut state = netns.enter(sysctls);
        let mut read = |command: &str| {
            let mut words = command.split(' ');
            let output = process::run(netns.command(words.next().unwrap()).args(words));
            state.insert(command.to_owned(), without_timers(output.ok()));
        };
        read("nft list ruleset");
        for family in ["-4", "-6"] {
            for object in ["address show", "route show table all", "rule show", "neighbour show nud all"] {
                read(&format!("ip {family} -oneline {object}"));
            }
        }
        read("ip -oneline -details link show");
        read("tc qdisc show");
        for file in ["/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"] {
            state.insert(file.to_owned(), fs::read_to_string(file).unwrap());
        }
        Self(state)
    }

    /// Asserts that nothing differs.
    ///
    /// # Panics
    /// With what differs.
    #[track_caller]
    pub fn assert_same(&self, now: &Self) {
        let keys: std::collections::BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        for key in keys {
            assert_eq!(self.0.get(key), now.0.get(key), "{key} differs");
        }
    }
}

/// Bridges say how far their timers are.
fn without_timers(text: &str) -> String {
    let mut is_timer = false;
    let words = text.split_inclusive(' ').filter(|word| {
        let was_timer = is_timer;
        is_timer = word.trim_end().ends_with("_timer") || was_timer && word.trim().is_empty();
        !was_timer
    });
    words.collect()
}

/// All of `/proc/sys/net` as the calling thread's namespace has it.
fn sysctls() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(Path::new("/proc/sys/net"), &mut found);
    assert!(found.len() > 100, "only {} sysctls", found.len());
    found
}

fn collect(directory: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let volatile = VOLATILE.iter().any(|name| path.ends_with(name));
        if path.is_dir() {
            collect(&path, found);
        } else if !volatile && let Ok(value) = fs::read_to_string(&path) {
            // Those that can only be written are left out.
            found.insert(path.display().to_string(), value);
        }
    }
}
