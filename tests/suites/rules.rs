//! Rules decide what passes: real clients, over both carriers, and the servers' own word that nothing came.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::path::Path;

use serde_json::{Value, json};
use tests::agent::agent_on;
use tests::clients::Client;
use tests::{Lab, Output, process};

const RULES: &str = r#"
[[rule]]
name = "hello may be read"
match = { host = "origin.test", path = "/hello" }
verdict = "allow"

[[rule]]
name = "no uploads"
match = { host = "*.test", method = "PUT" }
except = { host = "other.test" }
verdict = { block = { status = 402, reason = "nothing is paid here", suggestion = "read instead" } }

[[rule]]
match = { header = { x-secret = "~sk_live_" } }
verdict = { block = { body = "no\n" } }

[[rule]]
name = "by wget"
match = { process = "wget" }
verdict = "block"
"#;

#[test]
fn what_a_rule_blocks_is_answered_and_no_byte_of_it_reaches_the_server() {
    let lab = Lab::new();
    lab.over_each_carrier_with("observe", RULES, |session| {
        for version in ["--http1.1", "--http2"] {
            let curl = |args: &[&str]| session.exec(&[&["curl", "-sS", "-w", " %{http_code}", version], args].concat());
            let upload =
                |host: &str, name: &str| curl(&["-T", "/etc/hostname", &format!("https://{host}/upload/{name}")]);
            let refused = upload("origin.test", "no");
            let (body, status) = refused.ok().rsplit_once(' ').unwrap();
            let expect = json!({
                "error": "blocked",
                "domain": "origin.test",
                "reason": "nothing is paid here",
                "rule": "no uploads",
                "suggestion": "read instead",
            });
            assert_eq!((serde_json::from_str::<Value>(body).unwrap(), status), (expect, "402"), "{version}");
            assert!(!is_there(&lab, "origin.test", "no"));
            assert!(upload("other.test", "yes").ok().ends_with(" 201"), "{version}");
            assert!(is_there(&lab, "other.test", "yes"));
            std::fs::remove_file(Path::new(&lab.www("other.test")).join("upload/yes")).unwrap();
            assert_eq!(curl(&["https://origin.test/hello"]).ok(), "hello from origin.test\n 200");
            let secret = curl(&["-H", "X-Secret: sk_live_1", "https://other.test/hello"]);
            assert_eq!(secret.ok(), "no\n 403", "{version}");
        }
        let wget = session.exec(&["wget", "-q", "-O", "-", "--content-on-error", "https://other.test/hello"]);
        assert!(wget.status != 0 && wget.stdout.contains("by wget"), "{wget:#?}");
        let capture = session.capture();
        let counted = |verdict: &str, rule: &str| {
            format!(
                "SELECT count(*) FROM exchanges WHERE verdict = '{verdict}' AND rule IS {rule} AND finished IS NOT NULL"
            )
        };
        for (verdict, rule, count) in [
            ("block", "'no uploads'", 2),
            ("block", "'rule 3'", 2),
            ("block", "'by wget'", 1),
            ("allow", "'hello may be read'", 2),
            ("allow", "NULL", 2),
        ] {
            capture.wait(&counted(verdict, rule), &count.into());
        }
    });
}

#[test]
fn a_request_for_another_host_than_tls_named_is_misdirected_where_there_are_rules() {
    let lab = Lab::new();
    let argv = ["curl", "-sS", "-w", " %{http_code}", "-H", "Host: other.test", "https://origin.test/hello"];
    lab.over_each_carrier_with("observe", RULES, |session| {
        for version in ["--http1.1", "--http2"] {
            let output = session.exec(&[&argv[..], &[version]].concat());
            let (body, status) = output.ok().rsplit_once(' ').unwrap();
            assert_eq!(status, "421", "{body}");
            assert!(body.contains("another host than TLS did"), "{body}");
        }
    });
    let without = lab.agent().run(&argv);
    assert!(without.ok().ends_with(" 200"), "{without:#?}");
}

