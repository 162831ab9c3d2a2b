//! What else rules may say of a request than that it goes on: enforce mode, answers in the server's place, connections
//! that pass unread, dry runs. Real clients, over both carriers and both versions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::{Value, json};
use tests::lab::PYTHON;
use tests::process::Process;
use tests::recorded::Recorded;
use tests::{Lab, Output, Session, wait};

const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

/// curl, whose output ends in a space and the status.
fn curl(session: &Session<'_>, args: &[&str]) -> (String, String) {
    let output = session.exec(&[&["curl", "-sS", "-w", " %{http_code}"], args].concat());
    let (body, status) = output.ok().rsplit_once(' ').unwrap();
    (body.to_owned(), status.to_owned())
}

#[test]
fn in_enforce_mode_nothing_passes_that_no_rule_allows_and_nobody_hears_of_it() {
    let lab = Lab::new();
    let rules = "[[rule]]\nname = 'origin'\nmatch = { host = 'origin.test', path = '/hello' }\nverdict = 'allow'\n";
    lab.over_each_carrier_with("enforce", rules, |session| {
        for version in VERSIONS {
            let (body, status) = curl(session, &[version, "https://origin.test/hello"]);
            assert_eq!((body.as_str(), status.as_str()), ("hello from origin.test\n", "200"));
            for (args, host, reason) in [
                (&["https://origin.test/other"][..], "origin.test", "no rule allows it"),
                (&["https://other.test/hello"], "other.test", "no rule allows it"),
                (&["https://nowhere.test/hello"], "nowhere.test", "no rule allows it"),
                (&["http://other.test/hello"], "other.test", "no rule allows it"),
                (
                    &["--resolve", "other.test:443:198.51.100.10", "https://other.test/hello"],
                    "other.test",
                    "DNS did not give this address for this host",
                ),
                (
                    &["--resolve", "origin.test:443:198.51.100.30", "https://origin.test/hello"],
                    "origin.test",
                    "DNS did not give this address for this host",
                ),
                (
                    &["--resolve", "origin.test:80:198.51.100.30", "http://origin.test/hello"],
                    "origin.test",
                    "DNS did not give this address for this host",
                ),
                (&["-k", "https://198.51.100.10/hello"], "198.51.100.10", "no rule allows it"),
            ] {
                let (body, status) = curl(session, &[&[version], args].concat());
                let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{args:?}: {body}"));
                assert_eq!((status.as_str(), &body["domain"], &body["reason"]), ("403", &host.into(), &reason.into()));
            }
        }
    });
    let asked = lab.dns_queries();
    assert!(asked.iter().any(|query| query.contains("origin.test")), "{asked:?}");
    assert!(!asked.iter().any(|query| query.contains("other.test") || query.contains("nowhere")), "{asked:?}");
}

const MOCKS: &str = r#"
[[rule]]
name = "a charge"
match = { host = "pay.nowhere", path = "/v1/charges/*" }
verdict = { mock = { status = 201, headers = { x-mock = "yes" }, template = true, json = { id = "{{query.id}}", paid = true } } }

[[rule]]
name = "a chat"
match = { host = "pay.nowhere", path = "/chat" }
verdict.mock.events = [
    { data = { token = "a" } },
    { event = "token", data = "b", after_ms = 30 },
    { data = "[DONE]", after_ms = 30 },
]

[[rule]]
name = "a page"
match = { host = "pay.nowhere", path = "/page" }
verdict.mock.file = "page.html"

[[rule]]
name = "nothing else"
match = { host = "pay.nowhere" }
verdict = "block"

[[rule]]
name = "one path"
match = { host = ["origin.test", "absent.test"], path = "/mocked" }
verdict = { mock = { body = "mocked\n" } }
"#;

