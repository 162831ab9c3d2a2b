//! Ready-made rules and files that others include, with the programs that they are about: Stripe's SDK and git.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::{Value, json};
use tests::agent::agent_on;
use tests::clients::Client;
use tests::{Lab, Output, Session, process, tools};

/// What the SDK prints, and its status.
fn stripe(session: &Session<'_>, args: &[&str]) -> (Value, i32) {
    let output = session.exec(&Client::node("stripe_client.js").argv(args));
    let json = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:#?}"));
    (json, output.status)
}

#[test]
fn the_sdk_of_stripe_is_told_why_it_is_blocked_wherever_it_sends_to() {
    let lab = Lab::with_node();
    let refused = |why: &str| {
        let message = format!("no payments are made here: {why}");
        (json!({ "type": "StripePermissionError", "rawType": "blocked", "message": message, "status": 403 }), 1)
    };
    for mode in ["enforce", "observe"] {
        lab.over_each_carrier_with(mode, "include = ['no-stripe']\n", |session| {
            for what in ["charges", "customers"] {
                let answer = refused("answer it by a rule with the verdict `mock`");
                assert_eq!(stripe(session, &[what]), answer, "{mode}");
            }
            let elsewhere = refused("this is a Stripe SDK, by its header x-stripe-client-user-agent");
            assert_eq!(stripe(session, &["charges", "node.test"]), elsewhere, "{mode}");
            let capture = session.capture();
            let sql = "SELECT count(*) FROM exchanges WHERE verdict = 'block' AND rule LIKE 'no-stripe%'";
            capture.wait(sql, &3.into());
        });
        // Who only observes asks for every name.
        let asked = lab.dns_queries().iter().any(|query| query.contains("stripe"));
        assert!(mode == "observe" || !asked, "{:?}", lab.dns_queries());
    }
}

#[test]
fn a_mock_before_an_included_profile_answers_the_sdk_and_the_profile_blocks_the_rest() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let rules = r#"
include = ["no-stripe"]

[[rule]]
name = "a charge"
match = { host = "api.stripe.com", method = "POST", path = "/v1/charges" }
verdict.mock.json = { id = "ch_mock", object = "charge", amount = 2000, currency = "eur", paid = true }

[[example]]
request = { url = "https://api.stripe.com/v1/charges", method = "POST" }
verdict = "mock"
rule = "a charge"

[[example]]
request = { url = "https://api.stripe.com/v1/customers", method = "POST" }
verdict = "block"
rule = "no-stripe"
"#;
    for mode in ["enforce", "observe"] {
        lab.over_each_carrier_with(mode, rules, |session| {
            let charge =
                json!({ "id": "ch_mock", "object": "charge", "amount": 2000, "currency": "eur", "paid": true });
            assert_eq!(stripe(session, &["charges"]), (charge, 0), "{mode}");
            let (customer, status) = stripe(session, &["customers"]);
            assert_eq!(
                (&customer["rawType"], &customer["status"], status),
                (&"blocked".into(), &403.into(), 1),
                "{mode}"
            );
        });
        // Who only observes asks for every name.
        let asked = lab.dns_queries().iter().any(|query| query.contains("stripe"));
        assert!(mode == "observe" || !asked, "{:?}", lab.dns_queries());
    }
    let file = lab.scratch.file("rules.toml");
    assert_eq!(policy(&lab, &["test", &file]).ok(), format!("{file}: 2 of 2 examples are right\n"));
}

/// `git.sh PLACE`: clones a repository, fetches, and pushes a commit.
const GIT: &str = r#"set -e
export GIT_CONFIG_COUNT=2
export GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=lab
export GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=lab@node.test
git clone --quiet https://node.test/git/lab.git "$1"
git -C "$1" fetch --quiet
git -C "$1" log --format=%s
git -C "$1" commit --quiet --allow-empty --message mine
git -C "$1" push origin HEAD:main
"#;

#[test]
fn git_fetches_and_does_not_push_and_says_why() {
    let lab = Lab::with_node();
    // The profile, for the lab's host.
    let profile = include_str!("../../profiles/git-github-read-only.toml").replace("github.com", "node.test");
    lab.scratch.write("read-only.toml", profile);
    let repository = lab.scratch.file("repositories/lab.git");
    let git = |args: &[&str]| process::run(tools::command("git").args(["-C", &repository]).args(args)).stdout;
    process::run(tools::command("git").args(["init", "--quiet", "--bare", "-b", "main", &repository])).ok();
    let tree = git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let identity = ["-c", "user.name=lab", "-c", "user.email=lab@node.test"];
    let commit = git(&[&identity[..], &["commit-tree", "-m", "first", tree.trim()]].concat());
    git(&["update-ref", "refs/heads/main", commit.trim()]);
    for mode in ["observe", "enforce"] {
        lab.over_each_carrier_with(mode, "include = ['./read-only.toml']\n", |session| {
            let place = lab.scratch.file("clone");
            std::fs::remove_dir_all(&place).unwrap_or_default();
            let output = session.exec(&["sh", "-c", GIT, "git.sh", &place]);
            assert!(output.status != 0 && output.stdout == "first\n", "{output:#?}");
            output.assert_stderr("remote: this session may fetch from GitHub, not push");
            assert_eq!(git(&["rev-parse", "main"]), commit);
        });
    }
}

#[test]
fn profiles_are_listed_and_printed_and_what_is_none_is_named_with_its_place() {
    let lab = Lab::bare();
    let listed = policy(&lab, &["profiles"]);
    assert!(listed.ok().contains("\nno-stripe             Nothing goes to Stripe: "), "{listed:#?}");
    for line in listed.ok().lines() {
        let name = line.split(' ').next().unwrap();
        let file = lab.scratch.write("profile.toml", policy(&lab, &["profiles", name]).ok());
        assert!(policy(&lab, &["test", "--mode", "enforce", &file]).ok().ends_with(" examples are right\n"), "{name}");
    }
    assert_eq!(policy(&lab, &["profiles", "npn"]).status, 125);
    let team = lab.scratch.write("team.toml", "[[rule]]\nverdict = 'no'\n");
    let file = lab.scratch.write("rules.toml", "include = ['npn', './team.toml']\n");
    let output = policy(&lab, &["check", &file]);
    let told: Vec<&str> = output.stdout.lines().collect();
    let starts = [format!("{file}:1:12: there is no profile `npn`"), format!("{team}:2:11: unknown variant `no`")];
    assert!(told.len() == 2 && told.iter().zip(&starts).all(|(told, start)| told.starts_with(start)), "{output:#?}");
}

fn policy(lab: &Lab, args: &[&str]) -> Output {
    process::run(&mut agent_on(&lab.host, &[&["policy"], args].concat()))
}
