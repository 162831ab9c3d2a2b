//! `--pcap` and `--keylog`: what tshark reads out of the files is what client and server had, byte for byte.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tests::clients::Client;
use tests::tshark::{self, Blocks};
use tests::{Capture, Lab, PYTHON, Process, Session, Tshark, eventually, process, tools};

const TARGET4: &str = "192.0.2.150";
const TARGET6: &str = "2001:db8:1::150";
const NOBODY: u32 = 65534;

/// Bytes that are all different from their neighbours, other ones for each seed.
fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut word = seed;
    let words = std::iter::repeat_with(|| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word.to_le_bytes()
    });
    words.take(bytes.div_ceil(8)).flatten().take(bytes).collect()
}

/// How curl speaks, and a number for each.
const WAYS: [(u64, &[&str]); 4] = [
    (1, &["--http1.1", "--tlsv1.3"]),
    (2, &["--http1.1", "--tls-max", "1.2"]),
    (3, &["--http2", "--tlsv1.3"]),
    (4, &["--http2", "--tls-max", "1.2"]),
];

/// Downloads and uploads a few MiB in each way. Returns all bodies by name, as client and server had them.
fn transfer(lab: &Lab, session: &Session<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut bodies = BTreeMap::new();
    for (seed, way) in WAYS {
        let (down, up) = (format!("down-{seed}"), format!("up-{seed}"));
        let (served, sent) = (content(3 << 20, seed), content(2 << 20, 10 + seed));
        fs::write(format!("{}/{down}", lab.www("origin.test")), &served).unwrap();
        let (got, sending) = (lab.scratch.file(&format!("got-{seed}")), lab.scratch.write(&up, &sent));
        let curl = |args: &[&str]| session.exec(&[&["curl", "-sSf", "-H", "Expect:"], way, args].concat()).ok().len();
        curl(&["-o", &got, &format!("https://origin.test/{down}")]);
        curl(&["-T", &sending, &format!("https://origin.test/upload/{up}")]);
        assert!(fs::read(got).unwrap() == served, "{way:?}");
        assert!(fs::read(format!("{}/upload/{up}", lab.www("origin.test"))).unwrap() == sent, "{way:?}");
        bodies.extend([(down, served), (up, sent)]);
    }
    bodies
}

/// Asserts that tshark decrypts all of these bodies.
#[track_caller]
fn assert_bodies(tshark: &Tshark<'_>, expect: &BTreeMap<String, Vec<u8>>) {
    let mut seen = tshark.http1_bodies();
    seen.extend(tshark.http2_bodies());
    let lengths = |bodies: &BTreeMap<String, Vec<u8>>| -> Vec<(String, usize)> {
        bodies.iter().map(|(name, body)| (name.clone(), body.len())).collect()
    };
    assert_eq!(lengths(&seen), lengths(expect));
    for (name, body) in expect {
        assert!(seen[name] == *body, "the bytes of `{name}` differ");
    }
}

#[test]
fn bodies_of_http1_and_http2_are_those_that_client_and_server_had() {
    let lab = Lab::new();
    let file = lab.scratch.file("session.pcapng");
    let session = lab.agent().args(&["--pcap", &file]).up();
    let bodies = transfer(&lab, &session);
    session.down();
    assert_bodies(&Tshark::new(&file, &lab.scratch), &bodies);
}

#[test]
fn grpc_messages_are_those_that_client_and_server_exchanged() {
    let lab = Lab::with_grpc();
    for (client, server) in [("grpc_client.py", "grpcio.test"), ("grpc_client.py", "grpc-js.test")] {
        let file = lab.scratch.file("session.pcapng");
        let session = lab.agent().args(&["--pcap", &file]).up();
        Client::python(client).arg(server).check(&session, &["both_stream"]);
        session.down();
        let tshark = Tshark::new(&file, &lab.scratch);
        let expect: Vec<String> = (0..100).map(|number: u32| number.to_string()).collect();
        for direction in ["tcp.dstport == 443", "tcp.srcport == 443"] {
            let filter = format!("grpc.message_data && {direction}");
            let packets = tshark.fields(&filter, &["grpc.message_data"]);
            let messages = packets.iter().flat_map(|packet| packet[0].split('|'));
            let messages: Vec<String> = messages.map(|hex| String::from_utf8(tshark::bytes(hex)).unwrap()).collect();
            assert_eq!(messages, expect, "{direction}");
        }
        let called = tshark.fields("http2.headers.path", &["http2.headers.path"]);
        assert_eq!(called, [["/lab.Echo/Converse"]]);
    }
}

