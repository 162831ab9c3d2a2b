//! Rules change what passes: heads, bodies, and the messages of streams as they come. Real clients and servers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;
use std::path::Path;

use tests::clients::Client;
use tests::{Lab, Session};

const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

fn session<'a>(lab: &'a Lab, rules: &str) -> Session<'a> {
    let file = lab.scratch.write("rules.toml", rules);
    lab.agent().env("LAB_TOKEN", "t0ken").args(&["--config", &file]).up()
}

/// What curl gets: the fields of the head, and the body.
fn get(session: &Session<'_>, args: &[&str]) -> (String, String) {
    let output = session.exec(&[&["curl", "-sS", "-i"], args].concat());
    let text = output.ok().replace('\r', "");
    let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{text}"));
    (head.to_ascii_lowercase(), body.to_owned())
}

const RULES: &str = r#"
[[rule]]
name = "no card numbers"
match.host = "origin.test"
response.body.redact = ["card", "email"]

[[rule]]
name = "metadata"
match = { host = "origin.test", path = "/*.json" }
response.body.json = [
    { set = "/_proxy", to = { by = "agent", kept = true } },
    { remove = "/api_key" },
    { set = "/items/*/price", to = 0 },
]
response.headers = { set = { x-ratelimit-limit = "60", x-ratelimit-remaining = "59" }, remove = ["server"] }

[[rule]]
name = "missing is empty"
match = { host = "origin.test", status = "4xx" }
response = { status = 200, headers.set = { x-was = "missing" }, body.strip = true }

[[rule]]
name = "credentials"
match = { host = "origin.test", path = "/as/**" }
request.path = [{ pattern = "^/as/someone/(.*)", with = "/$1" }]
request.query = { set = { page = "2" }, remove = ["utm_*"] }
request.headers = { set = { authorization = { env = "LAB_TOKEN", format = "Bearer {}" } }, remove = ["cookie"] }

[[rule]]
name = "uploads"
match = { host = "origin.test", method = "PUT" }
request.body.redact = ["card"]
"#;

#[test]
fn heads_and_bodies_are_changed_and_what_is_said_of_them_is_true() {
    let lab = Lab::new();
    let www = lab.www("origin.test");
    let document =
        "{\"card\":\"4242 4242 4242 4242\",\"api_key\":\"sk\",\"n\":1.50,\"items\":[{\"price\":1},{\"price\":2}]}";
    fs::write(Path::new(&www).join("pay.json"), document).unwrap();
    let session = session(&lab, RULES);
    for version in VERSIONS {
        let (head, body) = get(&session, &[version, "--compressed", "https://origin.test/pay.json"]);
        let expect = "{\"card\":\"[redacted card]\",\"n\":1.50,\"items\":[{\"price\":0},{\"price\":0}],\
                      \"_proxy\":{\"by\":\"agent\",\"kept\":true}}";
        assert_eq!(body, expect, "{version}");
        for line in [&format!("content-length: {}", expect.len()), "x-ratelimit-limit: 60", "x-ratelimit-remaining: 59"]
        {
            assert!(head.contains(line), "{line}: {head}");
        }
        assert!(!head.contains("server:") && !head.contains("accept-ranges"), "{head}");
        // A part of it would not be known to have a number in it.
        assert_eq!(get(&session, &[version, "-r", "0-20", "https://origin.test/pay.json"]).1, expect, "{version}");
        let (head, body) = get(&session, &[version, "https://origin.test/none"]);
        assert!(head.contains(" 200") && head.contains("x-was: missing") && body.is_empty(), "{version}: {head}");
        let url = "https://origin.test/as/someone/seen?utm_source=x&a=%20b";
        let (_, body) = get(&session, &[version, "-H", "Cookie: c=1", "-H", "Authorization: mine", url]);
        assert_eq!(body, "/seen?a=%20b&page=2|Bearer t0ken||\n", "{version}");
        let upload = lab.scratch.write("upload", "pay with 4000056655665556, please");
        assert!(
            get(&session, &[version, "-H", "Expect:", "-T", &upload, "https://origin.test/upload/x"]).0.contains(" 20")
        );
        assert_eq!(fs::read_to_string(Path::new(&www).join("upload/x")).unwrap(), "pay with [redacted card], please");
        fs::remove_file(Path::new(&www).join("upload/x")).unwrap();
        assert_eq!(get(&session, &[version, "https://origin.test/hello"]).1, "hello from origin.test\n");
    }
    // The command never had it, nor does anything that is recorded.
    assert_eq!(session.shell("echo [$LAB_TOKEN]").ok(), "[]\n");
    let capture = session.capture();
    capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL", &12.into());
    assert_eq!(capture.value("SELECT count(*) FROM exchanges WHERE request_head LIKE '%t0ken%'"), 0);
    assert!(!session.log().contains("t0ken"));
    assert!(session.log().contains("exchange_edited"));
    session.down();
}

#[test]
fn what_cannot_be_changed_as_a_rule_says_goes_no_further() {
    let lab = Lab::new();
    let www = lab.www("origin.test");
    fs::write(Path::new(&www).join("large"), vec![b'x'; 9 << 20]).unwrap();
    let rules = "[[rule]]\nmatch.path = '/large'\nresponse.body.redact = ['card']\n\
                 [[rule]]\nmatch.path = '/hello'\nrequest.path = [{ pattern = '^/', with = '' }]\n\
                 [[rule]]\nmatch.path = '/grpc'\nresponse.body.redact = ['card']\n";
    let session = session(&lab, rules);
    for version in VERSIONS {
        for (path, why) in [("large", "a body of more than"), ("hello", "is no path")] {
            let (head, body) = get(&session, &[version, &format!("https://origin.test/{path}")]);
            assert!(head.contains(" 502") && body.contains(why), "{version} {path}: {head} {body}");
        }
    }
    session.down();
}

