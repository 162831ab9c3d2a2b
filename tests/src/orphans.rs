//! Programs and maps of the agent's that the kernel keeps though no process holds them and no file names them. Those of
//! a session that just ends are among them for a moment; one that stays has leaked.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aya::maps::{MapInfo, loaded_maps};
use aya::programs::loaded_programs;

use crate::wait::within;

const PROGRAMS: [&str; 8] =
    ["client_in", "client_out", "steer", "connect4", "connect6", "sendmsg4", "sendmsg6", "connected"];
const MAPS: [&str; 7] = ["FLOWS", "NAMES", "OWNERS", "BLOCKED", "COUNTERS", "EVENTS", "LISTENERS"];

/// Orphans, by their numbers in the kernel, which are never used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    programs: HashSet<u32>,
    maps: HashSet<u32>,
}

impl Orphans {
    /// Those that there are.
    #[must_use]
    pub fn now() -> Self {
        // First what there is and then who holds it: what is made meanwhile is not looked at.
        let programs: Vec<_> = loaded_programs().flatten().collect();
        let maps: Vec<_> = loaded_maps().flatten().collect();
        let used: HashSet<u32> = programs.iter().filter_map(|program| program.map_ids().ok()?).flatten().collect();
        let (held_programs, held_maps) = held();
        let is_ours = |name: Option<&str>, ours: &[&str]| name.is_some_and(|name| ours.contains(&name));
        let programs = programs.iter().filter(|program| is_ours(program.name_as_str(), &PROGRAMS));
        let maps = maps.iter().filter(|map| is_ours(map.name_as_str(), &MAPS)).map(MapInfo::id);
        Self {
            programs: programs.map(aya::programs::ProgramInfo::id).filter(|id| !held_programs.contains(id)).collect(),
            maps: maps.filter(|id| !held_maps.contains(id) && !used.contains(id)).collect(),
        }
    }

    /// Asserts that all of them go.
    ///
    /// # Panics
    /// If one is still there after `limit`.
    #[track_caller]
    pub fn assert_go_within(&self, limit: Duration) {
        let gone = within(limit, || self.left().is_empty().then_some(()));
        assert!(gone.is_some(), "nobody holds these, and they stay: {:?}", self.left());
    }

    fn left(&self) -> Vec<String> {
        let programs = loaded_programs().flatten().map(|program| program.id()).filter(|id| self.programs.contains(id));
        let maps = loaded_maps().flatten().map(|map| map.id()).filter(|id| self.maps.contains(id));
        programs.map(|id| format!("program {id}")).chain(maps.map(|id| format!("map {id}"))).collect()
    }
}

/// The programs and maps that a process has a descriptor of, or of a link of, and the maps that a file names.
fn held() -> (HashSet<u32>, HashSet<u32>) {
    let (mut programs, mut maps) = (HashSet::new(), HashSet::new());
    for descriptor in entries("/proc", "fd").into_iter().filter(is_of_bpf) {
        let info = descriptor.to_string_lossy().replacen("/fd/", "/fdinfo/", 1);
        let info = fs::read_to_string(info).unwrap_or_default();
        programs.extend(number(&info, "prog_id:"));
        maps.extend(number(&info, "map_id:"));
    }
    let pins = entries("/sys/fs/bpf/agent", "");
    maps.extend(pins.into_iter().filter_map(|pin| MapInfo::from_pin(pin).ok()).map(|map| map.id()));
    (programs, maps)
}

/// What is in `child` of every directory in `parent`.
fn entries(parent: &str, child: &str) -> Vec<PathBuf> {
    let list = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    list(parent.into()).flat_map(|entry| list(entry.join(child))).collect()
}

fn is_of_bpf(descriptor: &PathBuf) -> bool {
    fs::read_link(descriptor).is_ok_and(|link| link.to_string_lossy().contains("bpf"))
}

fn number(info: &str, field: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok())
}