/// Waits until tcpdump writes a file.
fn tcpdump(netns: &str, device: &str, file: &str) -> Process {
    let mut command = tests::netns::command_in(netns, "sh");
    let script = "exec tcpdump -i \"$0\" -w \"$1\" -U -B 65536 -Z root 2>&1";
    let mut process = Process::spawn(command.args(["-c", script, device, file]));
    process.wait_output(|text| text.contains("listening on").then_some(()));
    process
}

#[test]
fn a_key_log_decrypts_captures_of_both_sides() {
    let lab = Lab::new();
    let [keys, child, upstream] = ["keys", "child.pcap", "upstream.pcap"].map(|name| lab.scratch.file(name));
    let session = lab.agent().args(&["--keylog", &keys]).up();
    let captures = [tcpdump(session.name(), "eth0", &child), tcpdump(lab.host.name(), "wire0", &upstream)];
    let bodies = transfer(&lab, &session);
    let connections = 2 * WAYS.len();
    for file in [&child, &upstream] {
        eventually("all connections have ended", || {
            let ends = "tcp.port == 443 && (tcp.flags.fin == 1 || tcp.flags.reset == 1)";
            let ended: BTreeSet<_> =
                Tshark::new(file, &lab.scratch).fields_so_far(ends, "tcp.stream").into_iter().collect();
            (ended.len() == connections).then_some(())
        });
    }
    for capture in captures {
        capture.signal(Signal::SIGINT);
        let said = capture.finish();
        assert!(said.ok().contains("\n0 packets dropped by kernel"), "{said:#?}");
    }
    session.down();
    for file in [child, upstream] {
        assert!(Tshark::new(&file, &lab.scratch).http1_bodies().is_empty(), "it is not encrypted");
        assert_bodies(&Tshark::new(&file, &lab.scratch).keys(&keys), &bodies);
    }
    let text = fs::read_to_string(&keys).unwrap();
    for side in ["# child", "# upstream"] {
        assert_eq!(text.lines().filter(|line| *line == side).count(), connections, "{text}");
    }
}

/// The comments of all packets, each with how often it is there.
fn comments(tshark: &Tshark<'_>) -> BTreeMap<String, u64> {
    let packets = tshark.fields("frame.comment", &["frame.comment"]);
    let mut counted = BTreeMap::new();
    for comment in packets.iter().flat_map(|packet| packet[0].split('|')) {
        *counted.entry(comment.to_owned()).or_default() += 1;
    }
    counted
}

#[test]
fn a_connections_first_packet_names_its_process_and_its_verdict() {
    let lab = Lab::new();
    let file = lab.scratch.file("session.pcapng");
    let session = lab.agent().args(&["--pcap", &file, "--user", "65534"]).up();
    let script = "echo $$; exec curl -sS -o /dev/null \"$0\"";
    let pid = |url: &str| session.exec(&["sh", "-c", script, url]).ok().trim().to_owned();
    let [tls, other] = ["https://origin.test/hello", "http://origin.test:8080/hello"].map(pid);
    let unknown =
        session.as_root("curl").args(["-sSk", "-o", "/dev/null", "https://198.51.100.10/hello"]).output().unwrap();
    assert!(unknown.status.success(), "{unknown:?}");
    session.down();
    let tshark = Tshark::new(&file, &lab.scratch);
    let opening = "tcp.flags.syn == 1 && tcp.flags.ack == 0";
    let openings = tshark.fields(opening, &["tcp.dstport", "frame.comment", "frame.packet_flags_direction"]);
    let expect =
        |pid: &str, verdict: &str| format!("process: curl (pid {pid}) /usr/bin/curl user {NOBODY}|verdict: {verdict}");
    let inbound = "0x00000001";
    assert_eq!(
        openings,
        [
            ["443", &expect(&tls, "intercept"), inbound],
            ["8080", &expect(&other, "relay"), inbound],
            ["443", "verdict: intercept", inbound],
        ]
    );
    // Nothing is said of other packets of these connections.
    assert!(tshark.fields(&format!("tcp && frame.comment && !({opening})"), &["frame.number"]).is_empty());
    let queries = tshark.fields("dns && udp.dstport == 53", &["frame.comment"]);
    assert!(!queries.is_empty() && queries.iter().all(|query| query[0] == "verdict: dns"), "{queries:?}");
}

