//! What is neither TLS nor HTTP: relayed in observe mode, refused at once in enforce mode.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{Lab, PYTHON, tools};

/// A lab with the servers of `tcp_servers.py` instead of nginx.
fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab.python("tcp_servers.py", &[]);
    lab
}

#[test]
fn another_port_is_relayed_both_ways_with_half_close() {
    let lab = lab();
    let session = lab.agent().up();
    for address in ["198.51.100.20", "2001:db8:1::20"] {
        session.exec(&[PYTHON, &tools::program("tcp_client.py"), "half-close", address, "7001"]).ok();
    }
    session.down();
}

#[test]
fn a_server_that_speaks_first_is_heard() {
    let lab = lab();
    let client = tools::program("tcp_client.py");
    // On a port of the proxy's as well: it does not wait for a client that waits itself.
    for port in ["7002", "443", "80"] {
        let output = lab.agent().run(&[PYTHON, &client, "server-first", "198.51.100.20", port]);
        let waited: u32 = output.ok().trim().parse().unwrap();
        assert!(waited < 500, "port {port}: {waited} ms");
    }
}

#[test]
fn another_port_is_refused_at_once_in_enforce_mode() {
    let lab = lab();
    let session = lab.agent().enforce().up();
    for address in ["198.51.100.20", "2001:db8:1::20"] {
        let output = session.exec(&[PYTHON, &tools::program("tcp_client.py"), "connect", address, "7001"]);
        assert_eq!(output.ok(), "ECONNREFUSED\n");
    }
    session.down();
}

#[test]
fn a_source_port_is_reused_at_once_after_the_servers_close() {
    let lab = lab();
    let session = lab.agent().up();
    for port in ["7003", "443", "80"] {
        let output = session.exec(&[PYTHON, &tools::program("tcp_client.py"), "reuse", "198.51.100.20", port]);
        assert_eq!(output.ok(), "reused\n", "port {port}");
    }
    session.down();
}

#[test]
fn a_refusal_upstream_is_a_reset() {
    let lab = lab();
    let session = lab.agent().up();
    for port in ["7999", "443"] {
        // The connection to the agent stands before the one upstream is tried.
        let output = session.exec(&[PYTHON, &tools::program("tcp_client.py"), "talk", "198.51.100.30", port]);
        assert_eq!(output.ok(), "ECONNRESET\n", "port {port}");
    }
    session.down();
}