/// Whether the server has got an upload.
fn is_there(lab: &Lab, host: &str, name: &str) -> bool {
    Path::new(&lab.www(host)).join("upload").join(name).exists()
}

#[test]
fn calls_of_grpc_that_a_rule_blocks_end_with_a_status_and_others_go_on() {
    let lab = Lab::with_grpc();
    let rules = "[[rule]]\nname = 'no unary'\nmatch = { grpc = 'lab.Echo/Unary' }\n\
                 verdict = { block = { reason = 'ü: 100 %' } }\n";
    lab.over_each_carrier_with("observe", rules, |session| {
        for client in [Client::python("grpc_client.py"), Client::node("grpc_client.js")] {
            let checks = ["a_blocked_call_says_why", "both_stream"];
            client.clone().arg("grpcio.test").check(session, &checks);
        }
    });
}

#[test]
fn all_that_is_wrong_with_a_file_is_told_and_no_session_starts() {
    let lab = Lab::bare();
    let wrong =
        "[[rule]]\nverdict = 'maybe'\n[[rule]]\nmatch.host = ['a b', 'ok']\nverdict = 'allow'\n[capture]\nredct = 1\n";
    let file = lab.scratch.write("rules.toml", wrong);
    let expect = [
        "2:11: unknown variant `maybe`, expected one of `allow`, `block`, `ask`, `passthrough`",
        "4:15: `a b` names no host",
        "7:1: unknown field `redct`",
    ];
    let told = |text: &str| {
        for line in expect {
            assert!(text.contains(&format!("{file}:{line}")), "{line}: {text}");
        }
    };
    let checked = policy(&lab, &["check", &file]);
    assert_eq!(checked.status, 1, "{checked:#?}");
    told(&checked.stdout);
    let agent = lab.agent().args(&["--config", &file]);
    let run = agent.run(&["true"]);
    assert_eq!(run.status, 125, "{run:#?}");
    told(&run.stderr);
    assert_eq!(policy(&lab, &["check", &lab.scratch.write("rules.toml", RULES)]).ok(), format!("{file}: 4 rules\n"));
    assert_eq!(policy(&lab, &["check", "/nonexistent"]).status, 125);
}

fn policy(lab: &Lab, args: &[&str]) -> Output {
    process::run(&mut agent_on(&lab.host, &[&["policy"], args].concat()))
}

#[test]
fn an_explanation_agrees_with_what_became_of_a_request() {
    let lab = Lab::new();
    let file = lab.scratch.write("rules.toml", RULES);
    let agent = lab.agent().args(&["--config", &file]);
    let script = "curl -sS https://origin.test/hello; curl -sS -T /etc/hostname https://origin.test/upload/a; \
                  curl -sS -H 'x-secret: sk_live_1' https://other.test/hello; curl -sS https://other.test/hello";
    agent.shell(script).ok();
    let capture = agent.capture();
    let directory = capture.path().to_str().unwrap();
    let rows = capture.rows("SELECT id, verdict, rule FROM exchanges ORDER BY id");
    assert_eq!(rows.len(), 4);
    for row in rows {
        let id = row["id"].to_string();
        let explained = policy(&lab, &["explain", &file, "--session", directory, "--flow", &id, "--json"]);
        let explained: Value = serde_json::from_str(explained.ok()).unwrap();
        assert_eq!((&explained["verdict"], &explained["rule"]), (&row["verdict"], &row["rule"]));
    }
    let made = ["explain", &file, "https://a.test/b", "--method", "PUT", "--process", "/usr/bin/wget"];
    let text = policy(&lab, &made);
    for line in [
        "PUT https://a.test/b",
        "hello may be read",
        "host a.test is not \"origin.test\"",
        "method PUT is \"PUT\"",
        "except host a.test is not \"other.test\"",
        "process wget[0] is \"wget\"",
        "block by `no uploads`: nothing is paid here",
    ] {
        assert!(text.ok().contains(line), "{line}: {}", text.stdout);
    }
}

