//! `agent policy learn`: from what a session has recorded to rules under which enforce mode would allow it. What no rule can
//! allow is told, not hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use agent_common::maps::PortAction;
use anyhow::Context as _;

use super::captures::{self, Choice};
use super::export;
use super::flows::{ALL, paint, unified};
use super::policy::{asked, recorded};
use crate::capture::read::{Capture, Filter};
use crate::config::file;
use crate::engine::policy::rules::Rules;
use crate::engine::policy::rules::example::Asked;
use crate::engine::policy::rules::learn::{self, Seen, ports, text};
use crate::engine::policy::rules::rule::{Rule, Word};
use crate::engine::policy::rules::subject::Subject;
use crate::engine::policy::{Judgement, Mode, Policy};
use crate::engine::record::Outline;
use crate::ui;

/// What was allowed, as a capture has it.
const ALLOWED: &str = "e.verdict = 'allow'";

/// Writes rules that allow what was allowed in a capture to `output`, or to standard output.
///
/// # Errors
/// If it cannot be read, or they cannot be written.
pub fn learn(choice: &Choice, output: Option<&Path>) -> anyhow::Result<()> {
    let capture = captures::open(choice)?;
    let lesson = Lesson::of(&capture, Policy::new(Mode::Enforce))?;
    let document = lesson.document();
    export::write(output.unwrap_or(Path::new("-")), document.as_bytes())
}

/// Shows which rules the file at `path` lacks to allow what was allowed in a capture; true if it lacks none.
///
/// # Errors
/// If the capture or the file cannot be read.
pub fn against(choice: &Choice, path: &Path) -> anyhow::Result<bool> {
    let settings = file::read(path)?;
    let before = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let capture = captures::open(choice)?;
    let policy = Policy { rules: settings.rules, network: settings.network, ..Policy::new(Mode::Enforce) };
    let lesson = Lesson::of(&capture, policy)?;
    let rules = learn::learn(lesson.seen);
    for port in &lesson.ports {
        ui::warn(&format!(
            "connections to port {port} are not read: set `{port} = \"intercept\"` in `[network.ports]`"
        ));
    }
    if rules.is_empty() {
        ui::line(&format!("{}: no rule is missing", path.display()));
        return Ok(lesson.ports.is_empty());
    }
    let name = path.display().to_string();
    let before = if before.is_empty() || before.ends_with('\n') { before } else { before + "\n" };
    let gap = if before.is_empty() { "" } else { "\n" };
    let after = format!("{before}{gap}{}", text(&rules));
    ui::text_out(&unified(&[name.clone(), name], &[before, after], 0, paint()));
    Ok(false)
}

/// What a policy would not allow yet of what was allowed.
struct Lesson {
    policy: Policy,
    /// The same with a last rule that allows the rest.
    open: Policy,
    /// What more rules would allow.
    seen: Vec<Seen>,
    /// Ports that it would not read.
    ports: BTreeSet<u16>,
    /// Why no further rule would help, and how often.
    others: BTreeMap<String, usize>,
}

impl Lesson {
    /// From a whole capture; what no rule can help is told.
    fn of(capture: &Capture, policy: Policy) -> anyhow::Result<Self> {
        let rest: Rule = toml::from_str("verdict = 'allow'")?;
        let rules: Vec<Rule> = policy.rules.all().iter().cloned().chain([rest]).collect();
        let open = Policy { rules: Rules::from(rules), ..policy.clone() };
        let (seen, ports, others) = Default::default();
        let mut lesson = Self { policy, open, seen, ports, others };
        let filter = Filter { condition: Some(ALLOWED.to_owned()), ..Filter::default() };
        for outline in capture.outlines(&filter, ALL)? {
            lesson.take(capture, &outline)?;
        }
        for (why, times) in &lesson.others {
            let requests = if *times == 1 { "1 request".to_owned() } else { format!("{times} requests") };
            ui::warn(&format!("{requests} that no new rule allows: {}", ui::escape::one_line(why)));
        }
        Ok(lesson)
    }

    /// A file of rules that would allow all of it.
    fn document(self) -> String {
        let parts = [ports(&self.ports), text(&learn::learn(self.seen))];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, capture: &Capture, outline: &Outline) -> anyhow::Result<()> {
        let (fields, connection) = capture.request(outline)?;
        let mut asked = asked(outline, &fields, connection.as_ref());
        let needs_body = |asked: &Asked| self.open.rules.need_body(&Subject::new(&asked.head, asked.connection()));
        if asked.as_ref().is_ok_and(needs_body) {
            asked = recorded(&capture.exchange(outline.id)?);
        }
        let why = match asked {
            Ok(asked) => self.learn(&asked),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            *self.others.entry(why).or_default() += 1;
        }
        Ok(())
    }

