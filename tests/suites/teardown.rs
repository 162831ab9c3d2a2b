//! However a session ends, nothing of it is left; while it lives, nobody takes anything from it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::agent::agent_on;
use tests::{Capture, Lab, Leftovers, PYTHON, Session, eventually, process, tools};

/// Runs a command of the agent's on the lab's host.
fn agent(lab: &Lab, args: &[&str]) -> process::Output {
    process::run(&mut agent_on(&lab.host, args))
}

#[test]
fn nothing_is_left_when_the_command_has_ended() {
    let lab = Lab::new();
    let session = lab.agent().up();
    session.exec(&["curl", "-sS", "https://origin.test/hello"]).ok();
    assert!(!Leftovers::of(session.name()).left().is_empty(), "the check sees a session that lives");
    session.down();
}

#[test]
fn nothing_is_left_after_a_signal() {
    let lab = Lab::bare();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut session = lab.agent().up();
        session.signal(signal);
        session.ended(0);
    }
}

#[test]
fn a_killed_supervisor_leaves_no_way_out_and_gc_leaves_nothing() {
    let _alone = alone();
    let lab = Lab::new();
    let mut session = lab.agent().up();
    let (name, inet) = (session.name().to_owned(), lab.inet.name());
    let mut client = session.spawn(&[PYTHON, &tools::program("persistent.py"), "198.51.100.10", "80"]);
    client.wait_line("connected");
    session.signal(Signal::SIGKILL);
    let leftovers = session.died();
    eventually("eth0 is gone", || (!Path::new("/run/netns").join(&name).exists() || !has_eth0(&name)).then_some(()));
    let capture = Capture::start(inet, "wire1");
    client.wait_line("cut off");
    client.write(b"again\n");
    client.wait_line("again: ENETUNREACH");
    let tcp = capture.stop().into_iter().filter(|one| one.protocol == "tcp" && one.destination.contains(":80"));
    assert_eq!(tcp.collect::<Vec<_>>(), [], "something went out after the supervisor's death");
    assert!(!leftovers.left().is_empty(), "there was nothing to collect");
    assert_eq!(listed(&lab, &name).unwrap()["state"], "dead");
    let collected = agent(&lab, &["gc"]);
    assert!(collected.ok().contains(&name), "{collected:#?}");
    drop(client);
    leftovers.assert_clean();
    assert!(listed(&lab, &name).is_none());
}

fn has_eth0(name: &str) -> bool {
    process::run(tests::netns::command_in(name, "ip").args(["link", "show", "eth0"])).status == 0
}

/// `agent gc` collects whatever is dead, of other tests as well: those that look at what is dead, and those that collect,
/// take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `agent ls` says of a session.
fn listed(lab: &Lab, name: &str) -> Option<Value> {
    let sessions: Value = serde_json::from_str(agent(lab, &["ls", "--json"]).ok()).unwrap();
    sessions.as_array().unwrap().iter().find(|session| session["name"] == name).cloned()
}

#[test]
fn the_next_start_removes_what_a_killed_one_left() {
    let _alone = alone();
    let lab = Lab::new();
    let mut session = lab.agent().up();
    let again = lab.agent().named(session.name());
    session.signal(Signal::SIGKILL);
    let leftovers = session.died();
    again.run(&["curl", "-sS", "https://origin.test/hello"]).ok();
    leftovers.assert_clean();
}

#[test]
fn down_removes_what_a_killed_one_left() {
    let _alone = alone();
    let lab = Lab::bare();
    let mut session = lab.agent().up();
    let name = session.name().to_owned();
    session.signal(Signal::SIGKILL);
    let leftovers = session.died();
    agent(&lab, &["down", &name]).ok();
    leftovers.assert_clean();
}

#[test]
fn gc_touches_nothing_of_a_live_session() {
    let _alone = alone();
    let lab = Lab::new();
    let session = lab.agent().up();
    let before = traces(&session);
    let collected = agent(&lab, &["gc"]);
    assert!(!collected.ok().contains(session.name()), "{collected:#?}");
    assert_eq!(traces(&session), before);
    let output = session.exec(&["curl", "-sS", "https://origin.test/hello"]);
    assert_eq!(output.ok(), "hello from origin.test\n");
    session.down();
}

/// Everything of a session that the file system shows, without the log, which grows.
fn traces(session: &Session<'_>) -> Vec<String> {
    let mut files: Vec<String> = Leftovers::of(session.name()).left();
    let directory = fs::read_dir(Path::new("/run/agent").join(session.name())).unwrap().flatten();
    files.extend(directory.map(|entry| entry.path().display().to_string()));
    files.retain(|file| !file.starts_with("process"));
    files.sort();
    files
}

#[test]
fn ls_and_status_describe_a_session() {
    let lab = Lab::bare();
    let mut session = lab.agent().enforce().up();
    let mut sleeper = session.spawn(&["sh", "-c", "echo here; read line"]);
    sleeper.wait_line("here");
    let (name, pid) = (session.name().to_owned(), session.pid().as_raw());
    let listed = listed(&lab, &name).unwrap();
    assert_eq!((&listed["state"], &listed["pid"]), (&"running".into(), &pid.into()));
    assert_eq!((&listed["mode"], &listed["processes"]), (&"enforce".into(), &1.into()));
    let table = agent(&lab, &["ls"]);
    assert!(table.ok().lines().any(|line| line.starts_with(&name) && line.contains("running")), "{table:#?}");
    let status: Value = serde_json::from_str(agent(&lab, &["status", &name, "--json"]).ok()).unwrap();
    assert_eq!((&status["name"], &status["pid"]), (&name.as_str().into(), &pid.into()));
    assert_eq!(status["processes"].as_array().unwrap().len(), 1);
    for fact in ["netns", "cgroup", "maps", "log", "ca"] {
        let path = status[fact].as_str().unwrap();
        assert!(Path::new(path).exists(), "{fact}: {path}");
    }
    assert!(agent(&lab, &["status", &name]).ok().contains("supervisor"));
    let namespaces = process::run(tools::command("ip").args(["netns", "list"]));
    assert!(namespaces.ok().lines().any(|line| line.split(' ').next() == Some(&name)), "{namespaces:#?}");
    drop(sleeper);
    session.down();
}

#[test]
fn a_command_is_asked_to_end_when_its_supervisor_is_killed() {
    let lab = Lab::bare();
    let ended = lab.scratch.file("ended");
    let agent = lab.agent();
    let script = format!("trap 'touch {ended}; exit' TERM; echo here; while :; do sleep 0.05; done");
    let mut running = agent.spawn(&["sh", "-c", &script]);
    running.process().wait_line("here");
    let name = agent.name().to_owned();
    let leftovers = Leftovers::of_running(&name);
    running.process().signal(Signal::SIGKILL);
    eventually("the command has ended", || fs::exists(&ended).unwrap().then_some(()));
    running.finish().assert_status(137);
    self::agent(&lab, &["down", &name]).ok();
    leftovers.assert_clean();
}