/// How many packets the kernel has refused for each reason, where it has.
fn drops(stats: &Value) -> BTreeMap<String, u64> {
    let drops = stats["drops"].as_array().unwrap().iter();
    let counted = drops.map(|drop| (drop["reason"].as_str().unwrap(), drop["packets"].as_u64().unwrap()));
    counted.filter(|(_, packets)| *packets > 0).map(|(reason, packets)| (reason.to_owned(), packets)).collect()
}

#[test]
fn a_refused_packet_says_why_as_the_kernel_counts_it() {
    let lab = Lab::bare();
    for options in [&["--mode", "observe"][..], &["--mode", "enforce"]] {
        let file = lab.scratch.file("session.pcapng");
        let session = lab.agent().args(options).args(&["--pcap", &file]).up();
        process::run(session.as_root(PYTHON).args([&tools::program("forge.py"), TARGET4, TARGET6])).ok();
        for (kind, address, port) in [
            ("udp", TARGET4, "443"),
            ("udp", TARGET6, "9"),
            ("tcp", "169.254.169.254", "80"),
            ("tcp", "10.200.1.1", "80"),
        ] {
            session.exec(&[PYTHON, &tools::program("attempts.py"), kind, address, port]).ok();
        }
        session.exec(&[PYTHON, &tools::program("attempts.py"), "tcp", TARGET4, "22"]).ok();
        let counted = drops(&session.stats());
        session.down();
        let seen = comments(&Tshark::new(&file, &lab.scratch));
        let refused =
            seen.iter().filter_map(|(comment, count)| Some((comment.strip_prefix("refused: ")?.to_owned(), *count)));
        assert_eq!(refused.collect::<BTreeMap<_, _>>(), counted);
        for reason in ["vlan", "spoofed", "fragment", "udp", "network", "gateway"] {
            assert!(counted.contains_key(reason), "{counted:?}");
        }
        assert_eq!(counted.contains_key("port"), options.contains(&"enforce"));
        // The tag that the kernel takes off is where it was.
        let tagged = Tshark::new(&file, &lab.scratch).fields("vlan", &["vlan.id", "frame.comment", "frame.len"]);
        assert_eq!(tagged, [["7", "refused: vlan", "58"]]);
    }
}

#[test]
fn every_packet_of_the_wire_is_in_the_file_and_nothing_is_lost() {
    let lab = Lab::new();
    fs::write(format!("{}/content", lab.www("origin.test")), content(20 << 20, 7)).unwrap();
    let file = lab.scratch.file("session.pcapng");
    let session = lab.agent().args(&["--pcap", &file]).up();
    let capture = Capture::start(session.name(), "eth0");
    session.exec(&["curl", "-sSf", "-o", "/dev/null", "https://origin.test/content"]).ok();
    session.exec(&["curl", "-sSfk", "-6", "-o", "/dev/null", "https://v6only.test/content"]).ok();
    let is_over = |stats: &Value| {
        let connections = stats["connections"].as_array().unwrap();
        connections.len() == 2 && connections.iter().all(|connection| connection["state"] == "closed")
    };
    eventually("both have ended", || is_over(&session.stats()).then_some(()));
    let counted = capture.stop();
    session.down();
    let packets = Tshark::new(&file, &lab.scratch).fields("tcp", &["frame.packet_flags_direction", "frame.len"]);
    // What the child sends out comes in at the gateway.
    for (direction, flags) in [("out", "0x00000001"), ("in", "0x00000002")] {
        let captured = counted.iter().filter(|one| one.protocol == "tcp" && one.direction == direction);
        let seen = packets.iter().filter(|packet| packet[0] == flags);
        let bytes = seen.map(|packet| packet[1].parse::<u64>().unwrap()).sum::<u64>();
        assert_eq!(bytes, captured.map(|one| one.bytes).sum::<u64>(), "{direction}");
    }
    Blocks::of(&file).assert_whole(0);
}

