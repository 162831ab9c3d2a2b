//! `agent bypass-test`: nothing gets round a session, and the test would see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::time::Duration;

use nix::unistd::Pid;
use serde_json::Value;
use tests::{Output, Process, tools};

/// All attempts at all levels take a good part of a minute.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs it to its end and asserts that nothing is left.
fn bypass_test(args: &[&str]) -> Output {
    tools::require();
    let mut command = tools::command(tools::agent_binary().to_str().unwrap());
    let process = Process::spawn(command.arg("bypass-test").args(args));
    let pid = process.pid();
    let output = process.finish_within(LIMIT);
    assert_eq!(left(pid), Vec::<String>::new());
    output
}

/// What it leaves, by the names that it gives.
fn left(pid: Pid) -> Vec<String> {
    let names = [format!("/bypass-{pid}-"), format!("/agent-bypass-{pid}")];
    let roots = ["/run/agent", "/run/netns", "/run", "/tmp", "/sys/fs/bpf/agent", "/etc/netns"];
    let entries = roots.iter().filter_map(|root| std::fs::read_dir(root).ok()).flatten().flatten();
    let paths = entries.map(|entry| entry.path().display().to_string());
    paths.filter(|path| names.iter().any(|name| path.contains(name))).collect()
}

#[test]
fn nothing_gets_round_a_session_and_the_document_says_so() {
    let output = bypass_test(&["--markdown"]);
    let table = output.stdout.as_str();
    let document = include_str!("../../docs/bypass.md");
    for line in table.lines() {
        assert!(document.lines().any(|known| known == line), "docs/bypass.md does not say: {line}");
    }
    assert!(document.contains(table), "docs/bypass.md has other rows or another order than\n{table}");
    output.ok();
}

#[test]
fn outside_of_a_session_every_attempt_is_seen() {
    let output = bypass_test(&["--control", "--json"]);
    let rows: Value = serde_json::from_str(output.ok()).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 35, "{}", rows.len());
    assert!(rows.iter().all(|row| row["result"] == "seen"), "{rows:#?}");
}

#[test]
fn an_attempt_that_does_not_exist_is_named() {
    bypass_test(&["--only", "magic"]).assert_status(125).assert_stderr("there is no attempt `magic`");
}
