//! Looking at captures and taking them elsewhere: `agent flows`, `agent export`, `agent replay`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tests::clients::Client;
use tests::{Lab, Session, Tshark, eventually};

/// Traffic of two versions, with and without TLS, with bodies both ways.
const TRAFFIC: &str = "curl -sS --http1.1 https://origin.test/hello &&
    curl -sS --http2 --compressed https://other.test/hello &&
    curl -sS http://origin.test/missing -o /dev/null &&
    curl -sS --http1.1 -T /etc/passwd https://origin.test/upload/one &&
    curl -sS --http2 -T /etc/passwd https://origin.test/upload/two &&
    curl -sS --http2 https://origin.test/large -o /dev/null &&
    curl -sS --http1.1 http://origin.test/large -o /dev/null";
/// How many exchanges that makes.
const EXCHANGES: u64 = 7;

/// A body that takes many segments and frames.
fn large() -> Vec<u8> {
    (0..200_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// A session in which that traffic was, all of it written.
fn session(lab: &Lab) -> (Session<'_>, String) {
    std::fs::write(format!("{}/large", lab.www("origin.test")), large()).unwrap();
    let session = lab.agent().up();
    session.shell(TRAFFIC).ok();
    let capture = session.capture();
    capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL", &json!(EXCHANGES));
    let directory = capture.path().to_str().unwrap().to_owned();
    (session, directory)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn exchanges_are_listed_and_filtered_while_the_session_runs_and_after_it() {
    let lab = Lab::new();
    let (session, directory) = session(&lab);
    let name = session.name().to_owned();
    let list = |choice: [&str; 2], filters: &[&str]| -> Vec<u64> {
        let listed = parsed(session.agent(&[&["flows", "--json"], &choice[..], filters].concat()).ok());
        listed.as_array().unwrap().iter().map(|exchange| exchange["id"].as_u64().unwrap()).collect()
    };
    let table: [(&[&str], &[u64]); 9] = [
        (&[], &[1, 2, 3, 4, 5, 6, 7]),
        (&["--host", "other.test"], &[2]),
        (&["--host", "*.test", "--status", "4xx"], &[3]),
        (&["--method", "put"], &[4, 5]),
        (&["--path", "/upload/t*"], &[5]),
        (&["--process", "curl", "--since", "1h", "--status", "<400", "--method", "GET"], &[1, 2, 6, 7]),
        (&["--grep", "hello from"], &[1, 2]),
        (&["--grep", "root:x:0:0"], &[4, 5]),
        (&["--sql", "c.alpn = 'h2' AND e.response_size > 100000"], &[6]),
    ];
    for (filters, expect) in table {
        assert_eq!(list(["--session", &directory], filters), expect, "{filters:?}");
        assert_eq!(list(["--netns", &name], filters), expect, "of the running session: {filters:?}");
    }
    let text = session.agent(&["flows", "--session", &directory]);
    assert_eq!(text.ok().lines().count() as u64, EXCHANGES + 1);
    assert!(text.stdout.contains("https://other.test/hello"), "{}", text.stdout);
    let host = &lab.host;
    session.down();
    let mut after =
        tests::agent::agent_on(host, &["flows", "--session", &directory, "--sql", "SELECT count(*) FROM exchanges"]);
    assert!(tests::process::run(&mut after).ok().contains('7'));
    let left: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("capture.db-"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "a closed capture stays closed");
}

#[test]
fn an_exchange_is_shown_with_its_heads_times_and_bodies() {
    let lab = Lab::new();
    let (session, directory) = session(&lab);
    let show =
        |args: &[&str]| session.agent(&[&["flows", "show", "--session", &directory], args].concat()).ok().to_owned();
    let page = show(&["2"]);
    for part in
        ["GET https://other.test/hello HTTP/2", ":method: GET", "connect", "tls", "200 OK", "hello from other.test"]
    {
        assert!(page.contains(part), "`{part}` in {page}");
    }
    assert!(!page.contains('\x1b'), "colours where there is no terminal");
    assert_eq!(show(&["4", "--raw", "request"]), std::fs::read_to_string("/etc/passwd").unwrap());
    let object = parsed(&show(&["1", "--json"]));
    assert_eq!(object["response"]["body"]["text"], "hello from origin.test\n");
    assert_eq!(object["request"]["head"][0], json!(["Host", "origin.test"]));
    let diff = session.agent(&["flows", "diff", "1", "2", "--session", &directory]);
    assert!(
        diff.ok().contains("-    hello from origin.test\n") && diff.stdout.contains("+    hello from other.test\n"),
        "{}",
        diff.stdout
    );
    let none = session.agent(&["flows", "show", "99", "--session", &directory]);
    none.assert_status(125);
    assert!(none.stderr.contains("no exchange 99"), "{}", none.stderr);
}

#[test]
fn what_comes_is_followed_until_the_session_ends() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let directory = session.capture().path().to_str().unwrap().to_owned();
    let seen = lab.scratch.file("followed");
    let follow = ["flows", "--follow", "--json", "--path", "/hello", "--session", &directory];
    let mut command = session.agent_command(&follow);
    command.stdout(std::fs::File::create(&seen).unwrap());
    let mut child = command.spawn().unwrap();
    let lines = || std::fs::read_to_string(&seen).unwrap().lines().map(parsed).collect::<Vec<_>>();
    for count in 1..=3 {
        session.shell("curl -sS http://origin.test/missing; curl -sS https://origin.test/hello").ok();
        eventually("it is told of", || (lines().len() == count).then_some(()));
    }
    session.down();
    assert!(child.wait().unwrap().success());
    let ids: Vec<u64> = lines().iter().map(|line| line["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [2, 4, 6], "each once, in order");
}

#[test]
fn a_har_file_says_what_passed() {
    let lab = Lab::new();
    let (session, directory) = session(&lab);
    let file = lab.scratch.file("all.har");
    session.agent(&["export", "--session", &directory, "--har", &file]).ok();
    let client = Client::node("har.js").arg(&file);
    let argv = client.argv(&[]);
    assert_eq!(tests::process::run(tests::tools::command(argv[0]).args(&argv[1..])).ok(), "valid\n");
    let text = std::fs::read_to_string(&file).unwrap();
    let read = har::from_str(&text).unwrap();
    assert!(matches!(read.log, har::Spec::V1_2(_)), "{read:?}");
    let log = &parsed(&text)["log"];
    let entries = log["entries"].as_array().unwrap();
    assert_eq!((log["version"].as_str(), entries.len() as u64), (Some("1.2"), EXCHANGES));
    let of = |url: &str| entries.iter().find(|entry| entry["request"]["url"] == url).unwrap();
    let hello = of("https://origin.test/hello");
    assert_eq!(hello["response"]["content"]["text"], "hello from origin.test\n");
    assert_eq!(hello["serverIPAddress"], tests::ORIGIN4);
    assert!(hello["timings"]["ssl"].as_f64().unwrap() > 0.0, "{hello}");
    assert!(hello["timings"]["dns"].as_f64().unwrap() > 0.0, "{hello}");
    assert!(hello["_securityDetails"]["sanList"].to_string().contains("origin.test"), "{hello}");
    let large = of("https://origin.test/large");
    assert_eq!(
        (&large["response"]["content"]["encoding"], &large["request"]["httpVersion"]),
        (&json!("base64"), &json!("h2"))
    );
    let upload = of("https://origin.test/upload/two");
    assert_eq!(upload["request"]["postData"]["text"], json!(std::fs::read_to_string("/etc/passwd").unwrap()));
    assert_eq!(upload["response"]["status"], 201);
    let some = session.agent(&["export", "--session", &directory, "--jsonl", "-", "--host", "other.test"]);
    assert_eq!(some.ok().lines().map(parsed).map(|line| line["id"].clone()).collect::<Vec<_>>(), [2]);
}

#[test]
fn packets_that_are_made_are_read_as_what_passed() {
    let lab = Lab::new();
    let (session, directory) = session(&lab);
    let file = lab.scratch.file("made.pcapng");
    session.agent(&["export", "--session", &directory, "--pcapng", &file]).ok();
    let tshark = Tshark::new(&file, &lab.scratch);
    let bad = "tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0 || _ws.malformed";
    let found = tshark.fields(bad, &["frame.number", "_ws.col.info"]);
    assert_eq!(found, Vec::<Vec<String>>::new(), "what is wrong with them");
    let requests: Vec<Vec<String>> =
        tshark.fields("http.request || http2.headers.method", &["http.request.method", "http2.headers.method"]);
    assert_eq!(requests.len() as u64, EXCHANGES, "{requests:?}");
    let passwd = std::fs::read("/etc/passwd").unwrap();
    let http2 = tshark.http2_bodies();
    let expect: BTreeMap<String, Vec<u8>> =
        [("hello", b"hello from other.test\n".to_vec()), ("large", large()), ("two", passwd)]
            .map(|(name, body)| (name.to_owned(), body))
            .into();
    assert!(http2 == expect, "{:?}", http2.iter().map(|(name, body)| (name, body.len())).collect::<Vec<_>>());
    let http1 = tshark.http1_bodies();
    assert_eq!(http1.get("hello").map(Vec::as_slice), Some(&b"hello from origin.test\n"[..]));
    assert!(http1.get("large") == Some(&large()), "{:?}", http1.keys());
    let comments = tshark.fields("frame.comment", &["frame.comment"]).concat().join("\n");
    assert!(comments.contains("it was port 443") && comments.contains("process: curl"), "{comments}");
}

#[test]
fn a_request_is_sent_again_through_the_session() {
    let lab = Lab::new();
    let (session, directory) = session(&lab);
    let name = session.name().to_owned();
    for (number, (id, version)) in
        [(1, "HTTP/1.1"), (2, "HTTP/2"), (5, "HTTP/2"), (7, "HTTP/1.1")].into_iter().enumerate()
    {
        let again = session.agent(&["replay", &id.to_string(), "--netns", &name, "--json"]);
        let answers = parsed(again.ok());
        // What was made once is there now.
        let status = if id == 5 { 204 } else { 200 };
        assert_eq!(answers["now"]["status"], status, "{answers}");
        assert_eq!(answers["now"]["response"]["body"], answers["recorded"]["response"]["body"], "{id}");
        let capture = session.capture();
        let of = |what: &str| format!("SELECT {what} FROM exchanges WHERE id = (SELECT max(id) FROM exchanges)");
        let latest = EXCHANGES + 1 + number as u64;
        capture.wait(&of(&format!("finished IS NOT NULL AND id = {latest}")), &json!(1));
        assert_eq!(capture.value(&of("version")), version);
        assert_eq!(
            capture.value(&of("method || path")),
            capture.value(&format!("SELECT method || path FROM exchanges WHERE id = {id}"))
        );
    }
    for id in ["1", "2"] {
        // What is of the moment may differ, and nothing else does.
        let text = session.agent(&["replay", id, "--netns", &name]);
        let changed =
            text.ok().lines().filter(|line| line.starts_with(['+', '-']) && !line.to_lowercase().contains("date:"));
        let names = [format!("--- exchange {id}"), "+++ now".to_owned()];
        assert!(changed.clone().all(|line| names.iter().any(|name| name == line)), "{}", text.stdout);
        assert!(text.stdout.contains("hello from o"), "{}", text.stdout);
    }
    let nobody = session.agent(&["replay", "1", "--netns", "nobody-has-this", "--session", &directory]);
    nobody.assert_status(125);
    assert!(Path::new(&directory).join("capture.db").exists());
}

#[test]
fn a_command_of_curl_repeats_a_request() {
    let lab = Lab::new();
    let (session, directory) = session(&lab);
    for (id, expect) in [("1", "hello from origin.test\n"), ("2", "hello from other.test\n")] {
        let command = session.agent(&["flows", "curl", id, "--session", &directory]).ok().to_owned();
        assert_eq!(session.shell(&format!("set -e\n{}", command.replacen("curl ", "curl -sS ", 1))).ok(), expect);
    }
}

#[test]
fn captures_are_deleted_but_not_that_of_a_running_session() {
    let lab = Lab::new();
    let agent = lab.agent();
    agent.shell("curl -sS https://origin.test/hello").ok();
    let ended = agent.capture().path().to_owned();
    let session = agent.up();
    let running = session.capture().path().to_owned();
    let prune = |args: &[&str]| {
        let mut command = session.agent_command(&[&["flows", "prune"], args].concat());
        let state = ended.parent().unwrap().parent().unwrap().parent().unwrap();
        command.env("XDG_STATE_HOME", state);
        tests::process::run(&mut command)
    };
    prune(&[]).assert_status(125);
    prune(&["--session", running.to_str().unwrap()]).assert_status(125);
    let told = prune(&["--keep", "0", "--dry-run"]);
    assert!(told.ok().starts_with("would delete ") && ended.exists(), "{}", told.stdout);
    let deleted = prune(&["--keep", "0"]);
    assert!(deleted.ok().contains(ended.to_str().unwrap()), "{}", deleted.stdout);
    assert!(!ended.exists() && running.join("capture.db").exists());
}

#[test]
fn calls_of_grpc_are_found_shown_and_made_into_packets() {
    let lab = Lab::with_grpc();
    let session = lab.agent().up();
    Client::python("grpc_client.py").arg("grpcio.test").check(&session, &["both_stream"]);
    let capture = session.capture();
    capture.wait("SELECT count(*) > 0 AND count(*) = count(finished) FROM exchanges", &json!(1));
    let directory = capture.path().to_str().unwrap();
    let path = capture.value("SELECT path FROM exchanges ORDER BY id LIMIT 1");
    let (service, method) = path.as_str().unwrap()[1..].split_once('/').unwrap();
    let list = |grpc: &str| parsed(session.agent(&["flows", "--json", "--session", directory, "--grpc", grpc]).ok());
    for grpc in [service, &format!("{service}/{method}"), &format!("*/{method}")] {
        assert!(!list(grpc).as_array().unwrap().is_empty(), "{grpc}");
    }
    assert_eq!(list("another.Service"), json!([]));
    let page = session.agent(&["flows", "show", "1", "--session", directory]);
    assert!(page.ok().contains("message, ") && page.stdout.contains("grpc-status: 0"), "{}", page.stdout);
    let file = lab.scratch.file("grpc.pcapng");
    session.agent(&["export", "--session", directory, "--pcapng", &file]).ok();
    let bodies = lab.scratch.file("bodies");
    session.agent(&["export", "--session", directory, "--bodies", &bodies]).ok();
    // Both in one frame each, which tshark takes for gRPC.
    let seen = Tshark::new(&file, &lab.scratch).fields("grpc", &["http2.data.data"]);
    let seen: Vec<Vec<u8>> =
        seen.iter().map(|packet| tests::tshark::bytes(packet[0].split('|').next().unwrap())).collect();
    let expect = ["request", "response"].map(|half| std::fs::read(format!("{bodies}/1-{half}.bin")).unwrap());
    assert!(seen == expect && seen[0].len() > 100, "{seen:?}");
}

/// What a call of the client in `tests/interop` takes, as far as it is used.
const PROTO: &str = "syntax = \"proto3\"; package grpc.testing;
    message EchoStatus { int32 code = 1; string message = 2; }
    message SimpleRequest { int32 response_size = 2; EchoStatus response_status = 7; }
    message SimpleResponse {}
    service TestService { rpc UnaryCall(SimpleRequest) returns (SimpleResponse); }";

#[test]
fn messages_have_the_names_that_a_schema_gives_them() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let (cert, key) = lab.authority.issue(&lab.scratch, "stream.test", "DNS:stream.test");
    lab.serve(&[&tests::tools::beside("interop-server"), &cert, &key]);
    let session = lab.agent().up();
    session.exec(&[&tests::tools::beside("interop-client"), "status_code_and_message"]).ok();
    let capture = session.capture();
    let called = "SELECT min(id) FROM exchanges WHERE path LIKE '%/UnaryCall' AND finished IS NOT NULL";
    let id = eventually("the call is recorded", || capture.value(called).as_u64()).to_string();
    let directory = capture.path().to_str().unwrap();
    std::fs::create_dir(lab.scratch.file("protos")).unwrap();
    lab.scratch.write("protos/test.proto", PROTO);
    let show = |more: &[&str]| {
        let shown = session.agent(&[&["flows", "show", &id, "--session", directory], more].concat());
        shown.ok().to_owned()
    };
    let (plain, named) = (show(&[]), show(&["--proto", &lab.scratch.file("protos")]));
    assert!(plain.contains("test status message") && !plain.contains("responseStatus"), "{plain}");
    let is_named = named.contains("responseStatus") || named.contains("response_status");
    assert!(is_named && named.contains("test status message"), "{named}");
}

/// The number of the latest exchange with this path, once it is over.
fn latest(session: &Session<'_>, path: &str) -> String {
    let over = format!("SELECT max(id) FROM exchanges WHERE path = '{path}' AND finished IS NOT NULL");
    eventually("it is recorded", || session.capture().value(&over).as_u64()).to_string()
}

/// What `agent flows show` prints of it.
fn shown(session: &Session<'_>, id: &str, more: &[&str]) -> String {
    let directory = session.capture();
    let choice = ["flows", "show", id, "--session", directory.path().to_str().unwrap()];
    session.agent(&[&choice, more].concat()).ok().to_owned()
}

#[test]
fn a_servers_own_description_names_the_fields_of_its_messages() {
    let lab = Lab::with_schema();
    let client = Client::python("schema.py");
    let set = lab.scratch.file("health.binpb");
    let check = "/grpc.health.v1.Health/Check";
    for asks in [false, true] {
        let session = lab.agent().up();
        if asks {
            assert_eq!(session.exec(&client.argv(&["reflect"])).ok(), "1\n");
            latest(&session, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
        } else {
            session.exec(&client.argv(&["descriptors", &set])).ok();
        }
        assert_eq!(session.exec(&client.argv(&["call", "needle"])).ok(), "SERVING\n");
        let id = latest(&session, check);
        let plain = shown(&session, &id, &[]);
        assert!(plain.contains("needle"), "{plain}");
        assert_eq!(plain.contains("\"service\"") && plain.contains("SERVING"), asks, "{plain}");
        let named = shown(&session, &id, &["--descriptors", &set]);
        assert!(named.contains("\"service\"") && named.contains("SERVING"), "{named}");
        session.down();
    }
}

#[test]
fn bodies_of_every_kind_are_shown_as_what_they_are() {
    let (lab, _) = Lab::with_messages();
    let session = lab.agent().up();
    let get = |path: &str, options: &[&str]| {
        let url = format!("https://node.test{path}");
        session.exec(&[&["curl", "-sS", "-o", "/dev/null", &url], options].concat()).ok();
        shown(&session, &latest(&session, path), &[])
    };
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let page = get(&format!("/{coding}"), &[]);
        assert!(page.contains("    \"kept\": [\n") && page.contains("\"number\": 1.5\n"), "{coding}: {page}");
    }
    for (path, options, expect) in [
        ("/png", &[][..], &["PNG", "2", "3"][..]),
        ("/bytes", &[], &["00000000  00 01 02 fe ff"]),
        ("/upload", &["--data-urlencode", "a=b c&d", "--data", "e=f"], &["a = b c&d", "e = f", "grün"]),
        ("/parts", &["-F", "note=as it is", "-F", "json={\"x\":1};type=application/json"], &["as it is", "\"x\": 1"]),
    ] {
        let page = get(path, options);
        for text in expect {
            assert!(page.contains(text), "{path}: `{text}` is not in\n{page}");
        }
    }
    session.exec(&Client::node("messages.js").argv(&["sse"])).ok();
    let page = shown(&session, &latest(&session, "/chat"), &[]);
    assert!(page.contains("Once upon a tïme … the end"), "{page}");
    session.exec(&Client::node("messages.js").argv(&["websocket"])).ok();
    let page = shown(&session, &latest(&session, "/socket"), &[]);
    assert!(page.contains("message 5 ") && page.contains("1000 over"), "{page}");
}
