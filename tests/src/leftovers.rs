//! What a session leaves in the system. Everything is looked for by the session's name or by numbers that were read
//! while it lived, so that other sessions on the machine do not disturb.

use std::fs;
use std::path::{Path, PathBuf};

use aya::maps::MapInfo;
use aya::programs::loaded_programs;
use nix::unistd::Pid;

use crate::procfs::children;
use crate::wait::within;

const BPF: &str = "/sys/fs/bpf/agent";

/// The traces that a session may leave.
pub struct Leftovers {
    name: String,
    processes: Vec<Pid>,
    programs: Vec<u32>,
    maps: Vec<u32>,
}

impl Leftovers {
    /// Those that bear the name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned(), processes: Vec::new(), programs: Vec::new(), maps: Vec::new() }
    }

    /// Those of a session that is up: its processes, programs and maps as well.
    ///
    /// # Panics
    /// If the session cannot be read.
    #[must_use]
    pub fn of_running(name: &str) -> Self {
        let lock = fs::read_to_string(Path::new("/run/agent").join(name).join("lock")).unwrap();
        let supervisor = Pid::from_raw(lock.trim().parse().unwrap());
        // As the supervisor sees it, which may be in a mount namespace of its own.
        let pin = format!("/proc/{supervisor}/root{BPF}/{name}/FLOWS");
        let flows = MapInfo::from_pin(pin).unwrap().id();
        let users = loaded_programs().flatten().filter_map(|program| Some((program.id(), program.map_ids().ok()??)));
        let users: Vec<(u32, Vec<u32>)> = users.filter(|(_, maps)| maps.contains(&flows)).collect();
        let mut maps: Vec<u32> = users.iter().flat_map(|(_, maps)| maps.clone()).collect();
        maps.sort_unstable();
        maps.dedup();
        let programs: Vec<u32> = users.into_iter().map(|(program, _)| program).collect();
        assert!(programs.len() >= 2 && maps.len() >= 4, "programs {programs:?}, maps {maps:?}");
        Self { name: name.to_owned(), processes: [children(supervisor), vec![supervisor]].concat(), programs, maps }
    }

    /// Asserts that nothing is there. What the kernel removes later than it says (programs, maps, namespaces) may take
    /// a moment.
    ///
    /// # Panics
    /// If something is there.
    #[track_caller]
    pub fn assert_clean(&self) {
        let left = self.left();
        assert!(left.is_empty(), "`{}` has left {left:#?}", self.name);
        let gone = within(std::time::Duration::from_secs(5), || self.left_in_kernel().is_empty().then_some(()));
        assert!(gone.is_some(), "`{}` has left {:#?}", self.name, self.left_in_kernel());
    }

    /// What is there and has a place in the file system, or is a process.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let paths = self.paths().into_iter().filter(|path| fs::symlink_metadata(path).is_ok());
        let mut left: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        left.extend(mounts.lines().filter(|line| self.is_named_in(line)).map(str::to_owned));
        left.extend(self.alive());
        left
    }

    fn paths(&self) -> Vec<PathBuf> {
        let roots =
            ["/run/netns", "/run/agent", "/etc/netns", BPF, "/sys/fs/cgroup/agent", "/sys/fs/cgroup/unified/agent"];
        roots.into_iter().map(|root| Path::new(root).join(&self.name)).collect()
    }

    fn is_named_in(&self, text: &str) -> bool {
        text.split([' ', '/', '\0']).any(|word| word == self.name)
    }

    /// Agents that name the session, and processes that were part of it.
    fn alive(&self) -> Vec<String> {
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|pid| pid.parse().ok()).map(Pid::from_raw) else {
                continue;
            };
            let line =
                String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).unwrap_or_default()).into_owned();
            if pid != Pid::this() && (self.processes.contains(&pid) || self.is_named_in(&line)) && !line.is_empty() {
                alive.push(format!("process {pid}: {}", line.replace('\0', " ")));
            }
        }
        alive
    }

    fn left_in_kernel(&self) -> Vec<String> {
        let programs = loaded_programs().flatten().map(|program| program.id()).filter(|id| self.programs.contains(id));
        let maps = aya::maps::loaded_maps().flatten().map(|map| map.id()).filter(|id| self.maps.contains(id));
        programs.map(|id| format!("program {id}")).chain(maps.map(|id| format!("map {id}"))).collect()
    }
}
