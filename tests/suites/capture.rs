//! What passes is recorded, as it passed: read back with sqlite3(1) and zstd(1).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use tests::agent::agent_on;
use tests::clients::Client;
use tests::{Lab, Recorded, process, tools};

#[test]
fn an_exchange_is_recorded_with_its_heads_bodies_and_times() {
    let lab = Lab::new();
    for (option, version, first) in
        [("--http1.1", "HTTP/1.1", json!(["Host", "origin.test"])), ("--http2", "HTTP/2", json!([":method", "PUT"]))]
    {
        let agent = lab.agent();
        let upload = format!("https://origin.test/upload/{}", option.trim_matches('-'));
        let argv = ["curl", "-sS", option, "-H", "X-Two: b", "-H", "x-two: a", "-T", "/etc/hostname", &upload];
        agent.run(&argv).ok();
        let capture = agent.capture();
        let rows = capture.rows("SELECT e.*, c.sni, c.alpn, c.executable, c.verified, c.server_tls FROM exchanges e JOIN connections c ON c.id = e.connection");
        let [row] = &rows[..] else { panic!("one exchange: {rows:#?}") };
        for (column, expect) in [
            ("version", json!(version)),
            ("method", json!("PUT")),
            ("host", json!("origin.test")),
            ("status", json!(201)),
            ("sni", json!("origin.test")),
            ("executable", json!("/usr/bin/curl")),
            ("verified", json!(1)),
            ("verdict", json!("allow")),
            ("error", json!(null)),
        ] {
            assert_eq!(row[column], expect, "{column}");
        }
        let head: Vec<serde_json::Value> = serde_json::from_str(row["request_head"].as_str().unwrap()).unwrap();
        assert_eq!(head[0], first);
        let two: Vec<_> =
            head.iter().filter(|field| field[0].as_str().unwrap().eq_ignore_ascii_case("x-two")).collect();
        assert_eq!(two.iter().map(|field| &field[1]).collect::<Vec<_>>(), ["b", "a"], "{head:?}");
        assert_eq!(capture.body(&row["request_body"]), std::fs::read("/etc/hostname").unwrap());
        let times = ["started", "sent", "answered", "received", "finished"].map(|name| row[name].as_i64().unwrap());
        assert!(times.is_sorted(), "{times:?}");
        assert!(row["server_tls"].as_str().unwrap().starts_with("TLSv1_"), "{row:#?}");
    }
}

#[test]
fn large_bodies_are_kept_whole_in_files_and_once() {
    let lab = Lab::new();
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| (number ^ (number << 7)).to_le_bytes()).take(9_000_000).collect();
    std::fs::write(format!("{}/big", lab.www("origin.test")), &bytes).unwrap();
    let agent = lab.agent();
    let get = "for v in --http1.1 --http2; do curl -sS $v -o /dev/null https://origin.test/big; done";
    agent.shell(get).ok();
    let capture = agent.capture();
    let rows = capture.rows("SELECT response_body, response_size FROM exchanges");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["response_body"], rows[1]["response_body"], "the same content is kept once");
    for row in &rows {
        assert_eq!(row["response_size"], 9_000_000);
        assert!(capture.body(&row["response_body"]) == bytes, "what is kept is not what passed");
    }
    let left = std::fs::read_dir(capture.path().join("bodies/open")).unwrap().count();
    assert_eq!(left, 0, "files that nothing refers to");
}

#[test]
fn names_refusals_and_connections_are_recorded() {
    let lab = Lab::new();
    let agent = lab.agent().enforce();
    agent.shell("curl -sS https://origin.test/hello; curl -sS -m 2 telnet://198.51.100.9:25; true").ok();
    let capture = agent.capture();
    assert_eq!(capture.value("SELECT count(*) FROM dns WHERE name = 'origin.test' AND took_us > 0"), 2);
    assert_eq!(capture.value("SELECT reason FROM blocked WHERE destination = '198.51.100.9:25'"), "port");
    assert_eq!(capture.value("SELECT count(*) FROM connections WHERE closed >= accepted AND connect_us > 0"), 1);
    assert_eq!(capture.value("SELECT value FROM session WHERE name = 'mode'"), "enforce");
    let flow = "SELECT count(*) FROM flows WHERE state = 'closed' AND destination LIKE '%:443' AND bytes_in > 1000 AND packets_out > 3";
    assert_eq!(capture.value(flow), 1);
}

