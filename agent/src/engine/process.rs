//! Who opened a connection, as the kernel noted it at connect(2). Field names are a stable interface.

use agent_common::owner::{Owner, ROOTED, Sender};
use serde::Serialize;

/// A process at the moment it connected; it may have ended, or become another program, since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// The thread that called connect(2), in the initial PID namespace.
    pub pid: u32,
    /// Its thread group: what ps(1) calls the process.
    pub tgid: u32,
    /// The executable's path in its mount namespace. Without a leading `/` it has lost its beginning, being too long,
    /// or has never had one, like that of a file in memory. None where the kernel does not tell.
    pub executable: Option<String>,
    /// The thread's name, at most 15 bytes.
    pub comm: String,
    /// The user, in the initial user namespace.
    pub uid: u32,
    /// The user's name, where somebody looked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The control group (version 2), by the inode of its directory.
    pub cgroup: u64,
    /// The control group's path below the session's, which is `/`, where somebody looked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_path: Option<String>,
}

impl Process {
    /// The executable's last component, or the thread's name if the executable is not known, and the process, as in
    /// `curl[1234]`.
    #[must_use]
    pub fn label(&self) -> String {
        let file = self.executable.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
        format!("{}[{}]", file.unwrap_or(&self.comm), self.tgid)
    }
}

impl Process {
    /// Who sent something, its executable unknown; none if it was no process of the session's control group.
    #[must_use]
    pub fn sender(sender: &Sender) -> Option<Self> {
        (sender.pid != 0).then(|| Self::new(sender, None))
    }

    fn new(sender: &Sender, executable: Option<String>) -> Self {
        Self {
            pid: sender.pid,
            tgid: sender.tgid,
            executable,
            comm: String::from_utf8_lossy(sender.comm()).into_owned(),
            uid: sender.uid,
            user: None,
            cgroup: sender.cgroup,
            cgroup_path: None,
        }
    }
}

impl From<&Owner> for Process {
    fn from(owner: &Owner) -> Self {
        Self::new(&owner.sender, executable(owner))
    }
}

fn executable(owner: &Owner) -> Option<String> {
    if owner.path_len == 0 {
        return None;
    }
    let names: Vec<_> = owner.names().rev().map(String::from_utf8_lossy).collect();
    let root = if owner.rooted == ROOTED { "/" } else { "" };
    Some(format!("{root}{}", names.join("/")))
}

#[cfg(test)]
mod tests {
    use agent_common::owner::{Owner, PATH_BYTES, Sender};

    use super::Process;

    fn owner(path: &[u8], rooted: u8) -> Owner {
        let mut owner = Owner {
            sender: Sender { cgroup: 77, pid: 12, tgid: 11, uid: 1000, pad: 0, comm: *b"worker 1\0garbage" },
            connected_ns: 1,
            path_len: path.len().try_into().unwrap(),
            rooted,
            claimed: 1,
            pad: 0,
            path: [b'#'; PATH_BYTES],
        };
        owner.path[..path.len()].copy_from_slice(path);
        owner
    }

    #[test]
    fn a_path_is_put_together_from_its_end() {
        for (path, rooted, executable, label) in [
            (&b"curl\0bin\0usr\0"[..], 1, Some("/usr/bin/curl"), "curl[11]"),
            (b"init\0", 1, Some("/init"), "init[11]"),
            (b"memfd:tool\0", 0, Some("memfd:tool"), "memfd:tool[11]"),
            (b"a.out\0deep\0cut", 0, Some("deep/a.out"), "a.out[11]"),
            (b"", 0, None, "worker 1[11]"),
            (b"\xc3\xa9 \xff\0", 1, Some("/é \u{fffd}"), "é \u{fffd}[11]"),
        ] {
            let process = Process::from(&owner(path, rooted));
            assert_eq!((process.executable.as_deref(), process.label().as_str()), (executable, label));
        }
    }

    #[test]
    fn numbers_and_the_threads_name_are_kept() {
        let process = Process::from(&owner(b"", 0));
        assert_eq!((process.pid, process.tgid, process.uid, process.cgroup), (12, 11, 1000, 77));
        assert_eq!(process.comm, "worker 1");
    }

    #[test]
    fn a_length_beyond_the_path_does_no_harm() {
        let broken = Owner { path_len: u16::MAX, ..owner(b"x\0", 1) };
        assert!(Process::from(&broken).executable.is_some());
    }
}