    /// Learns from a request; why not, if nothing can be learnt from it.
    fn learn(&mut self, asked: &Asked) -> Option<String> {
        let judgement = self.open.decide(&asked.head, asked.connection());
        if judgement.word != Word::Allow {
            return Some(refusal(judgement));
        }
        let port = asked.address.port();
        if self.policy.network.port(port) != PortAction::Intercept {
            self.ports.insert(port);
        }
        if self.policy.decide(&asked.head, asked.connection()).word == Word::Allow {
            return None;
        }
        let seen = seen(asked);
        if !seen.is_learnable() {
            return Some("its host, its method or its service is too long".to_owned());
        }
        self.seen.push(seen);
        None
    }
}

fn refusal(judgement: Judgement) -> String {
    match (judgement.rule, judgement.reason) {
        (Some(rule), _) => format!("`{rule}` says {}", judgement.word.name()),
        (None, reason) => reason.unwrap_or_else(|| judgement.word.name().to_owned()),
    }
}

fn seen(asked: &Asked) -> Seen {
    let subject = Subject::new(&asked.head, asked.connection());
    Seen {
        method: asked.head.method.to_string(),
        host: subject.host().to_owned(),
        path: subject.path().to_owned(),
        call: subject.call().map(str::to_owned),
        program: asked.process.as_ref().map(|process| process.comm.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::capture::read::tests::{Directory, make};
    use crate::config::file::{Around, parse};

    /// Enforce mode with the rules of `text`.
    fn policy(text: &str) -> Policy {
        let around = Around {
            file: &|_| Err(io::ErrorKind::NotFound.into()),
            variable: &|_| None,
            addresses: &|_| Ok(Vec::new()),
        };
        let settings = parse(Path::new("a.toml"), text, &around).unwrap_or_else(|error| panic!("{text}: {error}"));
        Policy { rules: settings.rules, network: settings.network, ..Policy::new(Mode::Enforce) }
    }

    #[test]
    fn a_capture_needs_no_rule_but_those_that_were_learnt_from_it() {
        let directory = Directory::new();
        let _database = make(&directory.0);
        let capture = Capture::open(&directory.0).unwrap();
        let lesson = Lesson::of(&capture, Policy::new(Mode::Enforce)).unwrap();
        let text = lesson.document();
        for expect in ["# once, by curl\n", "match.grpc = \"pkg.Greeter/*\"", "match.path = [\"/gone\", \"/large\"]"] {
            assert!(text.contains(expect), "{text}");
        }
        assert!(!text.contains("/both"), "it was refused: {text}");
        let lesson = Lesson::of(&capture, policy(&text)).unwrap();
        assert!(lesson.seen.is_empty() && lesson.others.is_empty() && lesson.ports.is_empty(), "{text}");
    }

    #[test]
    fn what_a_file_lacks_is_learnt_and_what_it_refuses_is_not() {
        let directory = Directory::new();
        let database = make(&directory.0);
        database.execute_batch("UPDATE connections SET destination = '192.0.2.1:8443' WHERE id = 1").unwrap();
        let capture = Capture::open(&directory.0).unwrap();
        for (rules, hosts, others) in [
            ("", "api.example grpc.example www.example", ""),
            ("[[rule]]\nmatch.host = 'api.example'\nverdict = 'allow'\n", "grpc.example www.example", ""),
            (
                "[[rule]]\nname = 'no'\nmatch.host = 'grpc.example'\nverdict = 'block'\n",
                "api.example www.example",
                "`no` says block",
            ),
            (
                "[[rule]]\nname = 'no'\nmatch.body = { '/q' = 'needle' }\nverdict = 'block'\n",
                "grpc.example www.example",
                "`no` says block",
            ),
        ] {
            let lesson = Lesson::of(&capture, policy(rules)).unwrap();
            assert_eq!(lesson.others.keys().cloned().collect::<Vec<_>>().join(" "), others, "{rules}");
            assert_eq!(lesson.ports, BTreeSet::from([8443]), "{rules}");
            let hosts_of: BTreeSet<String> = learn::learn(lesson.seen).into_iter().map(|rule| rule.host).collect();
            assert_eq!(hosts_of.into_iter().collect::<Vec<_>>().join(" "), hosts, "{rules}");
        }
    }
}
