//! Scripts decide and change what passes: the form that users' documents have, and functions. Real clients.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::clients::Client;
use tests::{Lab, Session};

const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

/// A session whose only rule has this script.
fn session<'a>(lab: &'a Lab, script: &str, more: &str) -> Session<'a> {
    lab.scratch.write("rules.js", script);
    let file = lab.scratch.write("rules.toml", format!("[[rule]]\nname = 'script'\nscript = 'rules.js'\n{more}"));
    lab.agent().args(&["--config", &file]).up()
}

/// curl, whose output ends in a space and the status.
fn curl(session: &Session<'_>, args: &[&str]) -> (String, String) {
    let output = session.exec(&[&["curl", "-sS", "-w", " %{http_code}"], args].concat());
    let (body, status) = output.ok().rsplit_once(' ').unwrap();
    (body.to_owned(), status.to_owned())
}

const DOCUMENTED: &str = r"
module.exports = {
  blockedDomains: ['other.test', '*.ads.example'],
  mockResponses: {
    'https://origin.test/v1/balance': { status: 200, body: { available: [{ amount: 100 }] } },
    'pay.nowhere': { body: 'nowhere' },
    'absent.test/mocked': { body: 'absent' },
    'POST origin.test/v1/charges': { status: 402, headers: { 'x-mock': 'yes' }, body: { error: 'card_declined' } },
  },
  modifyResponses: {
    'origin.test': (body, headers) => {
      if (typeof body === 'object') return { ...body, _proxy: { type: headers['content-type'], modified: true } };
      return body.toUpperCase();
    },
  },
  logRequests: true,
};
";

#[test]
fn the_documents_object_works_as_it_is_written() {
    let lab = Lab::new();
    fs::write(Path::new(&lab.www("origin.test")).join("data.json"), "{\"secret\":1}").unwrap();
    let session = session(&lab, DOCUMENTED, "");
    for version in VERSIONS {
        let (body, status) = curl(&session, &[version, "https://other.test/hello"]);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status.as_str(), &body["error"], &body["rule"]), ("403", &"blocked".into(), &"script".into()));
        let (body, status) = curl(&session, &[version, "https://origin.test/v1/balance"]);
        let balance: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((balance, status.as_str()), (json!({ "available": [{ "amount": 100 }] }), "200"), "{version}");
        let (body, status) = curl(&session, &[version, "-d", "amount=1", "https://origin.test/v1/charges"]);
        assert_eq!((body.trim(), status.as_str()), ("{\"error\":\"card_declined\"}", "402"), "{version}");
        for (url, body) in [("https://pay.nowhere/v1", "nowhere"), ("http://absent.test/mocked", "absent")] {
            let found = curl(&session, &[version, url]);
            assert_eq!((found.0.trim(), found.1.as_str()), (body, "200"), "{version} {url}");
        }
        let (body, status) = curl(&session, &[version, "https://absent.test/other"]);
        assert!(status.starts_with("50") && body.contains("203.0.113.99:443"), "{version} {status} {body}");
        assert_eq!(curl(&session, &[version, "https://origin.test/hello"]).0, "HELLO FROM ORIGIN.TEST\n");
        assert!(session.log().contains("GET https://origin.test/hello"), "logRequests");
    }
    for (verdict, count) in [("block", 2), ("mock", 8), ("allow", 4)] {
        let sql = format!("SELECT count(*) FROM exchanges WHERE verdict = '{verdict}' AND finished IS NOT NULL");
        session.capture().wait(&sql, &count.into());
    }
    session.down();
}