#[test]
fn what_a_rule_mocks_is_answered_as_if_by_the_server_whether_or_not_there_is_one() {
    let lab = Lab::new();
    let page = "<p>".repeat(100_000);
    lab.scratch.write("page.html", &page);
    let upload = lab.scratch.write("upload", "u".repeat(3_000_000));
    lab.over_each_carrier_with("observe", MOCKS, |session| {
        for version in VERSIONS {
            let (body, status) =
                curl(session, &[version, "https://pay.nowhere/v1/charges/1?id=%22x", "-D", "/dev/stderr"]);
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "id": "\"x", "paid": true }));
            assert_eq!(status, "201");
            let up = format!("@{upload}");
            let charge = "https://pay.nowhere/v1/charges/2?id=2";
            let (body, status) = curl(session, &[version, charge, "--data-binary", &up]);
            assert_eq!((body.as_str(), status.as_str()), ("{\"id\":\"2\",\"paid\":true}", "201"), "{version}");
            let (body, status) = curl(session, &[version, "-N", "https://pay.nowhere/chat"]);
            let events = "data: {\"token\":\"a\"}\n\nevent: token\ndata: b\n\ndata: [DONE]\n\n";
            assert_eq!((body.as_str(), status.as_str()), (events, "200"), "{version}");
            assert_eq!(curl(session, &[version, "http://pay.nowhere/page"]), (page.clone(), "200".into()));
            assert_eq!(curl(session, &[version, "-I", "https://pay.nowhere/page"]).1, "200");
            assert_eq!(curl(session, &[version, "https://pay.nowhere/"]).1, "403");
            for host in ["origin.test", "absent.test"] {
                let (body, status) = curl(session, &[version, &format!("https://{host}/mocked")]);
                assert_eq!((body.as_str(), status.as_str()), ("mocked\n", "200"), "{version} {host}");
            }
            assert_eq!(curl(session, &[version, "https://origin.test/hello"]).1, "200");
            let (body, status) = curl(session, &[version, "https://absent.test/hello"]);
            assert!(status.starts_with("50") && body.contains("203.0.113.99:443"), "{version} {status} {body}");
        }
        let capture: Recorded = session.capture();
        for (rule, count) in [("a charge", 4), ("a chat", 2), ("a page", 4), ("one path", 4)] {
            let sql = format!(
                "SELECT count(*) FROM exchanges WHERE verdict = 'mock' AND rule = '{rule}' AND finished IS NOT NULL \
                 AND error IS NULL"
            );
            capture.wait(&sql, &count.into());
        }
    });
}

#[test]
fn who_uploads_much_that_is_refused_sees_the_answer() {
    let lab = Lab::new();
    let upload = lab.scratch.write("upload", "u".repeat(8_000_000));
    let whole = format!("@{upload}");
    let refused = "[[rule]]\nname = 'no'\nmatch.method = 'POST'\nverdict = 'block'\n";
    let edited = format!("{refused}[[rule]]\nrequest.headers.remove = ['x-a']\n");
    for rules in [refused, &edited] {
        lab.over_each_carrier_with("observe", rules, |session| {
            for version in VERSIONS.repeat(5) {
                let (body, status) = curl(session, &[version, "--data-binary", &whole, "https://origin.test/hello"]);
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!((status.as_str(), &body["rule"]), ("403", &"no".into()), "{version}");
            }
        });
    }
}

const REDIRECTS: &str = r#"
[[rule]]
name = "plain"
match = { host = "origin.test", path = "/addr" }
verdict.redirect = { to = "http://198.51.100.77:8080" }

[[rule]]
name = "secure"
match = { host = "secure.nowhere" }
request.headers = { set = { authorization = "added" } }
verdict.redirect = { to = "https://other.test", addresses = ["192.0.2.200", "198.51.100.78"] }

[[rule]]
name = "kept"
match = { host = "kept.nowhere" }
verdict.redirect = { to = "http://198.51.100.79", keep_host = true }

[[rule]]
name = "the host itself"
match = { host = "local.nowhere" }
verdict.redirect = { to = "http://localhost:8000" }

[[rule]]
name = "a bad certificate"
match = { host = "bad.nowhere" }
verdict.redirect = { to = "https://elsewhere.test", addresses = ["198.51.100.80"] }

[[rule]]
name = "nobody there"
match = { host = "gone.nowhere" }
verdict.redirect = { to = "http://198.51.100.81:81" }

[[rule]]
match = { host = "origin.test", path = "/hello" }
verdict = "allow"
"#;

/// A client that speaks HTTP/2 alone.
const HTTP2_ALONE: &str = "const client = require('http2').connect(process.argv[1]);
    client.request({ ':path': '/addr' }).on('data', data => process.stdout.write(data)).on('end', () => client.close());";

