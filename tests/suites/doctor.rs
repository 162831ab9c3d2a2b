//! `agent doctor` says what a machine lacks and what to do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::Value;
use tests::agent::agent_on;
use tests::{Lab, Output, process, tools};

fn checks(output: &Output) -> Vec<Value> {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"))
}

#[test]
fn a_machine_that_runs_the_suites_lacks_nothing() {
    let lab = Lab::bare();
    let output = process::run(&mut agent_on(&lab.host, &["doctor", "--json"]));
    output.ok();
    let names: Vec<String> =
        checks(&output).iter().map(|check| check["name"].as_str().unwrap().to_lowercase()).collect();
    for subject in ["kernel", "bpf", "tc", "btf", "bpffs", "cgroup", "namespaces", "conflicts"] {
        assert!(names.iter().any(|name| name.contains(subject)), "{subject}: {names:?}");
    }
    let text = process::run(&mut agent_on(&lab.host, &["doctor"]));
    assert_eq!(text.ok().lines().count(), names.len());
}

#[test]
fn what_is_missing_comes_with_a_remedy() {
    let lab = Lab::bare();
    let mut doctor = lab.host.command("setpriv");
    doctor.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(tools::agent_binary());
    let output = process::run(doctor.args(["doctor", "--json"]));
    output.assert_status(1);
    let checks = checks(&output);
    let failed: Vec<&Value> = checks.iter().filter(|check| check["result"] != "ok").collect();
    assert!(failed.iter().any(|check| check["name"] == "root"), "{failed:#?}");
    for check in failed {
        assert!(check["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{check:#}");
    }
}
