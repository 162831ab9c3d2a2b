//! What is learnt from lists of requests. The command around it is tried by a suite.

use serde::Deserialize;

use super::super::Rules;
use super::super::rule::{Rule, Word};
use super::super::subject::Subject;
use super::super::subject::tests::{connection, head};
use super::*;
use crate::engine::dice::Dice;
use crate::engine::http::RequestHead;
use crate::engine::policy::{Mode, Policy};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

fn seen(method: &str, url: &str, program: &str) -> Seen {
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let (path, call) = match path.strip_prefix("grpc:") {
        Some(call) => (format!("/{call}"), Some(call.to_owned())),
        None => (format!("/{path}"), None),
    };
    let program = (!program.is_empty()).then(|| program.to_owned());
    Seen { method: method.to_owned(), host: host.to_owned(), path, call, program }
}

/// As a rule is asked about it.
fn request(seen: &Seen) -> RequestHead {
    let fields: &[_] = if seen.call.is_some() { &[("content-type", "application/grpc")] } else { &[] };
    let authority = if seen.host.contains(':') { format!("[{}]", seen.host) } else { seen.host.clone() };
    RequestHead { authority, path: seen.path.clone(), ..head(&seen.method, "a/", fields) }
}

/// Enforce mode with these rules alone.
fn policy(text: &str) -> Policy {
    let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    file.rule.iter().for_each(|rule| rule.check().unwrap());
    Policy { rules: Rules::from(file.rule), ..Policy::new(Mode::Enforce) }
}

fn refused<'a>(policy: &Policy, all: &'a [Seen]) -> Vec<&'a Seen> {
    let is_allowed = |seen: &&Seen| policy.decide(&request(seen), connection()).word == Word::Allow;
    all.iter().filter(|seen| !is_allowed(seen)).collect()
}

#[test]
fn a_rule_says_what_was_seen_of_a_host_and_by_whom() {
    let all = [
        seen("GET", "api.example.com/v1/users/1", "curl"),
        seen("POST", "api.example.com/v1/users", "node"),
        seen("GET", "api.example.com/v1/users/2", "curl"),
        seen("POST", "api.example.com/grpc:shop.Cart/Add", "node"),
        seen("GET", "b.example.com/", "a\nb"),
    ];
    let expect = r#"# 3 times, by curl, node
[[rule]]
name = "api.example.com"
match.host = "api.example.com"
match.method = ["GET", "POST"]
match.path = ["/v1/users", "/v1/users/*"]
verdict = "allow"

# once, by node
[[rule]]
name = "api.example.com calls"
match.host = "api.example.com"
match.method = "POST"
match.grpc = "shop.Cart/*"
verdict = "allow"

# once, by a?b
[[rule]]
name = "b.example.com"
match.host = "b.example.com"
match.method = "GET"
match.path = "/"
verdict = "allow"
"#;
    assert_eq!(text(&learn(all)), expect);
    assert_eq!(text(&learn([])), "");
}

#[test]
fn long_lists_have_lines_of_their_own_and_many_programs_are_counted() {
    let path = |number: usize| format!("a.test/a-long-name-of-a-path/{}", ["one", "two", "three", "four"][number % 4]);
    let all = (0..6).map(|number| seen("GET", &path(number), &format!("p{number}")));
    let text = text(&learn(all));
    assert!(text.starts_with("# 6 times, by p0, p1, p2, p3 and 2 others\n"), "{text}");
    assert!(text.contains("match.path = [\n    \"/a-long-name-of-a-path/four\",\n"), "{text}");
}

#[test]
fn hosts_below_one_domain_become_all_below_it_when_there_are_many() {
    for (hosts, expect) in [
        ("a.example.com b.example.com", "a.example.com b.example.com"),
        ("a.example.com b.example.com c.d.example.com", "*.example.com"),
        ("a.example.com b.example.com example.com", "a.example.com b.example.com example.com"),
        ("a.example.com b.example.com c.example.com example.com", "*.example.com example.com"),
        ("a.co.uk b.co.uk c.co.uk", "a.co.uk b.co.uk c.co.uk"),
        ("a.b.co.uk c.b.co.uk d.b.co.uk", "*.b.co.uk"),
        ("192.0.2.1 192.1.2.1 198.2.2.1", "192.0.2.1 192.1.2.1 198.2.2.1"),
        ("a.github.io b.github.io c.github.io", "a.github.io b.github.io c.github.io"),
        ("2001:db8::1 localhost", "2001:db8::1 localhost"),
        ("a!b", "~^a!b$"),
    ] {
        let all: Vec<Seen> = hosts.split(' ').map(|host| seen("GET", &format!("{host}/x"), "")).collect();
        let found: Vec<String> = learn(all.clone()).into_iter().map(|rule| rule.host).collect();
        assert_eq!(found.join(" "), expect, "{hosts}");
        assert!(refused(&policy(&text(&learn(all.clone()))), &all).is_empty(), "{hosts}");
    }
}