#[test]
fn what_a_rule_redirects_goes_to_another_server_and_never_to_its_own() {
    let lab = Lab::new();
    let upload = "u".repeat(3_000_000);
    let file = lab.scratch.write("upload", &upload);
    let mut on_host = lab.host.command(PYTHON);
    on_host.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory", &lab.www("other.test"), "8000"]);
    let _served = Process::spawn(&mut on_host);
    for mode in ["observe", "enforce"] {
        lab.over_each_carrier_with(mode, REDIRECTS, |session| {
            wait::eventually("the server on the host is there", || {
                (curl(session, &["http://local.nowhere/hello"]).1 == "200").then_some(())
            });
            for version in VERSIONS {
                for (url, seen) in [
                    ("https://origin.test/addr", "198.51.100.77:8080 198.51.100.77:8080 HTTP/1.1 \n"),
                    ("http://origin.test/addr", "198.51.100.77:8080 198.51.100.77:8080 HTTP/1.1 \n"),
                    ("https://secure.nowhere/addr", "198.51.100.78:443 other.test HTTP/1.1 other.test\n"),
                    ("https://secure.nowhere/seen?q=1", "/seen?q=1|added||\n"),
                    ("https://kept.nowhere/addr", "198.51.100.79:80 kept.nowhere HTTP/1.1 \n"),
                    ("https://local.nowhere/hello", "hello from other.test\n"),
                    ("https://origin.test/hello", "hello from origin.test\n"),
                ] {
                    let again = [version, url, url];
                    let args = [&again[..], &["-o", "-", "-o", "-"]].concat();
                    let body = format!("{seen} 200{seen}");
                    assert_eq!(curl(session, &args), (body, "200".into()), "{mode} {version} {url}");
                }
                let (url, to) = ("https://secure.nowhere/upload/", lab.www("other.test") + "/upload/upload");
                let (_, status) = curl(session, &[version, "-T", &file, url]);
                assert!(["201", "204"].contains(&status.as_str()), "{status}");
                assert!(std::fs::read_to_string(&to).unwrap() == upload);
                std::fs::remove_file(&to).unwrap();
                for (url, why) in [
                    ("https://bad.nowhere/addr", "198.51.100.80:443 failed the TLS handshake"),
                    ("https://gone.nowhere/addr", "198.51.100.81:81 refused the connection"),
                ] {
                    let (body, status) = curl(session, &[version, url]);
                    assert!(status == "502" && body.contains(why), "{url}: {status} {body}");
                }
            }
            let seen = session.exec(&["node", "-e", HTTP2_ALONE, "https://secure.nowhere"]);
            assert_eq!(seen.ok(), "198.51.100.78:443 other.test HTTP/2.0 other.test\n");
            let capture: Recorded = session.capture();
            for (rule, count) in [("plain", 8), ("secure", 11), ("kept", 4)] {
                let sql = format!(
                    "SELECT count(*) FROM exchanges WHERE verdict = 'redirect' AND rule = '{rule}' AND status < 300 \
                     AND finished IS NOT NULL AND error IS NULL"
                );
                capture.wait(&sql, &count.into());
            }
            let told = session.events("exchange_redirected");
            assert!(told.iter().any(|event| event["to"] == "https://other.test"), "{told:?}");
        });
    }
    assert!(!lab.dns_queries().iter().any(|query| query.contains("other.test") || query.contains("elsewhere")));
}

#[test]
fn what_a_rule_passes_through_is_not_read() {
    let lab = Lab::new();
    let rules = "[[rule]]\nmatch.host = 'origin.test'\nverdict = 'passthrough'\n";
    for mode in ["observe", "enforce"] {
        lab.over_each_carrier_with(mode, rules, |session| {
            let issuer = |output: &Output| output.stderr.lines().filter(|line| line.contains("issuer:")).count();
            let argv = ["curl", "-sSv", "-k", "https://origin.test/hello"];
            let output = session.exec(&argv);
            assert_eq!(output.ok(), "hello from origin.test\n");
            assert_eq!(issuer(&output), 1);
            assert!(session.log().contains("\"reason\":\"a rule\""), "{}", session.log());
            assert!(session.events("exchange_started").is_empty());
        });
    }
}

