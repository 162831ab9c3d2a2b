//! `agent doctor`: what this machine has of what the agent needs, and what to do about the rest.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use agent_common::owner::Layout;
use serde::Serialize;

use crate::config;
use crate::ebpf::layout::layout;
use crate::ebpf::{pins, probe};
use crate::sandbox::{cgroup, domain, netns};
use crate::ui;

/// The oldest kernel that the agent runs on.
const FLOOR: (u32, u32) = (5, 15);

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    /// `ok`, `warning` (works, with less) or `missing` (does not work).
    result: Finding,
    /// What was found.
    found: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Finding {
    Ok,
    Warning,
    Missing,
}

/// Looks at everything and prints it; false if something is missing without which nothing works.
///
/// # Errors
/// If the output cannot be written as JSON.
pub fn doctor(json: bool) -> anyhow::Result<bool> {
    let checks = [
        root(),
        kernel(),
        programs(),
        tcx(),
        capless_maps(),
        bpffs(),
        btf(),
        cgroup2(),
        namespaces(),
        ipv6(),
        worker_user(),
        landlock(),
        certutil(),
        file_limit(),
        conflicts(),
    ];
    if json {
        super::sessions::print_json(&checks)?;
    } else {
        checks.iter().for_each(|check| ui::text_out(&line(check)));
    }
    Ok(checks.iter().all(|check| check.result != Finding::Missing))
}

fn line(check: &Check) -> String {
    let mark = match check.result {
        Finding::Ok => "ok     ",
        Finding::Warning => "warning",
        Finding::Missing => "MISSING",
    };
    let remedy = check.remedy.map(|remedy| format!("\n{:27}-> {remedy}", "")).unwrap_or_default();
    format!("{mark}  {:<16}  {}{remedy}\n", check.name, check.found)
}

fn check(name: &'static str, good: bool, found: impl Into<String>, otherwise: Finding, remedy: &'static str) -> Check {
    Check {
        name,
        result: if good { Finding::Ok } else { otherwise },
        found: found.into(),
        remedy: (!good).then_some(remedy),
    }
}