/// What an end wrote down that it sent or got, in hexadecimal.
fn noted(log: &str, what: &str) -> Vec<String> {
    log.lines().filter_map(|line| line.strip_prefix(what)).map(|hex| hex.trim().to_uppercase()).collect()
}

/// The payloads of the messages of the only exchange of this kind.
fn recorded(capture: &Recorded, kind: &str, direction: &str) -> Vec<String> {
    let rows = capture.rows(&format!(
        "SELECT hex(m.payload) AS payload FROM messages m JOIN exchanges e ON e.id = m.exchange \
         WHERE e.stream = '{kind}' AND m.direction = '{direction}' AND m.kind <> 'close' ORDER BY m.id"
    ));
    rows.iter().map(|row| row["payload"].as_str().unwrap().to_owned()).collect()
}

/// The bytes of a text in base64.
fn base64(text: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<usize> = text.trim_end_matches('=').chars().map(|digit| digits.find(digit).unwrap()).collect();
    let whole = bits.len() * 6 / 8;
    let group = |four: &[usize]| (0..4).fold(0, |number, at| number << 6 | four.get(at).copied().unwrap_or(0));
    let bytes = bits.chunks(4).flat_map(|four| [group(four) >> 16, group(four) >> 8, group(four)]);
    bytes.map(|byte| (byte & 0xff) as u8).take(whole).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// What is exported has the messages that both ends saw: in HAR where it has a place for them, and in JSON.
fn assert_exported(lab: &Lab, capture: &Recorded, kind: &str, sent: &[String], got: &[String]) {
    let directory = capture.path().to_str().unwrap();
    let export = |form| process::run(&mut agent_on(&lab.host, &["export", "--session", directory, form, "-"]));
    let rows = export("--jsonl");
    let row: Value = serde_json::from_str(rows.ok().lines().next().unwrap()).unwrap();
    let payload = |message: &Value| match message["base64"].as_str() {
        Some(text) => hex(&base64(text)),
        None => hex(message["text"].as_str().unwrap().as_bytes()),
    };
    for (direction, expect) in [("request", sent), ("response", got)] {
        let all = row["messages"].as_array().unwrap().iter();
        let messages = all.filter(|message| message["direction"] == direction && message["kind"] != "close");
        assert!(messages.map(payload).collect::<Vec<_>>() == expect, "{kind}: {direction} in JSON");
    }
    let har: Value = serde_json::from_str(export("--har").ok()).unwrap();
    let entry = &har["log"]["entries"][0];
    if kind == "websocket" {
        let data = |kind: &str| -> Vec<String> {
            let all = entry["_webSocketMessages"].as_array().unwrap().iter().filter(|one| one["type"] == kind);
            let said =
                all.filter(|one| one["opcode"] != 8).map(|one| (one["opcode"] == 1, one["data"].as_str().unwrap()));
            said.map(|(is_text, data)| if is_text { hex(data.as_bytes()) } else { hex(&base64(data)) }).collect()
        };
        assert!(data("send") == sent && data("receive") == got, "WebSocket in HAR");
    }
    if kind == "sse" {
        let events = entry["_eventSourceMessages"].as_array().unwrap().iter();
        let data: Vec<String> = events.map(|event| hex(event["data"].as_str().unwrap().as_bytes())).collect();
        // `data: `, and what follows it to the block's end.
        let expect = got.iter().map(|block| block.split_once("646174613A20").unwrap().1.to_owned());
        assert_eq!(data, expect.collect::<Vec<_>>(), "events in HAR");
    }
}

#[test]
fn every_message_of_a_stream_is_recorded_as_both_ends_saw_it() {
    for carrier in ["verbatim", "terminate"] {
        let (lab, [http, grpc]) = Lab::with_messages();
        for (kind, arguments, log) in [
            ("sse", &["sse"][..], &http),
            ("sse", &["sse", "gzip"], &http),
            ("websocket", &["websocket"], &http),
            ("grpc", &["talk"], &grpc),
        ] {
            fs::write(log, "").unwrap();
            let agent = lab.agent().args(&["--carrier", carrier]);
            let client = Client::node("messages.js");
            let output = agent.run(&client.argv(arguments));
            let (client, server) = (output.ok(), fs::read_to_string(log).unwrap());
            let capture = agent.capture();
            let (sent, got) = (noted(client, "client sent"), noted(client, "client got"));
            assert!(got.len() >= 8, "{output:#?}");
            assert_eq!(noted(&server, "server sent"), got, "{arguments:?}");
            assert!(recorded(&capture, kind, "response") == got, "{carrier} {arguments:?}: responses");
            assert!(recorded(&capture, kind, "request") == sent, "{carrier} {arguments:?}: requests");
            assert_eq!(noted(&server, "server got"), sent);
            assert_exported(&lab, &capture, kind, &sent, &got);
        }
    }
}

#[test]
fn a_killed_worker_leaves_all_but_the_last_moment() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab.node_origin();
    let mut session = lab.agent().up();
    let capture = session.capture();
    let mut transfer = session.spawn(&["curl", "-sSN", "https://stream.test/stream"]);
    transfer.wait_line("one");
    capture
        .wait("SELECT count(*) FROM exchanges e JOIN bodies b ON b.id = e.response_body WHERE b.size = 4", &json!(1));
    kill(session.worker(), Signal::SIGKILL).unwrap();
    assert_ne!(transfer.finish().status, 0);
    let row = &capture.rows("SELECT response_body, finished, path FROM exchanges")[0];
    assert_eq!(capture.body(&row["response_body"]), b"one\n");
    assert_eq!((&row["finished"], &row["path"]), (&Value::Null, &json!("/stream")));
    // The next worker goes on with the numbers.
    session.exec(&["curl", "-sS", "https://stream.test/release"]).ok();
    capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL AND id = 2", &json!(1));
    session.down();
    assert_eq!(capture.value("PRAGMA integrity_check"), "ok");
}

