//! Why a request gets its verdict: rule by rule, condition by condition.

use serde::Serialize;

use super::Rules;
use super::matcher::{Key, Match, Needed};
use super::subject::Subject;
use crate::engine::http::Field;
use crate::engine::process::Process;

/// What one rule makes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What output calls the rule.
    pub rule: String,
    /// Its verdict.
    pub verdict: &'static str,
    /// Whether it is about the request.
    pub matched: bool,
    /// What it is about.
    pub conditions: Vec<Condition>,
    /// What it is not about, if it says so: it is not about the request if all of these hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Its key.
    pub key: &'static str,
    /// What the rule wants, as JSON.
    pub wanted: String,
    /// What the request has.
    pub found: String,
    /// Whether that fits.
    pub holds: bool,
}

impl Rules {
    /// What every rule makes of a request, in their order. The first that matched gives the verdict.
    #[must_use]
    pub fn explain(&self, subject: &Subject<'_>) -> Vec<Explained> {
        let rules = self.rules.iter().enumerate();
        let explained = rules.map(|(number, rule)| Explained {
            rule: self.name(number),
            verdict: rule.verdict.as_ref().map_or("edits", |verdict| verdict.word().name()),
            matched: rule.is_about(subject),
            conditions: conditions(&rule.matches, subject, rule.needed()),
            except: rule
                .except
                .as_ref()
                .map_or_else(Vec::new, |except| conditions(except, subject, rule.needed().of_exceptions())),
        });
        explained.collect()
    }
}

fn conditions(matches: &Match, subject: &Subject<'_>, needed: Needed) -> Vec<Condition> {
    let wanted = serde_json::to_value(matches).unwrap_or_default();
    let condition = |key: &Key| {
        let holds = matches.condition(*key, subject, needed)?;
        let wanted = wanted.get(key.name()).map(ToString::to_string).unwrap_or_default();
        Some(Condition { key: key.name(), wanted, found: found(*key, matches, subject), holds })
    };
    Key::ALL.iter().filter_map(condition).collect()
}

/// What a request has, for people.
fn found(key: Key, matches: &Match, subject: &Subject<'_>) -> String {
    let (head, connection) = (subject.head, subject.connection);
    let unknown = || "unknown".to_owned();
    let none = || "none".to_owned();
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match key {
        Key::Host => subject.host().to_owned(),
        Key::Port => connection.orig_dst.port().to_string(),
        Key::Cidr => connection.orig_dst.ip().to_string(),
        Key::Protocol => subject.messages().map_or(head.version, |kind| kind.name()).to_owned(),
        Key::Method => head.method.to_string(),
        Key::Path => subject.path().to_owned(),
        Key::Grpc => subject.call().map_or_else(none, str::to_owned),
        Key::Process => connection.process.map_or_else(unknown, Process::label),
        Key::User => connection.process.map_or_else(unknown, |process| process.uid.to_string()),
        Key::Body | Key::Graphql | Key::Jsonrpc | Key::Mcp => {
            head.content.as_ref().map_or_else(unknown, |content| format!("{} bytes", content.len()))
        }
        Key::Time => connection.now.map_or_else(unknown, |now| now.to_string()),
        Key::Status => subject.status.map_or_else(unknown, |status| status.to_string()),
        Key::ContentType => subject.content_type().map_or_else(none, lossy),
        Key::Header => {
            let is_named = |field: &&Field| matches.header.iter().flatten().any(|(name, _)| field.is(name));
            let named = head.fields.iter().filter(is_named);
            let lines = named.map(|field| format!("{}: {}", lossy(&field.name), lossy(&field.value)));
            lines.collect::<Vec<_>>().join(", ")
        }
        Key::Query => subject.query().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"),
    }
}