#[test]
fn under_what_was_learnt_from_a_session_the_same_passes_and_no_more() {
    let lab = Lab::new();
    let agent = lab.agent();
    agent.shell("curl -sS https://origin.test/hello https://origin.test/item/7 https://origin.test/item/8").ok();
    let learn = |args: &[&str]| {
        let capture = agent.capture();
        policy(&lab, &[&["learn", "--session", capture.path().to_str().unwrap()], args].concat())
    };
    let learnt = learn(&[]);
    for line in ["[[rule]]", "origin.test", "GET", "/hello", "/item/*"] {
        assert!(learnt.ok().contains(line), "{line}: {}", learnt.stdout);
    }
    let file = lab.scratch.write("learnt.toml", learnt.ok());
    let enforced = lab.agent().args(&["--mode", "enforce", "--config", &file]);
    let statuses = "for url in origin.test/hello origin.test/item/9 origin.test/other other.test/hello; do \
                    curl -sS -o /dev/null -w '%{http_code} ' https://$url; done";
    assert_eq!(enforced.shell(statuses).ok(), "200 404 403 403 ");
    assert_eq!(learn(&["--against", &file]).ok(), format!("{file}: no rule is missing\n"));
    let file = lab.scratch.write("less.toml", learnt.ok().replace("/hello", "/none"));
    let lacks = learn(&["--against", &file]);
    assert_eq!(lacks.status, 1, "{lacks:#?}");
    assert!(lacks.stdout.contains("\n+") && lacks.stdout.contains("/hello"), "{}", lacks.stdout);
}

#[test]
fn examples_beside_the_rules_get_the_verdict_that_they_must() {
    let lab = Lab::bare();
    let example = |url: &str, method: &str, verdict: &str| {
        format!("[[example]]\nrequest = {{ url = '{url}', method = '{method}' }}\nverdict = '{verdict}'\n")
    };
    let good = format!(
        "{RULES}{}rule = 'no uploads'\n{}",
        example("https://a.test/", "PUT", "block"),
        example("https://a.test/", "GET", "allow")
    );
    let file = lab.scratch.write("rules.toml", &good);
    assert_eq!(policy(&lab, &["test", &file]).ok(), format!("{file}: 2 of 2 examples are right\n"));
    let line = good.lines().count() + 1;
    let file = lab.scratch.write("rules.toml", good + &example("https://a.test/", "PUT", "allow"));
    let output = policy(&lab, &["test", &file]);
    let wrong = format!(
        "{file}:{line}: PUT https://a.test/: wanted allow, got block by `no uploads`: nothing is paid here\n\
         {file}: 2 of 3 examples are right\n"
    );
    assert_eq!((output.status, output.stdout), (1, wrong));
}

#[test]
fn the_examples_of_the_document_are_files_that_a_session_could_use() {
    let lab = Lab::bare();
    let document = include_str!("../../docs/rules.md");
    let examples: Vec<&str> =
        document.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 4);
    for example in examples {
        policy(&lab, &["test", &lab.scratch.write("example.toml", example)]).ok();
    }
}

#[test]
fn a_request_with_a_body_is_refused_without_an_error_of_the_connection() {
    let lab = Lab::new();
    lab.over_each_carrier_with("observe", "[[rule]]\nmatch.path = '/no'\nverdict = 'block'\n", |session| {
        // Over HTTP/2, curl stops sending when it has the head of the answer.
        let argv = ["curl", "-sS", "--http2", "-d", "amount=1", "-w", "%{http_code}\n", "-o", "/dev/null"];
        for _ in 0..50 {
            assert_eq!(session.exec(&[&argv[..], &["https://origin.test/no"]].concat()).ok(), "403\n");
        }
    });
}