#[test]
fn what_has_no_end_is_left_out() {
    let long = |length| "a".repeat(length);
    for (method, host, call, expect) in [
        ("GET", &*long(253), None, 1),
        ("GET", &*long(254), None, 0),
        (&*long(201), "a", None, 0),
        ("POST", "a", Some(long(201)), 0),
    ] {
        let seen = Seen { call, ..seen(method, &format!("{host}/"), "") };
        assert_eq!(learn([seen]).len(), expect, "{method} {host}");
    }
}

#[test]
fn nothing_but_what_was_seen_is_allowed() {
    let all = [
        seen("GET", "api.example.com/v1/users/1", ""),
        seen("POST", "api.example.com/grpc:shop.Cart/Add", ""),
        seen("GET", "a.test/*x", ""),
    ];
    let policy = policy(&text(&learn(all)));
    for (method, url, allowed) in [
        ("GET", "api.example.com/v1/users/7", true),
        ("POST", "api.example.com/grpc:shop.Cart/Get", true),
        ("DELETE", "api.example.com/v1/users/7", false),
        ("GET", "api.example.com/v1/users/7/keys", false),
        ("GET", "xapi.example.com/v1/users/7", false),
        ("POST", "api.example.com/shop.Cart/Add", false),
        ("POST", "api.example.com/grpc:shop.Order/Get", false),
        ("GET", "a.test/yx", false),
    ] {
        assert_eq!(refused(&policy, &[seen(method, url, "")]).is_empty(), allowed, "{method} {url}");
    }
}

#[test]
fn all_that_was_seen_is_allowed_by_what_was_learnt_of_it() {
    let segments = [
        "",
        "a",
        "b",
        "v1",
        "7",
        "deadbeef",
        "*",
        "**",
        "[x",
        "{a,b}",
        "}",
        "\\",
        "~",
        "é",
        "\"",
        "a.b",
        "%2F",
        "?",
        "#",
        "0188f3a1-7c3e-7bd2-9f10-2b8f3c9d4e5f",
        "ch_3MqZ4e2eZvKYlo2C",
    ];
    let hosts = [
        "a.example.com",
        "b.example.com",
        "c.d.example.com",
        "example.com",
        "192.0.2.1",
        "2001:db8::1",
        "x",
        "*",
        "~a",
        "a(b",
        "",
        "d.co.uk",
        "*.example.com",
        "a_b.test",
    ];
    let mut dice = Dice(7);
    for round in 0..400 {
        let all: Vec<Seen> = (0..=dice.below(60)).map(|_| random(&mut dice, &segments, &hosts)).collect();
        let text = text(&learn(all.clone()));
        let found = refused(&policy(&text), &all);
        assert!(found.is_empty(), "round {round}: {found:?}\n{text}");
    }
}

fn random(dice: &mut Dice, segments: &[&str], hosts: &[&str]) -> Seen {
    let methods = ["GET", "POST", "PUT", "*", "!x~", "PROP^FIND"];
    let is_call = dice.below(4) == 0;
    let depth = dice.below(if is_call { 4 } else { 20 });
    let mut path: String = (0..=depth).map(|_| format!("/{}", segments[dice.below(segments.len())])).collect();
    if dice.below(4) > 0 {
        path = format!("/{}", segments[dice.below(segments.len())]);
    }
    let (method, host) = (methods[dice.below(methods.len())], hosts[dice.below(hosts.len())]);
    let written = Seen { path, call: is_call.then(String::new), ..seen(method, &format!("{host}/"), "") };
    let head = request(&written);
    let subject = Subject::new(&head, connection());
    let call = subject.call().map(str::to_owned);
    Seen { host: subject.host().to_owned(), path: subject.path().to_owned(), call, ..written }
}