/// Major and minor version of the running kernel.
pub(super) fn kernel_release() -> Option<(u32, u32)> {
    let release = nix::sys::utsname::uname().ok()?.release().to_str()?.to_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn root() -> Check {
    let root = config::require_root("run").is_ok();
    let found = if root { "running as root" } else { "not running as root: some checks below fail for that alone" };
    check("root", root, found, Finding::Missing, "run it with sudo")
}

fn kernel() -> Check {
    let release = kernel_release();
    let good = release.is_some_and(|release| release >= FLOOR);
    let found = release.map_or("unknown".into(), |(major, minor)| format!("Linux {major}.{minor}"));
    check("kernel", good, found, Finding::Missing, "use Linux 5.15 or later; 6.6 or later is best")
}

fn programs() -> Check {
    let loaded = probe::load();
    let found = match &loaded {
        Ok(()) => "tc, sk_lookup and control group programs load and verify".to_owned(),
        Err(error) => format!("the programs do not load: {}", super::chain(error)),
    };
    let remedy = "needs CAP_BPF, CAP_NET_ADMIN and a kernel with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF and CONFIG_INET; \
                  in a container, run it privileged";
    check("BPF programs", loaded.is_ok(), found, Finding::Missing, remedy)
}

fn tcx() -> Check {
    let good = kernel_release().is_some_and(|release| release >= (6, 6));
    let found = if good { "tcx links" } else { "clsact filters: this kernel has no tcx" };
    check("tc attachment", good, found, Finding::Warning, "nothing has to be done; Linux 6.6 or later has tcx")
}

/// Before 5.19 a process without capabilities may not touch a map, unless a sysctl allows it.
fn capless_maps() -> Check {
    let restricted =
        fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled").is_ok_and(|text| text.trim() != "0");
    let good = kernel_release().is_some_and(|release| release >= (5, 19)) || !restricted;
    let found =
        if good { "the worker can read its maps without capabilities" } else { "the worker may not read its maps" };
    let remedy = "use Linux 5.19 or later, or `sysctl kernel.unprivileged_bpf_disabled=0`";
    check("worker maps", good, found, Finding::Missing, remedy)
}

fn bpffs() -> Check {
    let mounted = pins::is_mounted();
    let possible = mounted || fs::read_to_string("/proc/filesystems").is_ok_and(|text| text.contains("\tbpf"));
    let found = match (mounted, possible) {
        (true, _) => "mounted at /sys/fs/bpf",
        (false, true) => "not mounted; `agent run` mounts it for as long as it needs it",
        (false, false) => "this kernel has none",
    };
    check("bpffs", possible, found, Finding::Missing, "use a kernel with CONFIG_BPF_SYSCALL")
}

fn btf() -> Check {
    let good = layout() != Layout::UNKNOWN;
    let found = if good {
        "present: connections name their executable"
    } else {
        "absent, or not to be used: connections name their process, but not its executable"
    };
    let remedy = "use a kernel with CONFIG_DEBUG_INFO_BTF that is not locked down to confidentiality";
    check("BTF", good, found, Finding::Warning, remedy)
}

fn cgroup2() -> Check {
    let mount = fs::read_to_string("/proc/self/mountinfo").ok().and_then(|text| cgroup::cgroup2_mount(&text));
    let writable = mount.as_ref().is_some_and(|mount| {
        nix::unistd::access(mount, nix::unistd::AccessFlags::W_OK).is_ok() && mount.join("cgroup.procs").exists()
    });
    let found = match &mount {
        Some(mount) if writable => format!("mounted at {}", mount.display()),
        Some(mount) => format!("mounted read-only at {}", mount.display()),
        None => "not mounted".into(),
    };
    let remedy = "mount it writable: `mount -t cgroup2 none /sys/fs/cgroup`; in a container, run it privileged";
    check("cgroup v2", writable, found, Finding::Missing, remedy)
}

fn namespaces() -> Check {
    let tried = netns::probe();
    let good = tried.is_ok();
    let found = match tried {
        Ok(()) => "network and mount namespaces can be made".to_owned(),
        Err(error) => super::chain(&error),
    };
    let remedy = "needs CAP_SYS_ADMIN and CONFIG_NET_NS; in a container, run it privileged";
    check("namespaces", good, found, Finding::Missing, remedy)
}

fn ipv6() -> Check {
    let good = Path::new("/proc/sys/net/ipv6").exists();
    let found = if good { "in the kernel" } else { "not in the kernel" };
    check("IPv6", good, found, Finding::Missing, "boot without `ipv6.disable=1`; the host itself need not use IPv6")
}

fn worker_user() -> Check {
    let user = config::invoker::worker();
    let found = user.as_ref().map_or("none".into(), |user| format!("`{}` ({})", user.name, user.uid));
    check("worker user", user.is_ok(), found, Finding::Missing, "create one: `useradd --system agent`")
}

/// Seccomp filters are in every kernel that has BPF; Landlock has to be compiled in and named at boot.
fn landlock() -> Check {
    let good = domain::is_offered();
    let found = if good { "on: the worker can open no file" } else { "off: the worker could open files" };
    let remedy =
        "boot with `lsm=landlock,…` (CONFIG_SECURITY_LANDLOCK; `cat /sys/kernel/security/lsm` shows what is on)";
    check("Landlock", good, found, Finding::Missing, remedy)
}

fn certutil() -> Check {
    let good = config::program_exists(OsStr::new("certutil"));
    let found = if good {
        "certutil is installed"
    } else {
        "certutil is not installed: Chromium and Electron will not trust a session"
    };
    let remedy = "install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora) or nss (Arch)";
    check("NSS trust", good, found, Finding::Warning, remedy)
}

fn file_limit() -> Check {
    use nix::sys::resource::{Resource, getrlimit};
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
    let found = format!("{hard} open files, two for each connection");
    check(
        "file limit",
        hard >= 4096,
        found,
        Finding::Warning,
        "raise it: `ulimit -Hn 20000`, or LimitNOFILE= in systemd",
    )
}

/// Things that are known to get in the way of the worker's own connections, never of the session's.
fn conflicts() -> Check {
    let variables = config::proxy_variables();
    let found = if variables.is_empty() { "none".to_owned() } else { format!("{} set", variables.join(", ")) };
    let remedy = "programs in a session that honour them dial that proxy, and that is what the agent sees: unset them";
    check("conflicts", variables.is_empty(), found, Finding::Warning, remedy)
}
