//! What passes is recorded, as it passed: read back with sqlite3(1) and zstd(1).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::json;
use tests::Lab;

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
}
