//! What is not TCP to a server, or DNS, goes nowhere: refused at once where the protocol can say so, counted, reported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::Value;
use tests::{Capture, Lab, PYTHON, Session, eventually, facts, process, tools};

const TARGET4: &str = "192.0.2.150";
const CONTROL: &str = "192.0.2.151";
const TARGET6: &str = "2001:db8:1::150";

fn attempt(session: &Session<'_>, kind: &str, address: &str, port: u16) -> String {
    let port = port.to_string();
    session.exec(&[PYTHON, &tools::program("attempts.py"), kind, address, &port]).ok().trim().to_owned()
}

/// The packets that were refused on the way to an address and port, for a reason.
fn refused(stats: &Value, reason: &str, address: &str, port: u16) -> u64 {
    let dst = if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    let attempts = stats["attempts"].as_array().unwrap();
    let matching = attempts.iter().filter(|attempt| attempt["reason"] == reason && attempt["dst"] == dst.as_str());
    matching.map(|attempt| attempt["total"]["packets"].as_u64().unwrap()).sum()
}

fn dropped(stats: &Value, reason: &str) -> u64 {
    let drops = stats["drops"].as_array().unwrap();
    drops.iter().find(|drop| drop["reason"] == reason).unwrap()["packets"].as_u64().unwrap()
}

/// Asserts that nothing of what `f` does arrives in inet at the targets.
fn nothing_arrives(lab: &Lab, f: impl FnOnce()) {
    let capture = Capture::start(lab.inet.name(), "wire1");
    f();
    // What the host itself sends is seen: the capture works.
    process::run(lab.host.command("ping").args(["-c1", CONTROL])).ok();
    let seen = capture.stop();
    assert!(seen.iter().any(|frame| frame.destination.contains(CONTROL)), "{seen:#?}");
    let of_targets = |text: &String| text.contains(TARGET4) || text.contains(TARGET6);
    let arrived: Vec<_> =
        seen.iter().filter(|frame| of_targets(&frame.destination) || of_targets(&frame.source)).collect();
    assert!(arrived.is_empty(), "{arrived:#?}");
}

#[test]
fn what_a_command_may_not_do_is_refused_at_once_and_reported() {
    let lab = Lab::bare();
    for mode in ["observe", "enforce"] {
        let session = lab.agent().args(&["--mode", mode]).up();
        let mut table = vec![
            ("udp", TARGET4, 9999, "udp"),
            ("udp", TARGET6, 9999, "udp"),
            ("udp", TARGET4, 443, "udp"),
            ("udp", TARGET6, 443, "udp"),
            ("udp", "10.200.1.1", 123, "udp"),
            ("tcp", "169.254.169.254", 80, "network"),
            ("tcp", "100.100.100.200", 80, "network"),
            ("tcp", "fd00:ec2::254", 80, "network"),
            ("tcp", "10.200.1.1", 80, "gateway"),
            ("tcp", "10.200.1.1", 443, "gateway"),
            ("tcp", "10.200.1.1", 22, "gateway"),
            ("tcp", "fd0a:c801::1", 443, "gateway"),
        ];
        if mode == "enforce" {
            table.extend([("tcp", TARGET4, 22, "port"), ("tcp", TARGET6, 8443, "port")]);
        }
        nothing_arrives(&lab, || {
            for (kind, address, port, reason) in &table {
                assert_eq!(attempt(&session, kind, address, *port), "ECONNREFUSED", "{kind} {address} {port}");
                assert!(refused(&session.stats(), reason, address, *port) > 0, "{reason}: {:#}", session.stats());
                assert!(dropped(&session.stats(), reason) > 0, "{reason}: {:#}", session.stats());
            }
        });
        session.down();
    }
}