#[test]
fn what_is_recorded_is_the_users_and_hidden_from_the_command() {
    let lab = Lab::new();
    let folder = lab.scratch.file("home");
    for mode in ["observe", "enforce"] {
        let given = format!("{folder}/{mode}");
        let look = format!("ls {given}; echo x > {given}/x; curl -sS https://origin.test/hello");
        let agent = lab.agent().args(&["--mode", mode, "--capture", &given]);
        let output = agent.shell(&look);
        assert_eq!(output.stdout, "hello from origin.test\n", "{output:#?}");
        assert!(output.stderr.contains("Read-only") || output.stderr.contains("Permission"), "{output:#?}");
        let capture = Recorded::at(&given);
        assert_eq!(capture.value("SELECT count(*) FROM exchanges"), 1);
        let stat =
            process::run(tools::command("stat").args(["-c", "%a %U %G", &given, &format!("{given}/capture.db")]));
        assert_eq!(stat.ok(), "2770 nobody root\n640 nobody root\n");
        // It is taken: nothing of it is written over.
        let again = agent.run(&["true"]);
        assert!(again.status == 125 && again.stderr.contains("not empty"), "{again:#?}");
    }
}

#[test]
fn nothing_is_recorded_where_nobody_wants_it() {
    let lab = Lab::new();
    let agent = lab.agent().args(&["--no-capture"]);
    assert_eq!(agent.run(&["curl", "-sS", "https://origin.test/hello"]).ok(), "hello from origin.test\n");
    assert!(!std::path::Path::new(&lab.scratch.file("state/agent")).exists());
}

