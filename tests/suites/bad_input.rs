//! What bad input gets: a message that names the thing and the remedy, status 125, and nothing left behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use tests::certificates::Authority;
use tests::{Agent, Lab, Leftovers, Output};

/// Asserts that the agent fails and says all of `words`.
#[track_caller]
fn refused(agent: &Agent<'_>, words: &[&str]) -> Output {
    let output = agent.run(&["true"]);
    output.assert_status(125);
    for word in words {
        output.assert_stderr(word);
    }
    assert!(output.stderr.starts_with("agent: ") || output.stderr.starts_with("error: "), "{output:#?}");
    assert!(!output.stderr.contains("panicked"), "{output:#?}");
    output
}

#[test]
fn an_agent_that_is_not_root_says_so() {
    let lab = Lab::bare();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    refused(&lab.agent().under(&nobody), &["root", "sudo"]);
}

#[test]
fn a_name_that_is_no_file_name_is_refused() {
    let lab = Lab::bare();
    for name in ["", "a/b", "..", ".", "-x", "a b", &"x".repeat(201)] {
        let agent = lab.agent().named(name);
        // `--netns=NAME`, so that clap does not read the name as an option.
        let output = agent.spawn(&["true"]).finish();
        output.assert_status(125).assert_stderr("cannot use this name for a session");
    }
}

#[test]
fn the_longest_name_works() {
    let lab = Lab::bare();
    let agent = lab.agent();
    let name = format!("{:x<200}", agent.name());
    agent.named(&name).run(&["true"]).ok();
}

#[test]
fn a_foreign_namespace_is_not_touched() {
    let lab = Lab::bare();
    let inode = || fs::metadata(lab.host.path()).unwrap().ino();
    let before = inode();
    let output = lab.agent().named(lab.host.name()).spawn(&["true"]).finish();
    output.assert_status(125).assert_stderr(lab.host.name()).assert_stderr("another name");
    assert_eq!(inode(), before);
    assert!(!fs::exists(format!("/run/agent/{}", lab.host.name())).unwrap());
}

#[test]
fn a_second_agent_of_the_same_name_is_told_who_holds_it() {
    let lab = Lab::bare();
    let mut session = lab.agent().up();
    let pid = session.pid().to_string();
    let output = lab.agent().named(session.name()).spawn(&["true"]).finish();
    output.assert_status(125).assert_stderr(&pid).assert_stderr("agent down");
    session.exec(&["true"]).ok();
    session.down();
}

#[test]
fn an_unknown_user_is_named() {
    let lab = Lab::bare();
    refused(&lab.agent().args(&["--user", "nobody-of-this-name"]), &["nobody-of-this-name", "getent passwd"]);
}

#[test]
fn files_that_are_missing_or_no_pem_are_named() {
    let lab = Lab::bare();
    let (missing, text) = (lab.scratch.file("missing.pem"), lab.scratch.write("text.pem", "not a certificate\n"));
    let Authority { cert, key } = &lab.authority;
    for (args, words) in [
        (vec!["--upstream-ca", &missing], ["--upstream-ca", missing.as_str()]),
        (vec!["--upstream-ca", &text], [text.as_str(), "PEM"]),
        (vec!["--ca-cert", &missing, "--ca-key", key], ["--ca-cert", missing.as_str()]),
        (vec!["--ca-cert", &text, "--ca-key", key], [text.as_str(), "PEM"]),
        (vec!["--ca-cert", cert, "--ca-key", &missing], ["--ca-key", missing.as_str()]),
        (vec!["--ca-cert", cert, "--ca-key", &text], [text.as_str(), "PEM"]),
        (vec!["--ca-cert", cert], ["--ca-cert", "--ca-key"]),
        (vec!["--ca-key", key], ["--ca-key", "--ca-cert"]),
    ] {
        refused(&lab.agent().args(&args), &words);
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let lab = Lab::bare();
    let other = Authority::new(&lab.scratch, "other", "another root");
    refused(&lab.agent().args(&["--ca-cert", &lab.authority.cert, "--ca-key", &other.key]), &[&other.key, "pair"]);
    let (leaf, key) = lab.authority.issue(&lab.scratch, "leaf", "DNS:leaf.test");
    refused(&lab.agent().args(&["--ca-cert", &leaf, "--ca-key", &key]), &[&leaf, "authority"]);
}

#[test]
fn a_resolver_that_is_no_address_is_named() {
    let lab = Lab::bare();
    for resolver in ["nowhere", "192.0.2.53:", "192.0.2.53:70000", "[::1", ""] {
        refused(&lab.agent().args(&["--dns", resolver]), &["--dns", "such as"]);
    }
}

#[test]
fn an_option_that_does_not_exist_is_named() {
    let lab = Lab::bare();
    refused(&lab.agent().args(&["--no-such-option"]), &["--no-such-option"]);
    refused(&lab.agent().args(&["--mode", "everything"]), &["everything", "observe", "enforce"]);
}

#[test]
fn without_free_file_descriptors_it_says_so_and_leaves_nothing() {
    let lab = Lab::bare();
    let mut wrong = Vec::new();
    // Whichever descriptor is the first that cannot be had.
    for limit in 4..40 {
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        let agent = lab.agent().under(&["sh", "-c", &script, "sh"]);
        let output = agent.spawn(&["true"]).finish();
        let left = Leftovers::of(agent.name()).left();
        let said = output.stderr.contains("ulimit") && !output.stderr.contains("panicked");
        if !left.is_empty() || output.status != 0 && (output.status != 125 || !said) {
            wrong.push((limit, left, output));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_be_executed_126() {
    let lab = Lab::bare();
    let plain = lab.scratch.write("plain", "#!/bin/sh\n");
    let directory = lab.scratch.path().to_str().unwrap();
    for (command, status) in [("no-such-command", 127), ("/no/such/command", 127), (&plain, 126), (directory, 126)] {
        let output = lab.agent().run(&[command]);
        output.assert_status(status).assert_stderr(command);
    }
}

#[test]
fn a_session_that_does_not_exist_is_named_by_every_command() {
    let lab = Lab::bare();
    for args in [
        vec!["exec", "no-such-session", "--", "true"],
        vec!["status", "no-such-session"],
        vec!["stats", "no-such-session"],
        vec!["down", "no-such-session"],
    ] {
        let output = tests::process::run(&mut tests::agent::agent_on(&lab.host, &args));
        output.assert_status(125).assert_stderr("no-such-session").assert_stderr("agent ls");
    }
}
