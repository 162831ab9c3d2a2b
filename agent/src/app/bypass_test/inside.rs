//! A session of the test: the real program, started as a user starts it, on the test's host. Its command only holds it
//! open, so that it ends with whoever started it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::arena::{Arena, RESOLVER};
use crate::bypass::{Level, Step, Target, Tried};
use crate::ebpf::snapshot::PinnedMaps;
use crate::engine::stats::Snapshot;
use crate::sandbox::session::{self, Facts};

/// A session that is up.
pub(super) struct Inside {
    /// What it says of itself.
    pub(super) facts: Facts,
    /// The file of its rules, which is its user's.
    pub(super) rules: PathBuf,
    process: Child,
    held: Option<ChildStdin>,
    maps: PinnedMaps,
}

impl Inside {
    /// Starts a session for attempts of `level`.
    ///
    /// # Errors
    /// If it does not come up.
    pub(super) fn start(arena: &Arena, level: Level, user: &str) -> anyhow::Result<Self> {
        let name = format!("bypass-{}-{}", std::process::id(), level.name());
        let mut command = agent(&["run", "--netns", &name, "--user", user]);
        command.args(["--mode", if level == Level::Observe { "observe" } else { "enforce" }]);
        command.arg("--dns").arg(RESOLVER.to_string()).arg("--upstream-ca").arg(&arena.authority);
        let (rules, capture) = arena.files(level, user)?;
        command.arg("--config").arg(&rules).arg("--capture").arg(capture);
        if level == Level::NetAdmin {
            command.arg("--allow-net-admin");
        }
        command.args(["--", "/proc/self/exe", crate::cli::HOLD]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut process = arena.on_host(move || command.spawn().context("cannot start a session"))?;
        let held = process.stdin.take();
        let mut line = String::new();
        let stdout = process.stdout.take().context("the session has no output")?;
        BufReader::new(stdout).read_line(&mut line).context("cannot hear from the session")?;
        ensure!(line == "ready\n", "a session did not come up; `agent doctor` says what this machine lacks");
        let facts = session::facts(&name.parse()?)?;
        let maps = PinnedMaps::open(&facts.maps)?;
        Ok(Self { facts, rules, process, held, maps })
    }

    /// Makes an attempt as a command of the session.
    ///
    /// # Errors
    /// If it could not be made at all.
    pub(super) fn attempt(&self, arena: &Arena, id: &str, target: &Target, user: &str) -> anyhow::Result<Vec<Step>> {
        let mut command = agent(&["exec", &self.facts.name, "--user", user, "--", "/proc/self/exe"]);
        command.arg(crate::cli::ATTEMPT).arg(id).arg(serde_json::to_string(target)?);
        // As a desktop names its services.
        command.env("SSH_AUTH_SOCK", &arena.sockets[1]).env("WAYLAND_DISPLAY", &arena.sockets[0]).env("DISPLAY", ":0");
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", arena.sockets[1].display()));
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let output = arena.on_host(move || command.output().context("cannot make the attempt"))?;
        match serde_json::from_slice(&output.stdout) {
            Ok(steps) => Ok(steps),
            // Killed in the attempt: as good as an error.
            Err(_) if let Some(signal) = killed(output.status) => {
                Ok(vec![Step { what: "the process".into(), tried: Tried::Refused(signal) }])
            }
            Err(_) => bail!("the attempt ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// What the maps say now.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn counters(&self) -> anyhow::Result<Snapshot> {
        Ok(self.maps.read(crate::ebpf::now()?)?)
    }

    /// The events that the session has logged.
    pub(super) fn events(&self) -> Vec<Value> {
        events(&self.facts.log)
    }

    /// The session's worker.
    pub(super) fn worker(&self) -> i32 {
        worker_of(self.facts.pid)
    }

    /// Ends the session and waits for that.
    ///
    /// # Errors
    /// If it does not end.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        drop(self.held.take());
        self.process.wait().map(drop).context("cannot wait for a session's end")
    }
}

/// The worker of a supervisor; zero if there is none just now.
pub(super) fn worker_of(supervisor: i32) -> i32 {
    let children =
        std::fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap_or_default();
    let is_worker = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == crate::cli::WORKER.as_bytes())
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_worker).unwrap_or(0)
}

/// How a command that a signal ended was ended: its own exit status says so, or that of who ran it.
pub(super) fn killed(status: std::process::ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().or_else(|| status.code().map(|code| code - 128)).filter(|signal| *signal > 0)?;
    nix::sys::signal::Signal::try_from(signal).ok().map(|signal| signal.to_string())
}

fn events(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok()).collect()
}

/// This program again, as a user would call it.
#[expect(clippy::disallowed_methods, reason = "the test drives the program as its users do")]
pub(super) fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new("/proc/self/exe"));
    command.args(arguments);
    command
}
