//! Rules and a request: whatever both are, the rules that the index finds are those that are about the request, an
//! explanation says the same, and a refusal is an answer.

#![no_main]

use std::net::SocketAddr;
use std::path::Path;

use agent::config::file::{Around, parse};
use agent::engine::http::{Field, RequestHead};
use agent::engine::policy::rules::rule::Rule;
use agent::engine::policy::rules::subject::{ConnFacts, Subject};
use agent::engine::policy::{Mode, Policy, Verdict};
use http::Method;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The file ends with a NUL, which TOML does not have; the request's lines follow.
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, request) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return };
    let around = Around {
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        variable: &|_| None,
        addresses: &|_| Ok(Vec::new()),
    };
    let Ok(settings) = parse(Path::new("agent.toml"), text, &around) else { return };
    let Some(head) = head(&String::from_utf8_lossy(request)) else { return };
    let orig_dst = SocketAddr::from(([192, 0, 2, 1], 443));
    let connection = ConnFacts::to(orig_dst);
    let subject = Subject::new(&head, connection);
    let rules = settings.rules;
    let found = rules.first(&subject).map(|(number, _)| number);
    let about: Vec<bool> = rules.all().iter().map(|rule| rule.is_about(&subject)).collect();
    let decides = |(rule, about): (&Rule, &bool)| *about && rule.verdict.is_some();
    assert_eq!(found, rules.all().iter().zip(&about).position(decides));
    assert_eq!(about, rules.explain(&subject).iter().map(|explained| explained.matched).collect::<Vec<_>>());
    let judgement = Policy { rules, ..Policy::new(Mode::Observe) }.decide(&head, connection);
    let reply = match judgement.verdict {
        Verdict::Forward(_) | Verdict::Redirect(..) => return assert!(judgement.reason.is_none()),
        Verdict::Refuse(reply) => {
            assert!(judgement.reason.is_some());
            reply
        }
        Verdict::Read => return,
        Verdict::Ask(question) => return assert_eq!(question.host, subject.host()),
        Verdict::Mock(reply) => reply,
    };
    assert!((200..600).contains(&reply.status.as_u16()));
    assert!(reply.fields.iter().all(|field| !field.value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))));
});

/// Method, authority and path, and fields, each on a line.
fn head(request: &str) -> Option<RequestHead> {
    let mut lines = request.split('\n');
    let method = Method::from_bytes(lines.next()?.as_bytes()).ok()?;
    let (authority, path) = (lines.next()?, lines.next()?);
    let field = |line: &str| line.split_once(' ').map(|(name, value)| Field::new(name.to_owned(), value.to_owned()));
    // As every reader of heads has it.
    let lines = lines.filter(|line| !line.contains(['\r', '\0']));
    let fields: Vec<Field> = lines.filter_map(field).collect();
    Some(RequestHead::assembled("HTTP/2", method, ("https", authority, path), &fields))
}