#[test]
fn functions_see_and_change_requests_and_responses() {
    let lab = Lab::new();
    let script = r"
      let count = 0;
      export function onRequest(request) {
        if (request.headers['x-secret']) return { block: { status: 451, reason: 'no secrets' } };
        if (request.path.startsWith('/seen')) {
          request.headers.authorization = `Bearer ${++count}`;
          delete request.headers.cookie;
        }
        if (request.method === 'PUT') request.body = request.body.replace('4242424242424242', 'CARD');
        return request;
      }
      export function onResponse(response, request) {
        response.headers['x-method'] = request.method;
        if (response.status === 404) { response.status = 200; response.body = 'nothing\n'; }
      }
    ";
    let session = session(&lab, script, "");
    for (round, version) in (1..).zip(VERSIONS) {
        let (body, status) = curl(&session, &[version, "-H", "X-Secret: 1", "https://origin.test/hello"]);
        assert!(status == "451" && body.contains("no secrets"), "{version}: {body}");
        let seen = curl(&session, &[version, "-H", "Cookie: a=b", "https://origin.test/seen"]).0;
        assert!(seen.starts_with(&format!("/seen|Bearer {round}||")), "what a script keeps stays: {seen}");
        let upload = lab.scratch.write("upload", "pay 4242424242424242 now");
        let put =
            session.exec(&["curl", "-sSi", version, "-H", "Expect:", "-T", &upload, "https://origin.test/upload/x"]);
        assert!(put.ok().to_ascii_lowercase().contains("x-method: put"), "{put:#?}");
        let file = Path::new(&lab.www("origin.test")).join("upload/x");
        assert_eq!(fs::read_to_string(&file).unwrap(), "pay CARD now", "{version}");
        fs::remove_file(file).unwrap();
        assert_eq!(curl(&session, &[version, "https://origin.test/none"]), ("nothing\n".into(), "200".into()));
    }
    session.down();
}

#[test]
fn messages_of_streams_are_changed_or_left_out() {
    let (lab, [log, _]) = Lab::with_messages();
    let script = r"
      export function onMessage(message) {
        if (message.data === '[DONE]') return null;
        if (message.kind === 'event') return message.data.replace('tïme', 'moon');
        if (message.direction === 'request' && message.kind === 'text') return message.data.toUpperCase();
      }
    ";
    let session = session(&lab, script, "");
    let text = |text: &str, who: &str| -> Vec<String> {
        let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix(who));
        let bytes = lines.map(|hex| (0..hex.len() / 2).map(|at| byte(hex, at)).collect::<Vec<u8>>());
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    };
    let output = session.exec(&Client::node("messages.js").argv(&["sse", "identity"]));
    let (got, sent) = (text(output.ok(), "client got "), text(&fs::read_to_string(&log).unwrap(), "server sent "));
    let expect: Vec<String> =
        sent.iter().filter(|block| !block.contains("[DONE]")).map(|block| block.replace("tïme", "moon")).collect();
    assert_eq!((got.len(), &got), (sent.len() - 1, &expect));
    fs::write(&log, "").unwrap();
    let output = session.exec(&Client::node("messages.js").argv(&["websocket"]));
    let heard = text(&fs::read_to_string(&log).unwrap(), "server got ");
    assert!(heard.contains(&"TEXT".to_owned()) && !heard.contains(&"text".to_owned()));
    assert!(text(output.ok(), "client got ").contains(&"TEXT".to_owned()));
    session.down();
}

#[test]
fn a_script_that_fails_blocks_or_lets_pass_as_its_rule_says() {
    let lab = Lab::new();
    let script = r"
      export function onRequest(request) {
        if (request.path === '/loop') for (;;) {}
        if (request.path === '/throw') throw new Error('thrown on purpose');
      }
    ";
    for (on_error, status) in [("", "502"), ("on_error = 'block'\n", "502"), ("on_error = 'allow'\n", "404")] {
        let session = session(&lab, script, on_error);
        for version in VERSIONS {
            for path in ["loop", "throw", "loop"] {
                let url = format!("https://origin.test/{path}");
                assert_eq!(curl(&session, &[version, &url]).1, status, "{on_error} {version} {path}");
            }
            assert_eq!(curl(&session, &[version, "https://origin.test/hello"]).1, "200");
        }
        let log = session.log();
        assert!(log.contains("thrown on purpose") && log.contains("took longer than 50 ms"), "{log}");
        session.down();
    }
    for (script, why) in [
        ("export function onRequest( {", "rules.js:1"),
        ("module.exports = { blockedDomain: [] }", "blockedDomain"),
        ("for (;;) {}", "took longer than 1000 ms"),
    ] {
        lab.scratch.write("rules.js", script);
        let file = lab.scratch.write("rules.toml", "[[rule]]\nscript = 'rules.js'\n");
        let run = lab.agent().args(&["--config", &file]).run(&["true"]);
        assert!(run.status == 125 && run.stderr.contains(why), "{script}: {run:#?}");
    }
}