/// A download of 24 MB that does not compress, in a session whose directory has room for 3 MiB; what came of it, the log,
/// and a copy of what was recorded.
fn on_a_small_disk(on_full: &str) -> (tests::Output, String, Value) {
    let lab = Lab::new();
    let bytes: Vec<u8> = (0..6_000_000_u32)
        .flat_map(|number| (number.wrapping_mul(2_654_435_761) ^ (number >> 3).wrapping_mul(40_503)).to_le_bytes())
        .collect();
    fs::write(format!("{}/big", lab.www("origin.test")), &bytes).unwrap();
    let (disk, kept) = (lab.scratch.file("disk"), lab.scratch.file("kept"));
    fs::create_dir(&disk).unwrap();
    let settings = lab.scratch.write("agent.toml", format!("[capture]\non_full = \"{on_full}\"\n"));
    let script = format!(
        "mount -t tmpfs -o size=3m,mode=755 none {disk} && {{ \"$@\"; status=$?; cp -a {disk}/capture {kept}; exit $status; }}"
    );
    let agent = lab.agent().args(&["--config", &settings, "--capture", &format!("{disk}/capture")]);
    let agent = agent.under(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let get = "curl -sS https://origin.test/hello; curl -sS -m 5 -o /dev/null -w '%{size_download}\\n' https://origin.test/big";
    let output = agent.shell(get);
    let kept = Recorded::at(kept);
    let found =
        kept.rows("SELECT b.id, b.size FROM exchanges e JOIN bodies b ON b.id = e.response_body WHERE path = '/big'");
    for row in found {
        let body = kept.body(&row["id"]);
        assert!(bytes.starts_with(&body) && body.len() as u64 >= row["size"].as_u64().unwrap(), "it is spoilt");
    }
    let hello = kept.value("SELECT count(*) FROM exchanges WHERE path = '/hello' AND finished IS NOT NULL");
    (output, agent.log(), hello)
}

#[test]
fn on_a_full_disk_traffic_goes_on_and_the_log_says_that_it_is_not_recorded() {
    let (output, log, hello) = on_a_small_disk("continue");
    assert_eq!(output.ok(), "hello from origin.test\n24000000\n");
    assert!(log.contains("\"event\":\"capture_failed\"") && log.contains("\"blocks\":false"), "{log}");
    assert_eq!(hello, 1, "what was recorded before stays");
}

#[test]
fn on_a_full_disk_traffic_stops_if_nothing_may_pass_unrecorded() {
    let (output, log, hello) = on_a_small_disk("block");
    assert_eq!(output.status, 28, "curl gave up: {output:#?}");
    assert!(!output.stdout.contains("24000000"), "{output:#?}");
    assert!(log.contains("\"event\":\"capture_failed\"") && log.contains("\"blocks\":true"), "{log}");
    assert_eq!(hello, 1);
}

#[test]
fn a_user_reads_what_was_recorded_and_removes_it() {
    let lab = Lab::new();
    let agent = lab.agent().args(&["--user", "games"]);
    agent.run(&["curl", "-sS", "https://origin.test/hello"]).ok();
    let folder = "/var/lib/agent/captures/5";
    let ours = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let path = ours.filter(|path| path.to_str().unwrap().contains(&format!("/{}-", agent.name()))).max().unwrap();
    let path = path.to_str().unwrap();
    let stranger = tools::command("setpriv").args(["--reuid=4000000", "--clear-groups", "ls", path]).output().unwrap();
    assert!(!stranger.status.success(), "anybody may read it");
    let read = format!("sqlite3 {path}/capture.db 'SELECT path FROM exchanges' && rm -r {path}");
    let games = ["--reuid=games", "--regid=60", "--clear-groups", "sh", "-c", &read];
    assert_eq!(process::run(tools::command("setpriv").args(games)).ok(), "/hello\n");
}

#[test]
fn memory_does_not_grow_with_what_is_recorded() {
    let lab = Lab::new();
    let mut session = lab.agent().up();
    let (worker, capture) = (session.worker(), session.capture());
    let resident = || {
        let status = tests::procfs::status_of(worker, "VmRSS");
        status.split(' ').next().unwrap().parse::<i64>().unwrap()
    };
    let mut sizes = Vec::new();
    for round in 1..=4 {
        let args = ["h2load", "-n", "5000", "-c", "5", "-m", "10", "https://origin.test/hello"];
        assert!(session.exec(&args).ok().contains("5000 succeeded"));
        capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL", &json!(round * 5000));
        sizes.push(resident());
    }
    // The first round fills caches.
    assert!(sizes[3] - sizes[1] < 4 * 1024, "KiB: {sizes:?}");
    assert_eq!(capture.value("SELECT count(*) FROM bodies"), 1, "one content, once");
    session.down();
}

#[test]
fn the_queries_of_the_document_work_as_written() {
    let lab = Lab::new();
    let agent = lab.agent();
    agent.run(&["curl", "-sS", "https://origin.test/hello"]).ok();
    let capture = agent.capture();
    let document = include_str!("../../docs/capture.md");
    let queries: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("$ sqlite3 capture.db ")).collect();
    assert!(queries.len() >= 4, "{queries:?}");
    let mut answers = Vec::new();
    for query in queries {
        let mut shell = tools::command("sh");
        shell.current_dir(capture.path()).args(["-c", &format!("sqlite3 -readonly capture.db {query}")]);
        answers.push(process::run(&mut shell).ok().to_owned());
    }
    assert!(answers[0].starts_with("GET|origin.test|/hello|200|"), "{answers:?}");
    assert_eq!(answers[1], "origin.test|1|23\n");
    assert!(answers[2].starts_with("curl/"), "{answers:?}");
}

