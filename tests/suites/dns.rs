//! Names resolve through the session, from whatever resolver a program asks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::{Value, json};
use tests::{DNS6, Lab, PYTHON, Session, tools};

const GATEWAY4: &str = "10.200.1.1";
const GATEWAY6: &str = "fd0a:c801::1";
const NXDOMAIN: u64 = 3;
const SERVFAIL: u64 = 2;

fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab
}

fn ask(session: &Session<'_>, server: &str, transport: &str, name: &str, kind: &str) -> Value {
    let output = session.exec(&[PYTHON, &tools::program("dns_client.py"), server, transport, name, kind]);
    serde_json::from_str(output.ok()).unwrap()
}

#[test]
fn a_program_resolves_names_as_on_any_host() {
    let lab = lab();
    let output = lab.agent().run(&["getent", "ahosts", "origin.test"]);
    assert!(output.ok().contains("198.51.100.10") && output.stdout.contains("2001:db8:1::10"), "{output:#?}");
    let resolv_conf = lab.agent().run(&["cat", "/etc/resolv.conf"]);
    assert!(resolv_conf.ok().lines().any(|line| line == format!("nameserver {GATEWAY4}")), "{resolv_conf:#?}");
}

#[test]
fn the_forwarder_answers_at_every_address_over_both_transports() {
    let lab = lab();
    let session = lab.agent().up();
    for server in [GATEWAY4, GATEWAY6, "192.0.2.99", "2001:db8:1::99", "8.8.8.8"] {
        for transport in ["udp", "tcp"] {
            let answer = ask(&session, server, transport, "origin.test", "A");
            assert_eq!(answer["answers"], json!(["198.51.100.10"]), "{server} over {transport}");
        }
    }
    let answer = ask(&session, GATEWAY4, "udp", "origin.test", "AAAA");
    assert_eq!(answer["answers"], json!(["2001:db8:1::10"]));
    session.down();
}

#[test]
fn a_name_that_does_not_exist_is_nxdomain() {
    let lab = lab();
    let session = lab.agent().up();
    for transport in ["udp", "tcp"] {
        assert_eq!(ask(&session, GATEWAY4, transport, "nowhere.test", "A")["rcode"], NXDOMAIN);
    }
    session.down();
}

#[test]
fn a_resolver_that_is_silent_or_gone_is_servfail() {
    let lab = lab();
    let session = lab.agent().up();
    for transport in ["udp", "tcp"] {
        assert_eq!(ask(&session, GATEWAY4, transport, "dead.test", "A")["rcode"], SERVFAIL, "{transport}");
    }
    session.down();
    let session = lab.agent().no_args().args(&["--dns", "198.51.100.99"]).up();
    assert_eq!(ask(&session, GATEWAY4, "udp", "origin.test", "A")["rcode"], SERVFAIL);
    session.down();
}

#[test]
fn an_answer_too_long_for_udp_is_truncated_and_whole_over_tcp() {
    let lab = lab();
    let session = lab.agent().up();
    let over_udp = ask(&session, GATEWAY4, "udp", "large.test", "TXT");
    assert_eq!(over_udp["truncated"], true, "{over_udp}");
    let over_tcp = ask(&session, GATEWAY4, "tcp", "large.test", "TXT");
    assert_eq!((&over_tcp["truncated"], &over_tcp["answers"]), (&json!(false), &json!([5888])));
    session.down();
}

#[test]
fn an_https_record_loses_what_leads_around_the_proxy() {
    const ALPN: &str = "1";
    const IPV4_HINT: &str = "4";
    const ECH: &str = "5";
    let lab = lab();
    let session = lab.agent().up();
    let answer = ask(&session, GATEWAY4, "udp", "origin.test", "HTTPS");
    let params = &answer["answers"][0];
    assert_eq!(params[ALPN], "026832", "{answer}");
    assert_eq!(params[IPV4_HINT], "c633640a", "{answer}");
    assert!(params.get(ECH).is_none(), "{answer}");
    session.down();
}

#[test]
fn a_resolver_is_reached_over_ipv6() {
    let lab = lab();
    let output =
        lab.agent().no_args().args(&["--dns", &format!("[{DNS6}]:53")]).run(&["getent", "ahosts", "origin.test"]);
    assert!(output.ok().contains("198.51.100.10"), "{output:#?}");
}