#[test]
fn a_dry_run_lets_all_pass_and_says_what_enforce_mode_would_do() {
    let lab = Lab::new();
    let rules = "[[rule]]\nname = 'no uploads'\nmatch.method = 'DELETE'\nverdict = 'block'\n\
                 [[rule]]\nname = 'a mock'\nmatch.path = '/hello2'\nverdict.mock.body = 'mocked'\n\
                 [[rule]]\nname = 'origin'\nmatch.host = 'origin.test'\nverdict = 'allow'\n";
    lab.over_each_carrier_with("dry-run", rules, |session| {
        for (args, status) in [
            (&["https://origin.test/hello"][..], "200"),
            (&["https://origin.test/hello2"], "404"),
            (&["-X", "DELETE", "https://origin.test/hello"], "405"),
            (&["https://other.test/hello"], "200"),
        ] {
            assert_eq!(curl(session, args).1, status, "{args:?}");
        }
        let log = session.log();
        for would in [
            "\"verdict\":\"mock\",\"rule\":\"a mock\"",
            "\"verdict\":\"block\",\"rule\":\"no uploads\"",
            "\"verdict\":\"block\",\"rule\":null,\"reason\":\"no rule allows it\"",
        ] {
            assert_eq!(log.matches(would).count(), 1, "{would}: {log}");
        }
    });
}

#[test]
fn rules_look_at_bodies_and_what_passes_is_whole() {
    let lab = Lab::new();
    let rules = "[[rule]]\nname = 'model'\nmatch.body = { '/model' = 'gpt-4*' }\nverdict = 'block'\n\
                 [[rule]]\nname = 'graphql'\nmatch.graphql = 'Delete*'\nverdict = 'block'\n\
                 [[rule]]\nname = 'rpc'\nmatch.jsonrpc = 'eth_send*'\nverdict = 'block'\n\
                 [[rule]]\nname = 'tool'\nmatch.mcp = 'shell'\nverdict = 'block'\n\
                 [[rule]]\nname = 'magic'\nmatch.body = { '' = '~magic' }\nresponse.headers.set = { x-magic = 'yes' }\n\
                 request.body.replace = [{ pattern = 'magic', with = 'spell' }]\n";
    lab.over_each_carrier_with("observe", rules, |session| {
        for version in VERSIONS {
            for (body, rule) in [
                ("{\"model\":\"gpt-4o\"}", Some("model")),
                ("{\"query\":\"mutation DeleteAll { x }\"}", Some("graphql")),
                ("{\"jsonrpc\":\"2.0\",\"method\":\"eth_sendRawTransaction\"}", Some("rpc")),
                ("[{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"shell\"}}]", Some("tool")),
                ("{\"model\":\"gpt-3\"}", None),
                ("", None),
            ] {
                let file = lab.scratch.write("body", body);
                let put = ["-T", &file, "-H", "Expect:", "https://origin.test/upload/x"];
                let (answer, status) = curl(session, &[&[version], &put[..]].concat());
                match rule {
                    Some(rule) => assert!(status == "403" && answer.contains(rule), "{version} {body}: {answer}"),
                    None => {
                        assert!(status.starts_with("20"), "{version} {body}: {status}");
                        let path = std::path::Path::new(&lab.www("origin.test")).join("upload/x");
                        assert_eq!(std::fs::read_to_string(&path).unwrap(), body, "{version}");
                        std::fs::remove_file(path).unwrap();
                    }
                }
            }
            let file = lab.scratch.write("body", "some magic words");
            let argv = ["curl", "-sSi", version, "-T", &file, "-H", "Expect:", "https://origin.test/upload/x"];
            assert!(session.exec(&argv).ok().to_ascii_lowercase().contains("x-magic: yes"), "{version}");
            let path = std::path::Path::new(&lab.www("origin.test")).join("upload/x");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "some spell words", "{version}");
            std::fs::remove_file(path).unwrap();
            let large = lab.scratch.write("large", "x".repeat(1_100_000));
            let (answer, status) = curl(session, &[version, "-T", &large, "https://origin.test/upload/x"]);
            assert!(status == "413" && answer.contains("larger than 1 MiB"), "{version}: {status} {answer}");
            assert_eq!(curl(session, &[version, "https://origin.test/hello"]).1, "200");
        }
    });
}