#[test]
fn credentials_are_nowhere_in_a_redacted_capture() {
    let lab = Lab::new();
    let agent = lab.agent().args(&["--redact"]);
    let secrets = ["s3cr3t-b34rer", "AKIAIOSFODNN7EXAMPLE", "hunter2hunter2"];
    let [token, key, password] = secrets;
    let body = format!("{{\"password\": \"{password}\", \"note\": \"{key}\", \"kept\": \"plain\"}}");
    let url = format!("https://origin.test/upload/secret?access_token={password}");
    let bearer = format!("Authorization: Bearer {token}");
    agent.run(&["curl", "-sS", "-X", "PUT", "-H", &bearer, "--json", &body, &url]).ok();
    let capture = agent.capture();
    let row = &capture.rows("SELECT request_body, path, request_head FROM exchanges")[0];
    let kept = String::from_utf8(capture.body(&row["request_body"])).unwrap();
    assert!(kept.contains("plain") && kept.len() == body.len(), "{kept}");
    assert_eq!(row["path"], format!("/upload/secret?access_token={}", "*".repeat(password.len())));
    for file in ["capture.db", "capture.db-wal"] {
        let bytes = fs::read(capture.path().join(file)).unwrap_or_default();
        for secret in secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in {file}");
        }
    }
    assert_eq!(capture.value("SELECT count(*) FROM secrets"), 0);
}

#[test]
fn old_captures_go_when_a_session_begins() {
    let lab = Lab::bare();
    let settings = lab.scratch.write("agent.toml", "[capture]\nkeep_sessions = 2\n");
    let folder = lab.scratch.file("state/agent/captures");
    for _ in 0..4 {
        lab.agent().args(&["--config", &settings]).run(&["true"]).ok();
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    let running = lab.agent().up();
    let settings = lab.scratch.write("agent.toml", "[capture]\nkeep_sessions = 1\n");
    lab.agent().args(&["--config", &settings]).run(&["true"]).ok();
    assert!(running.capture().path().join("capture.db").exists(), "that of a running session stays");
    running.down();
}
