//! A child that does not read stalls the server: the worker holds little of what neither takes, and loses none of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::time::Duration;

use serde_json::json;
use tests::play::{CARRIERS, Stage};
use tests::procfs::peak_kib;
use tests::{PYTHON, tools};

/// How much the worker may grow while 64 GiB are on offer; some of it is what waits to be recorded.
const GROWTH_KIB: u64 = 40 << 10;
const LIMIT: Duration = Duration::from_secs(60);

fn stall(protocol: &str, connections: &str) {
    let stage = Stage::new();
    // What kernels hold is not the worker's, and takes long to fill.
    for netns in [&stage.lab.host, &stage.lab.inet] {
        netns.sysctl("net/ipv4/tcp_rmem", "4096 65536 262144");
        netns.sysctl("net/ipv4/tcp_wmem", "4096 65536 262144");
    }
    let net = json!(stage.net).to_string();
    for carrier in CARRIERS {
        let mut session = stage.session(carrier, &[]);
        let worker = session.worker();
        let before = peak_kib(worker);
        let program = tools::program("player/stall.py");
        let mut bodies = session.spawn(&[PYTHON, "-B", &program, &net, protocol, connections]);
        bodies.wait_line("stalled");
        let grown = peak_kib(worker) - before;
        assert!(grown < GROWTH_KIB, "{carrier}: the worker grew by {grown} KiB from {before} KiB");
        bodies.write(b"go on\n");
        let output = bodies.finish_within(LIMIT);
        assert!(output.ok().ends_with(" bytes\n"), "{output:?}");
        session.down();
    }
}

#[test]
fn sixty_four_http1_connections() {
    stall("h1", "64");
}

#[test]
fn sixty_four_streams_on_one_http2_connection() {
    stall("h2", "1");
}

#[test]
fn sixty_four_streams_on_as_many_http2_connections() {
    stall("h2", "64");
}
