//! What a client gets when the server cannot be reached or cannot be trusted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::Lab;

/// curl(1), EXIT CODES.
const CURL_CONNECT_FAILED: i32 = 7;
const CURL_HANDSHAKE_FAILED: i32 = 35;
const CURL_UNTRUSTED: i32 = 60;
const CURL_RECEIVE_FAILED: i32 = 56;

#[test]
fn an_authority_that_is_not_trusted_is_shown_to_the_client_as_one() {
    let lab = Lab::new();
    let agent = lab.agent().no_args().args(&["--dns", tests::DNS4]);
    let output = agent.run(&["curl", "-sS", "https://origin.test/hello"]);
    output.assert_status(CURL_UNTRUSTED);
    assert_eq!(agent.run(&["curl", "-sSk", "https://origin.test/hello"]).ok(), "hello from origin.test\n");
}

#[test]
fn a_certificate_of_another_name_is_shown_to_the_client_as_one() {
    let lab = Lab::new();
    let output = lab.agent().run(&["curl", "-sS", "https://v4only.test/hello"]);
    output.assert_status(CURL_UNTRUSTED);
}

#[test]
fn a_refusal_on_443_fails_the_connection() {
    let lab = Lab::bare();
    let output = lab.agent().run(&["curl", "-sSk", "https://198.51.100.10/"]);
    assert!([CURL_CONNECT_FAILED, CURL_HANDSHAKE_FAILED].contains(&output.status), "{output:#?}");
}

#[test]
fn an_unreachable_server_fails_the_connection() {
    let lab = Lab::new();
    // The host has a route that says so.
    let output = lab.agent().run(&["curl", "-sSk", "https://192.0.2.200/"]);
    assert!([CURL_CONNECT_FAILED, CURL_HANDSHAKE_FAILED].contains(&output.status), "{output:#?}");
}

#[test]
fn a_502_on_port_80_names_the_hop() {
    let lab = Lab::bare();
    let session = lab.agent().up();
    for (address, why) in [("198.51.100.10", "refused"), ("192.0.2.200", "unreachable")] {
        let output = session.exec(&["curl", "-sS", "-w", "%{http_code}", &format!("http://{address}/")]);
        assert!(output.ok().ends_with("502"), "{output:#?}");
        assert!(output.stdout.contains(address) && output.stdout.contains(why), "{output:#?}");
        assert!(output.stdout.contains("upstream"), "{output:#?}");
    }
    session.down();
}

#[test]
fn a_name_that_does_not_exist_is_not_resolved() {
    let lab = Lab::new();
    let output = lab.agent().run(&["curl", "-sS", "https://nowhere.test/"]);
    output.assert_status(6);
}

#[test]
fn a_server_that_dies_in_the_middle_ends_the_transfer_short() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab.node_origin();
    let session = lab.agent().up();
    for (version, status) in [("--http1.1", CURL_RECEIVE_FAILED), ("--http2", 92)] {
        let output = session.exec(&["curl", "-sS", version, "https://stream.test/broken"]);
        let short = [status, 18].contains(&output.status);
        assert!(short && output.stdout == "one\n", "{output:#?}");
    }
    session.down();
}

#[test]
fn a_server_that_is_silent_does_not_hang_anyone() {
    let lab = Lab::bare();
    let rules = "add table inet hole; add chain inet hole input { type filter hook input priority 0; }; \
        add rule inet hole input ip daddr 198.51.100.10 drop";
    tests::process::run(lab.inet.command("nft").arg(rules)).ok();
    let session = lab.agent().up();
    let plain = session.spawn(&["curl", "-sS", "-w", "%{http_code}", "http://198.51.100.10/"]);
    let tls = session.spawn(&["curl", "-sSk", "https://198.51.100.10/"]);
    let plain = plain.finish_within(tests::lab::COMMAND);
    assert!(plain.ok().ends_with("504"), "{plain:#?}");
    assert!(plain.stdout.contains("upstream") && plain.stdout.contains("198.51.100.10"), "{plain:#?}");
    tls.finish_within(tests::lab::COMMAND).assert_status(CURL_HANDSHAKE_FAILED);
    session.down();
}