#[test]
fn a_session_that_refuses_in_silence_answers_nothing_and_counts_all_the_same() {
    let lab = Lab::bare();
    let settings = lab.scratch.write("agent.toml", "refuse = \"drop\"\n[[rule]]\nverdict = \"allow\"\n");
    let session = lab.agent().enforce().args(&["--config", &settings]).up();
    nothing_arrives(&lab, || {
        for (kind, address, port, reason) in
            [("udp", TARGET4, 9999, "udp"), ("tcp", TARGET4, 22, "port"), ("tcp", "10.200.1.1", 80, "gateway")]
        {
            let (program, port_text) = (tools::program("attempts.py"), port.to_string());
            let output = session.exec(&[PYTHON, &program, kind, address, &port_text, "0.5"]);
            assert_eq!(output.ok(), "ETIMEDOUT\n", "{kind} {address} {port}");
            assert!(refused(&session.stats(), reason, address, port) > 0, "{reason}: {:#}", session.stats());
        }
    });
    session.down();
}

#[test]
fn a_refused_attempt_names_its_process_and_what_was_folded() {
    let lab = Lab::bare();
    let agent = lab.agent().enforce();
    let script = "import socket; s = socket.socket(2, 2); [s.sendto(b'x', ('192.0.2.150', 9999)) for _ in range(5)]";
    agent.run(&[PYTHON, "-c", script]).ok();
    let blocked = facts::of(&agent.log(), "attempt_blocked");
    assert!(blocked.iter().all(|event| event["process"]["comm"] == "python3"), "{blocked:#?}");
    let told: u64 = blocked.iter().map(|event| 1 + event["folded"].as_u64().unwrap()).sum();
    assert_eq!((told, blocked.last().unwrap()["packets"].as_u64()), (5, Some(5)), "{blocked:#?}");
}

#[test]
fn a_command_cannot_open_raw_or_packet_sockets() {
    let lab = Lab::bare();
    let session = lab.agent().up();
    for (kind, answer) in [("packet", "EAFNOSUPPORT"), ("raw", "EPERM")] {
        assert_eq!(attempt(&session, kind, "192.0.2.1", 0), answer);
    }
    session.down();
}

#[test]
fn pings_go_nowhere_even_roots() {
    let lab = Lab::bare();
    let session = lab.agent().up();
    nothing_arrives(&lab, || {
        for target in [TARGET4, TARGET6] {
            let ping = process::run(session.as_root("ping").args(["-c1", "-W1", target]));
            assert_ne!(ping.status, 0, "{ping:#?}");
            assert!(refused(&session.stats(), "protocol", target, 0) > 0, "{:#}", session.stats());
        }
    });
    session.down();
}

#[test]
fn forged_frames_go_nowhere_even_roots() {
    let lab = Lab::bare();
    let session = lab.agent().up();
    let before = session.stats();
    nothing_arrives(&lab, || {
        let mut forge = session.as_root(PYTHON);
        process::run(forge.args([&tools::program("forge.py"), TARGET4, TARGET6])).ok();
        for (reason, frames) in [
            ("ether-type", 1),
            ("vlan", 1),
            ("spoofed", 2),
            ("fragment", 2),
            ("ip-options", 1),
            ("extension-header", 1),
            ("protocol", 1),
            ("malformed", 3),
        ] {
            // The client's own stack may add to these at any time.
            let noisy = ["extension-header", "protocol", "spoofed"].contains(&reason);
            let now = dropped(&session.stats(), reason) - dropped(&before, reason);
            assert!(now == frames || noisy && now > frames, "{reason}: {now}");
        }
    });
    session.down();
}

#[test]
fn the_hosts_own_addresses_are_not_reached_through_the_agent() {
    let mut lab = Lab::bare();
    // A server on the host answers whoever reaches it.
    let mut servers = lab.host.command(PYTHON);
    let server = process::Process::spawn_ready(servers.arg(tools::program("tcp_servers.py")).arg("host"));
    lab.serve_dns();
    let session = lab.agent().up();
    // The last two embed 127.0.0.1, as NAT64 (RFC 6052) and 6to4 (RFC 3056) do.
    for address in [tests::HOST4, tests::HOST6, "64:ff9b::7f00:1", "2002:7f00:1::1"] {
        for port in [7001, 7002, 80, 443] {
            assert_eq!(attempt(&session, "tcp", address, port), "ECONNRESET", "{address} {port}");
        }
    }
    assert!(eventually("the log says so", || session.log().contains("never dialled").then_some(true)));
    session.down();
    drop(server);
}