#[test]
fn the_tokens_of_a_chat_are_changed_as_they_come() {
    let (lab, [log, _]) = Lab::with_messages();
    let rules = "[[rule]]\nmatch.host = 'node.test'\nresponse.body.replace = [{ pattern = 't\u{ef}me', with = 'moon' }]\n\
                 response.body.json = [{ set = '/choices/0/index', to = 7 }]\n";
    let session = session(&lab, rules);
    for coding in ["identity", "gzip"] {
        fs::write(&log, "").unwrap();
        let output = session.exec(&Client::node("messages.js").argv(&["sse", coding]));
        let words = |text: &str, who: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(who));
            lines
                .map(|hex| {
                    String::from_utf8(
                        (0..hex.len() / 2)
                            .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
                            .collect(),
                    )
                    .unwrap()
                })
                .collect()
        };
        let sent = words(&fs::read_to_string(&log).unwrap(), "server sent ");
        let expect: Vec<String> =
            sent.iter().map(|block| block.replace("t\u{ef}me", "moon").replace("\"index\":0", "\"index\":7")).collect();
        assert!(sent.len() > 5 && sent != expect);
        if coding == "identity" {
            assert_eq!(words(output.ok(), "client got "), expect);
        }
    }
    session.down();
}

#[test]
fn messages_of_websockets_are_changed_both_ways() {
    let (lab, [log, _]) = Lab::with_messages();
    let rules = "[[rule]]\nmatch = { host = 'node.test', protocol = 'websocket' }\n\
                 request.body.replace = [{ pattern = 'message', with = 'question' }]\n\
                 response.body.replace = [{ pattern = 'question', with = 'answer' }]\n";
    let session = session(&lab, rules);
    let output = session.exec(&Client::node("messages.js").argv(&["websocket"]));
    let of = |text: &str, who: &str| -> Vec<Vec<u8>> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(who));
        lines
            .map(|hex| (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect())
            .collect()
    };
    let replaced = |messages: &[Vec<u8>], from: &str, to: &str| -> Vec<String> {
        messages.iter().map(|message| String::from_utf8_lossy(message).replace(from, to)).collect()
    };
    let text = |messages: &[Vec<u8>]| replaced(messages, "\0", "\0");
    let (sent, got) = (of(output.ok(), "client sent "), of(output.ok(), "client got "));
    let heard = of(&fs::read_to_string(&log).unwrap(), "server got ");
    assert!(sent.len() > 20);
    assert_eq!(text(&heard), replaced(&sent, "message", "question"));
    assert_eq!(text(&got), replaced(&sent, "message", "answer"));
    session.down();
}

#[test]
fn messages_of_a_grpc_stream_are_changed_by_their_fields() {
    let lab = Lab::with_typed();
    let client = Client::python("typed.py");
    let proto = lab.direct(tests::wait::DEADLINE, &client.argv(&["proto"]));
    lab.scratch.write("chat.proto", proto.ok());
    let rules = "schema = ['chat.proto']\n\
                 [[rule]]\nmatch.grpc = 'lab.Chat/*'\n\
                 request.body = { replace = [{ pattern = 'secret', with = 'word' }] }\n\
                 response.body.json = [{ set = '/number', to = 7 }]\n";
    let session = session(&lab, rules);
    let expect: String = (0..5).map(|number| format!("heard word {number} 7\n")).collect();
    assert_eq!(session.exec(&client.argv(&["talk"])).ok(), expect);
    session.down();
    let mock = "schema = ['chat.proto']\n[[rule]]\nmatch.grpc = 'lab.Chat/Converse'\n\
                verdict.mock.messages = [{ text = 'a', number = 1 }, { text = 'b' }, { text = 'c' }, { text = 'd' }, { text = 'e', number = '9' }]\n";
    let session = self::session(&lab, mock);
    assert_eq!(session.exec(&client.argv(&["talk"])).ok(), "a 1\nb 0\nc 0\nd 0\ne 9\n");
    session.down();
    let without = rules.replace("schema = ['chat.proto']\n", "");
    let session = self::session(&lab, &without);
    let refused = session.exec(&client.argv(&["talk"]));
    assert_ne!(refused.status, 0);
    assert!(session.log().contains("name it in `schema`"), "{}", session.log());
    session.down();
}

#[test]
fn a_variable_or_file_that_is_not_there_is_named_before_anything_starts() {
    let lab = Lab::bare();
    for (rule, why) in [
        ("request.headers.set = { a = { env = 'LAB_NONE' } }", "the variable `LAB_NONE` has no text"),
        ("request.headers.set = { a = { file = 'none' } }", "`none` cannot be read"),
        ("request.headers.set = { Host = 'x' }", "`Host` is no header field that may be changed"),
    ] {
        let file = lab.scratch.write("rules.toml", format!("[[rule]]\n{rule}\n"));
        let run = lab.agent().args(&["--config", &file]).run(&["true"]);
        assert!(run.status == 125 && run.stderr.contains(why), "{run:#?}");
    }
}
