//! Processes as `/proc` shows them.

use nix::unistd::Pid;

/// The worker among the children of a supervisor.
#[must_use]
pub fn worker_of(supervisor: Pid) -> Option<Pid> {
    children(supervisor).into_iter().find(|pid| {
        let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command_line.split(|byte| *byte == 0).nth(1) == Some(b"__worker")
    })
}

/// The children of all threads of a process.
///
/// # Panics
/// If the kernel lists what is no number.
#[must_use]
pub fn children(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<String> =
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    pids.iter().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// The living processes of a terminal session, which is called by its first process (setsid(2)). Daemons leave it.
///
/// # Panics
/// If `/proc` cannot be read.
#[must_use]
pub fn of_terminal_session(leader: Pid) -> Vec<Pid> {
    let pids =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_member = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the program's name, which may contain anything: state, parent, group, session.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        fields.first() != Some(&"Z") && fields.get(3) == Some(&leader.to_string().as_str())
    };
    pids.filter(is_member).map(Pid::from_raw).collect()
}

/// The value of a field in `/proc/PID/status`.
///
/// # Panics
/// If there is no such process or field.
#[must_use]
pub fn status_of(pid: Pid, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {status}")).trim().to_owned()
}

/// The peak of a process's resident memory, in KiB.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn peak_kib(pid: Pid) -> u64 {
    status_of(pid, "VmHWM").trim_end_matches(" kB").parse().unwrap()
}
