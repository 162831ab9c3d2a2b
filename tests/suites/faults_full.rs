//! What is full refuses or makes wait, and says so; what was open goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::net::Ipv4Addr;

use agent_common::maps::{Flow, FlowKey, MAX_FLOWS, State, address};
use aya::maps::{HashMap, Map, MapData};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tests::{Lab, PYTHON, Session, eventually, facts, tools};

const SERVER: &str = "198.51.100.10";
/// A port where bytes are relayed and echoed.
const ECHO: &str = "7001";

#[test]
fn connections_for_which_no_descriptor_is_left_wait_and_the_log_says_so() {
    let mut lab = Lab::bare();
    lab.python("tcp_servers.py", &[]);
    // Enough for 50 (docs/limits.md), of which one is ready for the next connection over IPv6.
    let session = lab.agent().under(&["prlimit", "--nofile=1300:1300"]).up();
    let mut held = session.spawn(&[PYTHON, &tools::program("hold.py"), SERVER, ECHO, "70", "49"]);
    held.wait_line("answered 49");
    eventually("the log says so", || session.log().contains("the next ones wait").then_some(()));
    assert_eq!(session.log().matches("connection_accepted").count(), 49);
    held.write(b"go on\n");
    held.wait_line("answered 21");
    held.finish().ok();
    session.down();
}

/// The table of connections, which root may write.
fn flows(session: &Session<'_>) -> HashMap<MapData, FlowKey, Flow> {
    let pin = format!("/sys/fs/bpf/agent/{}/FLOWS", session.name());
    HashMap::try_from(Map::HashMap(MapData::from_pin(pin).unwrap())).unwrap()
}

fn attempt(session: &Session<'_>) -> String {
    session.exec(&[PYTHON, &tools::program("attempts.py"), "tcp", SERVER, ECHO]).ok().trim().to_owned()
}

#[test]
fn a_full_table_of_connections_refuses_new_ones_and_keeps_those_it_has() {
    let mut lab = Lab::bare();
    lab.python("tcp_servers.py", &[]);
    let session = lab.agent().up();
    let mut held = session.spawn(&[PYTHON, &tools::program("hold.py"), SERVER, ECHO, "2", "1"]);
    held.wait_line("answered 1");
    let mut flows = flows(&session);
    let (key, flow) = flows.iter().flatten().next().unwrap();
    let filler = Flow { state: State::Open as u8, ..flow };
    let place = |n: u32| FlowKey { dst: address(Ipv4Addr::from(0x0a00_0000 + n).into()), ..key };
    let mut filled = 0;
    while flows.insert(place(filled), filler, 0).is_ok() {
        filled += 1;
    }
    assert!(filled > MAX_FLOWS - 100, "{filled}");
    assert_eq!(attempt(&session), "ECONNREFUSED");
    let stats = session.stats();
    let refused = stats["attempts"].as_array().unwrap().iter().find(|attempt| attempt["reason"] == "flow-table-full");
    assert_eq!(refused.unwrap()["dst"], format!("{SERVER}:{ECHO}"), "{stats:#}");
    let told = |line: &str| line.contains("attempt_blocked") && line.contains("\"flow-table-full\"");
    eventually("the log says so", || session.log().lines().any(told).then_some(()));
    held.write(b"go on\n");
    held.wait_line("answered 1");
    held.finish().ok();
    for n in 0..filled {
        flows.remove(&place(n)).unwrap();
    }
    drop(flows);
    assert!(attempt(&session).starts_with("answered"));
    session.down();
}

#[test]
fn attempts_that_the_full_ring_buffer_lost_are_told_of_in_the_end() {
    const PORTS: u64 = 3000;
    const ROUNDS: u64 = 3;
    let lab = Lab::bare();
    let agent = lab.agent();
    let mut session = agent.up();
    let worker = session.worker();
    kill(worker, Signal::SIGSTOP).unwrap();
    let (ports, rounds) = (PORTS.to_string(), ROUNDS.to_string());
    let flood = tools::program("flood.py");
    let mut flood = session.spawn(&[PYTHON, &flood, "192.0.2.150", &ports, &rounds]);
    for round in 0..ROUNDS {
        flood.write(b"go\n");
        flood.wait_line(&format!("sent {round}"));
        // Each destination is reported once a second: the next round is due when the youngest is old enough.
        eventually("a second has passed", || {
            let stats = session.stats();
            let youngest = stats["attempts"].as_array()?.iter().filter_map(|one| one["idle_ns"].as_u64()).min()?;
            (youngest > 1_000_000_000).then_some(())
        });
    }
    flood.finish().ok();
    let lost = session.stats()["events_lost"].as_u64().unwrap();
    kill(worker, Signal::SIGCONT).unwrap();
    // 1 MiB, and 8 bytes before each record.
    let room = (1 << 20) / (size_of::<agent_common::maps::Event>().next_multiple_of(8) as u64 + 8);
    assert!(lost >= PORTS * ROUNDS - room && lost <= PORTS, "{lost} of {} with room for {room}", PORTS * ROUNDS);
    let events = |log: &str| -> Vec<Value> {
        let blocked = facts::of(log, "attempt_blocked").into_iter();
        blocked.filter(|event| event["reason"] == "udp").collect()
    };
    eventually("what was kept is in the log", || (events(&session.log()).len() as u64 >= room - 10).then_some(()));
    session.down();
    let told: u64 = events(&agent.log()).iter().map(|event| 1 + event["folded"].as_u64().unwrap()).sum();
    assert_eq!(told, PORTS * ROUNDS);
}

/// A mount namespace in which sessions have this little room, and no others are seen. Not mounted on their directory
/// itself: whoever removes that outside, once it is empty, takes away what is mounted on it here.
const SMALL: &str = "mount -t tmpfs -o size=256k none /run && mkdir /run/agent && exec \"$@\"";

#[test]
fn traffic_goes_on_when_the_log_has_no_room_and_what_is_missing_is_said() {
    let lab = Lab::new();
    let fetch = "curl -sS https://origin.test/hello";
    let fill = "dd if=/dev/zero of=/run/agent/fill bs=1k status=none 2>/dev/null";
    let again = format!("{fetch}; {fill}; for i in 1 2 3 4 5; do {fetch}; done");
    for (script, is_full) in [(again.clone(), true), (format!("{again}; rm /run/agent/fill; {fetch}"), false)] {
        let agent = lab.agent().under(&["unshare", "--mount", "sh", "-c", SMALL, "sh"]);
        let output = agent.spawn(&["sh", "-c", &script]).finish_within(tests::lab::COMMAND);
        assert!(output.ok().lines().all(|line| line == "hello from origin.test"), "{output:#?}");
        assert_eq!(output.stdout.lines().count(), if is_full { 6 } else { 7 });
        assert_eq!(output.stderr.contains("is not complete"), is_full, "{output:#?}");
        assert_eq!(agent.log().contains("lines could not be written here"), !is_full, "{}", agent.log());
        tests::Leftovers::of(agent.name()).assert_clean();
    }
}
