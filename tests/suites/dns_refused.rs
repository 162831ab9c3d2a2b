//! In enforce mode names say where to go and nothing else: what could carry data out is refused and reported, and not one
//! packet of it reaches a resolver.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::time::Instant;

use serde_json::{Value, json};
use tests::{Agent, Capture, DNS4, Lab, PYTHON, Session, facts, process, tools};

const GATEWAY4: &str = "10.200.1.1";
const NOERROR: u64 = 0;
const NXDOMAIN: u64 = 3;
const REFUSED: u64 = 5;
/// RFC 8914, section 4.16.
const BLOCKED: u64 = 15;

fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab
}

/// Asks for names and types in one go, and returns the answers in the same order.
fn ask(session: &Session<'_>, transport: &str, words: &[&str]) -> Vec<Value> {
    let program = tools::program("dns_client.py");
    let output = session.exec(&[&[PYTHON, &program, GATEWAY4, transport], words].concat());
    output.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rcodes(answers: &[Value]) -> Vec<u64> {
    answers.iter().map(|answer| answer["rcode"].as_u64().unwrap()).collect()
}

/// The refusals that a session which has ended reported.
fn refusals(agent: &Agent<'_>) -> Vec<Value> {
    facts::of(&agent.log(), "dns_refused")
}

/// How many refusals for a reason were reported, folded ones included.
fn count(refusals: &[Value], reason: &str) -> usize {
    let of_reason = refusals.iter().filter(|event| event["reason"] == reason);
    of_reason.map(|event| 1 + usize::try_from(event["folded"].as_u64().unwrap()).unwrap()).sum()
}

/// How many answers have this response code, and how many were refused; there are no others.
fn passed_and_refused(rcodes: &[u64], passed: u64) -> (usize, usize) {
    let refused = rcodes.iter().filter(|rcode| **rcode == REFUSED).count();
    assert!(rcodes.iter().all(|rcode| [passed, REFUSED].contains(rcode)), "{rcodes:?}");
    (rcodes.len() - refused, refused)
}

/// Packets that left the host for the resolver's port during `f`.
fn packets_to_the_resolver(lab: &Lab, f: impl FnOnce()) -> u64 {
    let capture = Capture::start(lab.inet.name(), "wire1");
    f();
    // What the host itself sends is seen: the capture works.
    process::run(lab.host.command("ping").args(["-c1", "192.0.2.151"])).ok();
    let seen = capture.stop();
    assert!(seen.iter().any(|frame| frame.destination.contains("192.0.2.151")), "{seen:#?}");
    let resolver = format!("{DNS4}:53");
    seen.iter().filter(|frame| frame.destination == resolver).map(|frame| frame.packets).sum()
}

#[test]
fn what_could_carry_data_out_is_refused_reported_and_goes_nowhere() {
    let lab = lab();
    let agent = lab.agent().enforce();
    let session = agent.up();
    let long = format!("{0}.{0}.{0}.{0}.origin.test", "a".repeat(40));
    let secret = "mfzwizlsnfxgoidbebwg64tfnu5hg2dpojsq4ytvoqza.origin.test";
    let cases = [
        (long.as_str(), "A", "name-length"),
        (secret, "A", "label-entropy"),
        ("origin.test", "TXT", "record-type"),
        ("origin.test", "NULL", "record-type"),
        ("origin.test", "ANY", "record-type"),
        ("origin.test", "65280", "record-type"),
        ("origin.test", "A/CH", "class"),
        ("origin.test", "A/ANY", "class"),
        ("origin.test", "AXFR", "zone-transfer"),
    ];
    let packets = packets_to_the_resolver(&lab, || {
        for transport in ["udp", "tcp"] {
            for (name, kind, reason) in cases {
                let answer = ask(&session, transport, &["edns", name, kind]).remove(0);
                assert_eq!(answer["rcode"], REFUSED, "{name} {kind}: {answer}");
                assert_eq!(answer["explanation"], json!([BLOCKED, reason]), "{name} {kind}");
            }
        }
    });
    assert_eq!((packets, lab.dns_queries()), (0, vec![]));
    session.down();
    let refusals = refusals(&agent);
    for (_, _, reason) in cases {
        let expect = 2 * cases.iter().filter(|case| case.2 == reason).count();
        assert_eq!(count(&refusals, reason), expect, "{reason}: {refusals:#?}");
    }
    let of_secret = refusals.iter().find(|event| event["name"] == secret).unwrap();
    assert_eq!((&of_secret["record_type"], &of_secret["reason"]), (&json!("A"), &json!("label-entropy")));
    assert!(of_secret["child"].as_str().unwrap().starts_with("10.200.1.2:"), "{of_secret}");
}

#[test]
fn what_programs_ask_passes_and_nothing_but_the_question_leaves() {
    let lab = lab();
    let session = lab.agent().enforce().up();
    let kinds = ["A", "AAAA", "CNAME", "HTTPS", "SVCB", "SRV", "PTR", "SOA", "NS", "MX"];
    let words: Vec<&str> = kinds.iter().flat_map(|kind| ["Origin.Test", kind]).collect();
    let packets = packets_to_the_resolver(&lab, || {
        for transport in ["udp", "tcp"] {
            assert_eq!(rcodes(&ask(&session, transport, &words)), [NOERROR; 10]);
            let answer = ask(&session, transport, &["edns", "oRIGIN.test", "A"]).remove(0);
            assert_eq!(answer["answers"], json!(["198.51.100.10"]), "{answer}");
        }
    });
    assert_eq!(packets, 22);
    let seen = lab.dns_queries();
    assert_eq!(seen.len(), 22, "{seen:#?}");
    // Header, name, type and class; with EDNS, options of 11 bytes that are empty.
    let bare = |line: &String| line.starts_with("29 origin.test ") || line == "40 origin.test 1";
    assert!(seen.iter().all(bare), "{seen:#?}");
    let output = session.exec(&["getent", "ahosts", "origin.test"]);
    assert!(output.ok().contains("198.51.100.10"), "{output:#?}");
    session.down();
}

#[test]
fn a_tunnel_of_short_labels_comes_to_an_end() {
    let lab = lab();
    let agent = lab.agent().enforce();
    let session = agent.up();
    let start = Instant::now();
    let label = |number: u32| format!("{number:035}");
    let names: Vec<String> = (0..150).map(|n| format!("{0}.{0}.{0}.evil.test", label(n))).collect();
    let words: Vec<&str> = names.iter().flat_map(|name| [name.as_str(), "A"]).collect();
    let answers = rcodes(&ask(&session, "tcp", &words));
    let (passed, refused) = passed_and_refused(&answers, NXDOMAIN);
    // 8 KiB at once, and ten bytes a second; each name says 108.
    let most = (8192 + 10 * start.elapsed().as_secs() + 10) / 108;
    assert!(passed >= 8192 / 108 && passed <= usize::try_from(most).unwrap(), "{passed} of at most {most}");
    assert_eq!(lab.dns_queries().len(), passed);
    // Other domains, and what the tunnel said already, still pass.
    assert_eq!(rcodes(&ask(&session, "udp", &["origin.test", "A", "www.origin.test", "A"])), [NOERROR, NXDOMAIN]);
    session.down();
    assert_eq!(count(&refusals(&agent), "budget"), refused);
    assert!(refusals(&agent).len() < refused, "they are folded");
}

#[test]
fn queries_have_a_rate() {
    let lab = lab();
    let agent = lab.agent().enforce();
    let session = agent.up();
    let start = Instant::now();
    let answers = rcodes(&ask(&session, "tcp", &["origin.test", "A"].repeat(2000)));
    let (passed, refused) = passed_and_refused(&answers, NOERROR);
    let most = 200 + 50 * (start.elapsed().as_secs() + 1);
    assert!(refused > 0 && passed >= 200 && passed <= usize::try_from(most).unwrap(), "{passed} of at most {most}");
    assert_eq!(lab.dns_queries().len(), passed);
    session.down();
    assert_eq!(count(&refusals(&agent), "rate"), refused);
}

#[test]
fn a_large_answer_is_refused_in_enforce_mode_only() {
    let lab = lab();
    for (mode, expect) in [("enforce", REFUSED), ("observe", NOERROR)] {
        let agent = lab.agent().args(&["--mode", mode]);
        let session = agent.up();
        assert_eq!(rcodes(&ask(&session, "tcp", &["many.test", "A"])), [expect], "{mode}");
        session.down();
        assert_eq!(count(&refusals(&agent), "answer-size"), usize::from(mode == "enforce"), "{mode}");
    }
}

#[test]
fn observe_mode_limits_nothing_but_reports_what_it_cannot_forward() {
    let lab = lab();
    let agent = lab.agent();
    let session = agent.up();
    let names: Vec<String> = (0..300).map(|number| format!("{number:060}.{number:060}.evil.test")).collect();
    let words: Vec<&str> = names.iter().flat_map(|name| [name.as_str(), "TXT"]).collect();
    assert_eq!(rcodes(&ask(&session, "tcp", &words)), [NXDOMAIN; 300]);
    assert_eq!(rcodes(&ask(&session, "udp", &["origin.test", "AXFR"])), [REFUSED]);
    session.down();
    let refusals = refusals(&agent);
    assert_eq!((refusals.len(), count(&refusals, "zone-transfer")), (1, 1), "{refusals:#?}");
}
