//! Sessions seen from outside: listed, described, ended, collected.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

use crate::config;
use crate::sandbox::name::Name;
use crate::sandbox::session::{self, Facts};
use crate::sandbox::{Error, cgroup};
use crate::ui::{self, table};

/// How long `agent down` waits for processes that were asked to end; then it kills them.
const ASKED: Duration = Duration::from_secs(8);
/// How long `agent down` waits for a session to end.
const DOWN: Duration = Duration::from_secs(15);

/// One session in a list.
#[derive(Serialize)]
struct Listed {
    name: String,
    /// `running`, or `dead` for what a killed agent left.
    state: &'static str,
    pid: Option<i32>,
    mode: Option<String>,
    /// Seconds since 1970.
    started: Option<u64>,
    /// Processes in it.
    processes: usize,
}

impl Listed {
    fn of(name: &Name) -> Self {
        let pid = session::holder(name);
        let facts = session::facts(name).ok();
        let processes = facts.as_ref().map_or(0, |facts| cgroup::processes(&facts.cgroup).len());
        Self {
            name: name.to_string(),
            state: if pid.is_some() { "running" } else { "dead" },
            pid,
            mode: facts.as_ref().map(|facts| facts.mode.clone()),
            started: facts.as_ref().map(|facts| facts.started),
            processes,
        }
    }
}

/// Lists all sessions.
///
/// # Errors
/// If they cannot be read.
pub fn list(json: bool) -> anyhow::Result<()> {
    let sessions: Vec<Listed> = session::list()?.iter().map(Listed::of).collect();
    if json {
        return print_json(&sessions);
    }
    let row = |session: &Listed| {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        vec![
            session.name.clone(),
            session.state.to_owned(),
            text(session.pid.map(|pid| pid.to_string())),
            text(session.mode.clone()),
            text(session.started.map(age)),
            session.processes.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = sessions.iter().map(row).collect();
    ui::text_out(&table::table(&["NAME", "STATE", "PID", "MODE", "AGE", "PROCESSES"], &rows));
    Ok(())
}

/// Prints what a running session says of itself.
///
/// # Errors
/// If there is none.
pub fn status(name: &str, json: bool) -> anyhow::Result<()> {
    let facts = super::exec::running(&parse(name)?)?;
    let processes = cgroup::processes(&facts.cgroup);
    if json {
        let mut value = serde_json::to_value(&facts).context("cannot write JSON")?;
        value["processes"] = processes.into();
        return print_json(&value);
    }
    ui::text_out(&describe(&facts, &processes));
    Ok(())
}

fn describe(facts: &Facts, processes: &[i32]) -> String {
    let pids: Vec<String> = processes.iter().map(i32::to_string).collect();
    let rows = [
        ("name", facts.name.clone()),
        ("supervisor", facts.pid.to_string()),
        ("age", age(facts.started)),
        ("mode", facts.mode.clone()),
        ("user", facts.user.name.clone()),
        ("namespace", facts.netns.display().to_string()),
        ("control group", facts.cgroup.display().to_string()),
        ("processes", if pids.is_empty() { "none".into() } else { pids.join(" ") }),
        ("maps", facts.maps.display().to_string()),
        ("authority", facts.ca.display().to_string()),
        ("log", facts.log.display().to_string()),
    ];
    rows.iter().map(|(name, value)| format!("{name:<14} {value}\n")).collect()
}

/// Ends a running session and waits until it is gone. Its processes are asked to end and after a while killed, or killed
/// at once if it is to be `now`.
///
/// # Errors
/// If there is none, or it does not end.
pub fn down(name: &str, now: bool) -> anyhow::Result<()> {
    config::require_root("down")?;
    let name = parse(name)?;
    let Some(pid) = session::holder(&name) else {
        // What is left of a dead one is what the user wants gone.
        if session::list()?.contains(&name) {
            return session::collect(&name).map_err(Into::into);
        }
        return Err(Error::NoSession { name: name.to_string() }.into());
    };
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(errno).with_context(|| format!("cannot signal process {pid}")),
    }
    let asked = Instant::now();
    let (kill_at, deadline) = (asked + if now { Duration::ZERO } else { ASKED }, asked + DOWN);
    // The lock goes with the process, the directory with the last of what it made.
    while session::holder(&name) == Some(pid) || session::directory(&name).exists() {
        if Instant::now() > deadline {
            bail!(
                "process {pid} still holds `{name}`, though nothing runs in it any more; `kill -KILL {pid}`, `agent gc`"
            );
        }
        if Instant::now() > kill_at && session::directory(&name).exists() {
            // Those that do not end when they are asked to. Without any, there is no group left, and nothing to kill.
            cgroup::kill_all(&cgroup::path(&name)?).unwrap_or_default();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Removes what dead sessions have left.
///
/// # Errors
/// If something could not be removed; the rest is.
pub fn collect(json: bool) -> anyhow::Result<()> {
    config::require_root("gc")?;
    let mut collected = Vec::new();
    let mut failed = None;
    for name in session::list()? {
        match session::collect(&name) {
            Ok(()) => collected.push(name.to_string()),
            Err(Error::Held { .. }) => {}
            Err(error) => {
                ui::warn(&format!("{name}: {error}"));
                failed = Some(error);
            }
        }
    }
    // What a start left that died before its first record. Other sessions may be in it.
    std::fs::remove_dir(session::RUN).unwrap_or_default();
    if json {
        print_json(&collected)?;
    } else {
        collected.iter().for_each(|name| ui::line(&format!("removed {name}")));
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Reads a session's name as a user typed it.
///
/// # Errors
/// If no session can have that name.
pub(super) fn parse(name: &str) -> anyhow::Result<Name> {
    name.parse().map_err(|error| config::Error::Name(error).into())
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// If the value cannot be written as JSON.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    ui::line(&serde_json::to_string_pretty(value).context("cannot write JSON")?);
    Ok(())
}

fn age(started: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    table::span(now.saturating_sub(started).saturating_mul(1_000_000_000))
}
