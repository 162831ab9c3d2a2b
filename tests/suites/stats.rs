//! `agent stats` equals what an independent capture counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::Value;
use tests::capture::Counted;
use tests::{Capture, Lab, Session, eventually, process::Process};

const QUIET_NS: u64 = 300_000_000;

/// Fills a file that is fetched with what is not compressible enough to matter.
fn content(lab: &Lab, bytes: usize) -> String {
    let path = format!("{}/content", lab.www("origin.test"));
    std::fs::write(&path, vec![b'x'; bytes]).unwrap();
    path
}

/// The statistics once every connection has ended and no packet comes any more.
fn settled(session: &Session<'_>) -> Value {
    eventually("all connections have ended", || {
        let stats = session.stats();
        let connections = stats["connections"].as_array().unwrap();
        let over = |connection: &Value| {
            let state = connection["state"].as_str().unwrap();
            ["closed", "reset"].contains(&state) && connection["idle_ns"].as_u64().unwrap() > QUIET_NS
        };
        (!connections.is_empty() && connections.iter().all(over)).then_some(stats)
    })
}

fn total(counted: &[Counted], wanted: impl Fn(&Counted) -> bool) -> (u64, u64) {
    counted
        .iter()
        .filter(|one| wanted(one))
        .fold((0, 0), |(packets, bytes), one| (packets + one.packets, bytes + one.bytes))
}

fn pair(value: &Value) -> (u64, u64) {
    (value["packets"].as_u64().unwrap(), value["bytes"].as_u64().unwrap())
}

fn compare(offloads: bool, ipv6: bool) {
    let lab = Lab::new();
    let file = content(&lab, 5_000_000);
    let session = lab.agent().up();
    if !offloads {
        let script = "import fcntl, socket, struct; s = socket.socket()\n\
            for command in (0x1f, 0x24, 0x2c):  # ETHTOOL_STSO, SGSO, SGRO: linux/ethtool.h\n \
            b = bytearray(struct.pack('II', command, 0)); import ctypes; a = (ctypes.c_char * 8).from_buffer(b)\n \
            fcntl.ioctl(s, 0x8946, struct.pack('16sQ16x', b'eth0', ctypes.addressof(a)))";
        tests::process::run(session.as_root(tests::PYTHON).args(["-c", script])).ok();
    }
    let capture = Capture::start(session.name(), "eth0");
    let name = if ipv6 { "v6only.test" } else { "origin.test" };
    let url = |path: &str| format!("https://{name}{path}");
    session.exec(&["curl", "-sSfk", "-o", "/dev/null", &url("/content")]).ok();
    session.exec(&["curl", "-sSfk", "-T", &file, &url("/upload/copy")]).ok();
    session.exec(&["curl", "-sSfk", &format!("http://{name}/hello")]).ok();
    let stats = settled(&session);
    let counted = capture.stop();
    let connections = stats["connections"].as_array().unwrap();
    assert_eq!(connections.len(), 3, "{stats:#}");
    for connection in connections {
        let (child, dst) = (connection["child"].as_str().unwrap(), connection["orig_dst"].as_str().unwrap());
        let sent = total(&counted, |one| one.direction == "out" && one.source == child && one.destination == dst);
        let received = total(&counted, |one| one.direction == "in" && one.source == dst && one.destination == child);
        assert_eq!((pair(&connection["sent"]), pair(&connection["received"])), (sent, received), "{connection:#}");
    }
    // Of what the client's stack sends by itself, nothing is let in; of what it gets, everything is counted.
    let transport = |one: &Counted| ["tcp", "udp"].contains(&one.protocol.as_str());
    assert_eq!(pair(&stats["sent"]), total(&counted, |one| one.direction == "out" && transport(one)), "{stats:#}");
    assert_eq!(pair(&stats["received"]), total(&counted, |one| one.direction == "in"), "{stats:#}");
    session.down();
}

#[test]
fn each_connections_bytes_and_packets_equal_a_capture() {
    compare(true, false);
}

#[test]
fn each_connections_bytes_and_packets_equal_a_capture_over_ipv6() {
    compare(true, true);
}

#[test]
fn each_connections_bytes_and_packets_equal_a_capture_without_offloads() {
    compare(false, false);
}

#[test]
fn the_table_and_the_json_name_what_a_user_looks_for() {
    let lab = Lab::new();
    let session = lab.agent().up();
    session.exec(&["curl", "-sS", "https://origin.test/hello"]).ok();
    let stats = settled(&session);
    let connection = &stats["connections"][0];
    assert_eq!(connection["orig_dst"], "198.51.100.10:443");
    assert_eq!(connection["name"], "origin.test");
    assert_eq!(connection["verdict"], "intercept");
    assert!(connection["age_ns"].as_u64().unwrap() >= connection["idle_ns"].as_u64().unwrap());
    assert_eq!(stats["opened"], 1);
    assert_eq!(stats["events_lost"], 0);
    let table = session.agent(&["stats", session.name()]);
    let row = table.ok().lines().find(|line| line.starts_with("198.51.100.10:443")).unwrap();
    for word in ["origin.test", "intercept", "closed"] {
        assert!(row.contains(word), "{}", table.stdout);
    }
    session.down();
}

#[test]
fn watching_goes_on_until_the_session_ends() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let mut watch = Process::spawn(&mut session.agent_command(&["stats", session.name(), "--watch", "--json"]));
    let before: Value = watch.wait_output(|text| serde_json::from_str(text.lines().next()?).ok());
    assert_eq!(before["opened"], 0);
    session.exec(&["curl", "-sS", "https://origin.test/hello"]).ok();
    watch.wait_output(|text| {
        let readings: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (readings.len() > 1 && readings.last()?["opened"] == 1).then_some(())
    });
    session.agent(&["down", session.name()]).ok();
    watch.finish().ok();
    session.ended(0);
}