#[test]
fn the_file_is_whole_however_soon_the_command_ends() {
    let lab = Lab::new();
    let file = lab.scratch.file("session.pcapng");
    // What was in it goes.
    fs::write(&file, content(1 << 20, 1)).unwrap();
    let agent = lab.agent().args(&["--pcap", &file]);
    agent.run(&["curl", "-sSf", "--http2", "-o", "/dev/null", "https://origin.test/hello"]).ok();
    Blocks::of(&file).assert_whole(0);
    let bodies = Tshark::new(&file, &lab.scratch).http2_bodies();
    assert_eq!(bodies, BTreeMap::from([("hello".to_owned(), b"hello from origin.test\n".to_vec())]));
    agent.run(&["true"]).ok();
    Blocks::of(&file).assert_whole(0);
}

#[test]
fn a_file_can_be_read_while_the_session_runs_and_after_it_was_killed() {
    let lab = Lab::new();
    let file = lab.scratch.file("session.pcapng");
    let mut session = lab.agent().args(&["--pcap", &file]).up();
    session.exec(&["curl", "-sSf", "--http2", "-o", "/dev/null", "https://origin.test/hello"]).ok();
    let read = || Tshark::new(&file, &lab.scratch).http2_bodies();
    eventually("the exchange is in the file", || read().contains_key("hello").then_some(()));
    let mut transfer = session.spawn(&["sh", "-c", "while curl -sSf https://origin.test/hello; do :; done"]);
    transfer.wait_output(|text| (text.lines().count() > 20).then_some(()));
    let name = session.name().to_owned();
    session.signal(Signal::SIGKILL);
    let leftovers = session.died();
    process::run(&mut tests::agent::agent_on(&lab.host, &["down", &name])).ok();
    leftovers.assert_clean();
    assert_eq!(Blocks::of(&file).sections(), 1);
    assert!(read().contains_key("hello"));
}

#[test]
fn a_new_worker_goes_on_in_the_same_files() {
    let lab = Lab::new();
    let [file, keys] = ["session.pcapng", "keys"].map(|name| lab.scratch.file(name));
    let mut session = lab.agent().args(&["--pcap", &file, "--keylog", &keys]).up();
    let fetch = |session: &Session<'_>, name: &str| {
        fs::write(format!("{}/{name}", lab.www("origin.test")), content(100_000, 5)).unwrap();
        session.exec(&["curl", "-sSf", "--http2", "-o", "/dev/null", &format!("https://origin.test/{name}")]).ok().len()
    };
    fetch(&session, "first");
    eventually("it is in the file", || {
        Tshark::new(&file, &lab.scratch).http2_bodies().contains_key("first").then_some(())
    });
    kill(session.worker(), Signal::SIGKILL).unwrap();
    fetch(&session, "second");
    session.down();
    let blocks = Blocks::of(&file);
    assert_eq!((blocks.sections(), blocks.ends()), (2, 1));
    let bodies = Tshark::new(&file, &lab.scratch).http2_bodies();
    assert_eq!(bodies.keys().collect::<Vec<_>>(), ["first", "second"]);
    let sides = fs::read_to_string(&keys).unwrap();
    assert_eq!(sides.lines().filter(|line| line.starts_with('#')).count(), 4, "{sides}");
}

#[test]
fn files_are_made_and_written_as_the_invoking_user_alone() {
    let lab = Lab::bare();
    let home = lab.scratch.file("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let inside = |name: &str| format!("{home}/{name}");
    // Root and root's groups could write it.
    let precious = lab.scratch.write("precious", "precious\n");
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o660)).unwrap();
    symlink(&precious, inside("link")).unwrap();
    let agent = lab.agent().under(&["setpriv", "--groups", "0"]).env("SUDO_UID", &NOBODY.to_string());
    for option in ["--pcap", "--keylog"] {
        for path in [&precious, &inside("link"), &lab.scratch.file("new"), &inside("missing/new"), &home] {
            let output = agent.clone().args(&[option, path]).run(&["true"]);
            output.assert_status(125).assert_stderr(&format!("`{option} {path}`"));
            output.assert_stderr("nobody").assert_stderr("name one that they can");
        }
        let file = inside(option);
        agent.clone().args(&[option, &file]).run(&["true"]).ok();
        let made = fs::metadata(&file).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o777), (NOBODY, 0o600), "{option}");
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
    assert!(!fs::exists(lab.scratch.file("new")).unwrap());
}

