//! `cargo xtask demo`: the agent at work on this machine, against an internet of its own making.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a demonstration talks, and fails where it fails")]

use tests::{Lab, Leftovers, Output, Session};

/// The session of the README.
const NAME: &str = "cursor-proxy-ns";

/// Tries what a program must not be able to do: QUIC's port over UDP, and the cloud's metadata service.
const BYPASS: &str = r#"
import socket
quic = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
quic.connect(("198.51.100.10", 443))
quic.send(b"hello")
try: quic.recv(1)
except OSError as error: print("udp 443:       ", error)
try: socket.create_connection(("169.254.169.254", 80))
except OSError as error: print("169.254.169.254:", error)
"#;

fn main() {
    step("a host and an internet are made: two network namespaces, nginx as origin.test, a DNS server");
    let lab = Lab::new();
    let agent = lab.agent().named(NAME);

    step(&format!("agent run --netns {NAME}"));
    let session = agent.up();
    println!("ready");

    step(&format!("agent exec {NAME} -- curl -v https://origin.test/hello"));
    let curl = session.exec(&["curl", "-sv", "https://origin.test/hello"]);
    println!("{}", certificate(&curl));
    print!("{}", curl.ok());
    assert!(curl.stderr.contains("agent session CA"), "the answer did not come through the agent: {curl:#?}");

    step("the same again, over HTTP/1.1, IPv6 and plain HTTP");
    print!("{}", session.exec(&["curl", "-s", "--http1.1", "https://origin.test/addr"]).ok());
    print!("{}", session.exec(&["curl", "-s", "-6", "https://origin.test/addr"]).ok());
    print!("{}", session.exec(&["curl", "-s", "http://origin.test/addr"]).ok());

    step("what must not pass is refused at once");
    print!("{}", session.exec(&[tests::PYTHON, "-c", BYPASS]).ok());

    step(&format!("agent stats {NAME}"));
    print!("{}", session.agent(&["stats", NAME]).ok());
    assert_blocked(&session);

    step(&format!("agent down {NAME}"));
    session.down();
    Leftovers::of(NAME).assert_clean();
    println!("nothing is left: no namespace, no link, no program, no file");
}

fn step(text: &str) {
    println!("\n\x1b[1m== {text}\x1b[0m");
}

/// Who signed what curl was shown, and that it was satisfied.
fn certificate(curl: &Output) -> String {
    let telling = ["issuer:", "SSL certificate verify", "using HTTP"];
    let lines = curl.stderr.lines().filter(|line| telling.iter().any(|word| line.contains(word)));
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_blocked(session: &Session<'_>) {
    let stats = session.stats();
    let reasons: Vec<_> = stats["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["reason"]).collect();
    assert!(reasons.iter().any(|reason| *reason == "udp"), "the attempt over UDP is not reported: {reasons:?}");
}
