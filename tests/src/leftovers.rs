//! What a session leaves in the system. Everything is looked for by the session's name or by numbers that were read
//! while it lived, so that other sessions on the machine do not disturb.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aya::maps::MapInfo;
use aya::programs::{loaded_links, loaded_programs};
use nix::unistd::Pid;

use crate::procfs::children;
use crate::wait::within;

const BPF: &str = "/sys/fs/bpf/agent";

/// The traces that a session may leave.
pub struct Leftovers {
    name: String,
    processes: Vec<Pid>,
    programs: Vec<u32>,
    links: Vec<u32>,
    maps: Vec<u32>,
    /// Inodes of the client's and the gateway's.
    namespaces: HashSet<u64>,
}

impl Leftovers {
    /// Those that bear the name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            processes: Vec::new(),
            programs: Vec::new(),
            links: Vec::new(),
            maps: Vec::new(),
            namespaces: HashSet::new(),
        }
    }

    /// Those of a session that is up: its processes, programs, links, maps and namespaces as well.
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
        let links = loaded_links().flatten().filter(|link| programs.contains(&link.program_id()));
        let links: Vec<u32> = links.map(|link| link.id()).collect();
        let outside = fs::metadata(format!("/proc/{supervisor}/ns/net")).unwrap().ino();
        let mut namespaces = namespaces_of(supervisor);
        namespaces.insert(fs::metadata(Path::new("/run/netns").join(name)).unwrap().ino());
        namespaces.remove(&outside);
        assert!(namespaces.len() == 2, "the client's and the gateway's: {namespaces:?}");
        let processes = [children(supervisor), vec![supervisor]].concat();
        Self { name: name.to_owned(), processes, programs, links, maps, namespaces }
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
        for pid in all_processes() {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            if pid != Pid::this() && (self.processes.contains(&pid) || self.is_named_in(&line)) && !line.is_empty() {
                alive.push(format!("process {pid}: {}", line.replace('\0', " ")));
            }
        }
        alive
    }

    fn left_in_kernel(&self) -> Vec<String> {
        let programs = loaded_programs().flatten().map(|program| program.id()).filter(|id| self.programs.contains(id));
        let maps = aya::maps::loaded_maps().flatten().map(|map| map.id()).filter(|id| self.maps.contains(id));
        let links = loaded_links().flatten().map(|link| link.id()).filter(|id| self.links.contains(id));
        let programs = programs.map(|id| format!("program {id}")).chain(maps.map(|id| format!("map {id}")));
        programs.chain(links.map(|id| format!("link {id}"))).chain(self.held_namespaces()).collect()
    }

    /// The session's namespaces that a process is in or holds. The kernel uses their numbers again: those that another
    /// session's agent holds, or that have another name, are another's by now.
    fn held_namespaces(&self) -> Vec<String> {
        if self.namespaces.is_empty() {
            return Vec::new();
        }
        let named = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let named = named.filter(|entry| entry.file_name().to_str() != Some(&self.name));
        let mut others: HashSet<u64> = named.filter_map(|entry| Some(fs::metadata(entry.path()).ok()?.ino())).collect();
        let mut held = Vec::new();
        for pid in all_processes() {
            let namespaces = namespaces_of(pid);
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            if line.contains("agent\0run\0") && !self.is_named_in(&line) {
                others.extend(namespaces);
            } else {
                let ours = namespaces.intersection(&self.namespaces);
                held.extend(ours.map(|inode| (*inode, format!("namespace {inode}, held by process {pid}: {line}"))));
            }
        }
        held.into_iter().filter(|(inode, _)| !others.contains(inode)).map(|(_, what)| what).collect()
    }
}

fn all_processes() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw).collect()
}

/// The network namespaces that a process is in or has descriptors of, by inode.
fn namespaces_of(pid: Pid) -> HashSet<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_network = |path: &PathBuf| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("net:"));
    let paths = descriptors.chain([format!("/proc/{pid}/ns/net").into()]).filter(is_network);
    paths.filter_map(|path| Some(fs::metadata(path).ok()?.ino())).collect()
}