#[test]
fn a_session_that_cannot_start_leaves_a_file_as_it_was() {
    let lab = Lab::bare();
    let [file, keys] = ["session.pcapng", "keys"].map(|name| lab.scratch.write(name, "of another session\n"));
    let session = lab.agent().up();
    let second = lab.agent().named(session.name()).args(&["--pcap", &file, "--keylog", &keys]);
    second.spawn(&["true"]).finish().assert_status(125).assert_stderr("agent down");
    let twice = lab.agent().args(&["--pcap", &file, "--keylog", &file]);
    twice.run(&["true"]).assert_status(125).assert_stderr("give each its own");
    for path in [file, keys] {
        assert_eq!(fs::read_to_string(path).unwrap(), "of another session\n");
    }
    session.down();
}

#[test]
fn packets_go_through_a_pipe_as_they_come() {
    let lab = Lab::new();
    let [pipe, copy] = ["pipe", "copy.pcapng"].map(|name| lab.scratch.file(name));
    process::run(tools::command("mkfifo").arg(&pipe)).ok();
    let reader = Process::spawn(tools::command("sh").args(["-c", "exec cat \"$0\" > \"$1\"", &pipe, &copy]));
    let agent = lab.agent().args(&["--pcap", &pipe]);
    agent.run(&["curl", "-sSf", "--http2", "-o", "/dev/null", "https://origin.test/hello"]).ok();
    reader.finish().ok();
    Blocks::of(&copy).assert_whole(0);
    assert!(Tshark::new(&copy, &lab.scratch).http2_bodies().contains_key("hello"));
}

#[test]
fn traffic_goes_on_when_there_is_no_room_and_the_log_says_so() {
    let lab = Lab::new();
    let agent = lab.agent().args(&["--pcap", "/dev/full", "--keylog", "/dev/full"]);
    let output = agent.run(&["curl", "-sSf", "https://origin.test/hello"]);
    assert_eq!(output.ok(), "hello from origin.test\n");
    for file in ["the file of packets is not complete", "the key log is not complete"] {
        assert_eq!(agent.log().matches(file).count(), 1, "{}", agent.log());
    }
}

#[test]
fn lost_packets_are_counted_in_the_file_and_told_of_in_the_log() {
    let lab = Lab::bare();
    let file = lab.scratch.file("session.pcapng");
    let agent = lab.agent().args(&["--pcap", &file]);
    let mut session = agent.up();
    let worker = session.worker();
    kill(worker, Signal::SIGSTOP).unwrap();
    let mut flood = session.spawn(&[PYTHON, &tools::program("flood.py"), TARGET4, "40000", "100"]);
    // 128 MiB of the kernel's memory, of which it takes 768 bytes for such a packet.
    for round in 0.. {
        flood.write(b"go\n");
        flood.wait_line(&format!("sent {round}"));
        if drops(&session.stats())["udp"] > 200_000 {
            break;
        }
    }
    flood.signal(Signal::SIGKILL);
    flood.finish().assert_status(137);
    kill(worker, Signal::SIGCONT).unwrap();
    eventually("the log says so", || session.log().contains("packets were lost").then_some(()));
    session.down();
    let blocks = Blocks::of(&file);
    let (received, dropped) = blocks.statistics();
    assert!(dropped > 0 && received > 200_000, "{received} {dropped}");
    blocks.assert_whole(dropped);
}

#[test]
fn no_secret_is_in_the_log() {
    let lab = Lab::new();
    let [file, keys] = ["session.pcapng", "keys"].map(|name| lab.scratch.file(name));
    let agent = lab.agent().args(&["--pcap", &file, "--keylog", &keys]);
    agent.run(&["curl", "-sSf", "-o", "/dev/null", "https://origin.test/hello"]).ok();
    let (log, keys) = (agent.log(), fs::read_to_string(keys).unwrap());
    let secrets: Vec<&str> =
        keys.lines().filter_map(|line| line.split(' ').nth(2)).filter(|word| word.len() > 60).collect();
    // One of TLS 1.2 upstream, five of TLS 1.3 downstream.
    assert_eq!(secrets.len(), 6, "{keys}");
    assert!(log.contains("exchange_finished"), "{log}");
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
}
