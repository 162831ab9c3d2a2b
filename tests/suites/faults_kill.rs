//! Whenever its processes are killed, a session is closed within a second, and what is left of it is what its journal
//! names; the next start, or `agent gc`, removes that.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;
use std::path::Path;
use std::sync::RwLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::agent::agent_on;
use tests::procfs::of_terminal_session;
use tests::wait::within;
use tests::{Agent, Lab, Leftovers, Orphans, PYTHON, Session, eventually, process, tools};

/// How long a session may outlive its supervisor.
const CLOSED: Duration = Duration::from_secs(1);
/// How long the kernel may take to free what nobody holds any more.
const FREED: Duration = Duration::from_secs(5);
const KILLED: i32 = 137;

/// `agent gc` takes up what every dead session has left: for a moment it holds what another sweep starts again.
static COLLECTING: RwLock<()> = RwLock::new(());

/// Runs the command with a supervisor that dies at the first passage of `step`, then one that dies at the second, and so
/// on until one lives.
fn sweep(step: &str, least: u32, argv: &[&str]) {
    let lab = Lab::bare();
    for passage in 1.. {
        let ways = [&["--mode", "enforce"][..], &["--tc", "clsact"], &[]];
        let agent = lab.agent().args(ways[passage as usize % ways.len()]);
        let running = COLLECTING.read().unwrap();
        if !dies(&agent.clone().env("AGENT_FAILPOINT", &format!("{step}:{passage}")), argv) {
            assert!(passage > least, "{step}: only {} passages", passage - 1);
            return;
        }
        if passage % 2 == 0 {
            let _ = agent.run(&["true"]).ok();
        } else {
            drop(running);
            let _alone = COLLECTING.write().unwrap();
            process::run(&mut agent_on(&lab.host, &["gc"])).ok();
        }
        Leftovers::of(agent.name()).assert_clean();
        Orphans::now().assert_go_within(FREED);
    }
}

/// Whether the supervisor dies; if so, asserts that the session is closed and that the journal names what is left.
fn dies(agent: &Agent<'_>, argv: &[&str]) -> bool {
    let mut running = agent.clone().under(&["setsid"]).spawn(argv);
    let supervisor = running.process().pid();
    // Not `finish`, which waits for all that may still hold its pipes.
    eventually("the supervisor has ended", || (!running.process().is_alive()).then_some(()));
    assert_closed(agent.name(), supervisor);
    assert_in_journal(agent.name());
    let output = running.finish();
    assert!([0, KILLED].contains(&output.status), "{output:#?}");
    output.status == KILLED
}

/// Asserts that, within a second, the session has no way out, no program and no process.
#[track_caller]
fn assert_closed(name: &str, supervisor: Pid) {
    let open = || {
        let link = process::run(tests::netns::command_in(name, "ip").args(["link", "show", "eth0"]));
        let processes = of_terminal_session(supervisor);
        (link.status == 0).then(|| "eth0".to_owned()).or((!processes.is_empty()).then(|| format!("{processes:?}")))
    };
    let closed = within(CLOSED, || open().is_none().then_some(()));
    assert!(closed.is_some(), "{name} still has {}", open().unwrap_or_default());
    Orphans::now().assert_go_within(CLOSED);
}

/// Asserts that every trace of a dead session is in its journal, but for the journal itself before its first record.
#[track_caller]
fn assert_in_journal(name: &str) {
    let directory = Path::new("/run/agent").join(name);
    let journal = fs::read_to_string(directory.join("journal")).unwrap_or_default();
    for trace in Leftovers::of(name).left() {
        // A line of mountinfo (proc(5)) has the mount point in its fifth place.
        let path = if trace.starts_with('/') { &trace } else { trace.split(' ').nth(4).unwrap_or(&trace) };
        let is_named = journal.contains(&format!("\"{path}\""));
        assert!(is_named || Path::new(path) == directory, "{trace} is not in the journal: {journal}");
    }
}

#[test]
fn a_supervisor_killed_after_any_record_leaves_what_the_journal_names() {
    sweep("record", 9, &["sleep", "3"]);
}

#[test]
fn a_supervisor_killed_after_anything_was_made_leaves_what_the_journal_names() {
    sweep("made", 15, &["sleep", "3"]);
}

#[test]
fn a_supervisor_killed_after_anything_was_removed_leaves_what_the_journal_names() {
    sweep("undo", 10, &["true"]);
}

/// Kills both in this order, while a connection is open.
fn kill_both(lab: &Lab, order: fn(&mut Session<'_>) -> [Pid; 2]) {
    let mut session = lab.agent().under(&["setsid"]).up();
    let mut client = session.spawn(&[PYTHON, &tools::program("persistent.py"), "198.51.100.10", "80"]);
    client.wait_line("connected");
    let (name, supervisor) = (session.name().to_owned(), session.pid());
    for pid in order(&mut session) {
        // The worker may have died with the supervisor by now.
        kill(pid, Signal::SIGKILL).unwrap_or_default();
    }
    let leftovers = session.died();
    assert_closed(&name, supervisor);
    client.wait_line("cut off");
    client.write(b"again\n");
    client.wait_line("again: ENETUNREACH");
    assert_in_journal(&name);
    drop(client);
    process::run(&mut agent_on(&lab.host, &["down", &name])).ok();
    leftovers.assert_clean();
}

#[test]
fn both_killed_at_once_leave_no_way_out() {
    let lab = Lab::new();
    kill_both(&lab, |session| [session.pid(), session.worker()]);
    kill_both(&lab, |session| [session.worker(), session.pid()]);
}

#[test]
fn a_worker_killed_at_any_moment_ends_the_connection_and_nothing_more() {
    let lab = Lab::new();
    let mut session = lab.agent().up();
    for moment in ["silent", "hello", "idle", "head"] {
        let mut client = session.spawn(&[PYTHON, &tools::program("moments.py"), "origin.test", moment]);
        client.wait_line("there");
        kill(session.worker(), Signal::SIGKILL).unwrap();
        assert_eq!(client.finish().ok(), "there\nended\nhello from origin.test\n", "{moment}: {}", session.log());
    }
    session.down();
}
