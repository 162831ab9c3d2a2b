//! `agent policy`: checks a file of rules, and explains what its rules make of a request. No session is asked or changed.

use std::path::Path;

use anyhow::Context as _;
use http::Method;
use serde_json::json;

use super::captures::{self, Choice};
use super::control;
use super::flows::Page;
use super::sessions::print_json;
use crate::config::file::{self, Error};
use crate::config::profiles::{PROFILES, Profile};
use crate::config::schema::SCHEMA;
use crate::engine::http::{Field, RequestHead};
use crate::engine::policy::rules::example::{Asked, Example, Form, sender};
use crate::engine::policy::rules::explain::{Condition, Explained};
use crate::engine::policy::rules::rule::Word;
use crate::engine::policy::rules::subject::Subject;
use crate::engine::policy::{Judgement, Mode, Policy};
use crate::engine::record::{Connection, Exchange, Outline};
use crate::ui;
use crate::ui::colour::Ink;

/// The request that is asked about.
pub enum Request {
    /// One that is put together.
    Made(Box<Form>),
    /// A recorded one, by its number.
    Recorded(Choice, i64),
}

/// Reads the file and says whether a session could use it: all that is wrong with it, if it could not.
///
/// # Errors
/// If it cannot be read.
pub fn check(path: &Path) -> anyhow::Result<bool> {
    match file::read(path) {
        Ok(settings) => {
            let rules = settings.rules.all().len();
            ui::line(&format!("{}: {rules} {}", path.display(), if rules == 1 { "rule" } else { "rules" }));
            Ok(true)
        }
        Err(error @ Error::Wrong(_)) => {
            ui::text_out(&format!("{error}\n"));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks the rules of the file about its examples and says which do not get the verdict that they must get; true if all do.
///
/// # Errors
/// If the file cannot be used.
pub fn test(path: &Path, mode: Mode) -> anyhow::Result<bool> {
    let settings = file::read(path)?;
    let policy = Policy { rules: settings.rules, ..Policy::new(mode) };
    let mut failed = 0;
    for (line, example) in &settings.examples {
        let Example { request, verdict, rule } = example;
        let judgement = policy.decide(&request.head, request.connection());
        let is_right = judgement.word == *verdict && (rule.is_none() || *rule == judgement.rule);
        failed += usize::from(!is_right);
        if !is_right {
            let by = rule.as_ref().map(|rule| format!(" by `{rule}`")).unwrap_or_default();
            let place = format!("{}:{line}: {} {}", path.display(), request.head.method, request.head.url());
            ui::line(&format!("{place}: wanted {}{by}, got {}", verdict.name(), summary(&judgement)));
        }
    }
    let all = settings.examples.len();
    ui::line(&format!("{}: {} of {all} examples are right", path.display(), all - failed));
    Ok(failed == 0)
}

/// Says what the rules of the file make of a request, rule by rule, and what becomes of it in a session of `mode`.
///
/// # Errors
/// If the file cannot be used, or there is no such request.
pub fn explain(path: &Path, mode: Mode, request: Request, json: bool) -> anyhow::Result<()> {
    let rules = file::read(path)?.rules;
    let asked = match request {
        Request::Made(form) => Asked::try_from(*form)?,
        Request::Recorded(choice, id) => recorded(&captures::open(&choice)?.exchange(id)?)?,
    };
    let explained = rules.explain(&Subject::new(&asked.head, asked.connection()));
    let judgement = Policy { rules, ..Policy::new(mode) }.decide(&asked.head, asked.connection());
    if json {
        return print_json(&json!({
            "url": asked.head.url(),
            "verdict": judgement.word.name(),
            "rule": judgement.rule,
            "reason": judgement.reason,
            "rules": explained,
        }));
    }
    let mut page = Page::new(super::flows::paint());
    page.title(&format!("{} {}", asked.head.method, asked.head.url()), asked.head.version);
    let decisive = explained.iter().position(|rule| rule.matched).filter(|_| judgement.rule.is_some());
    for (number, rule) in explained.iter().enumerate() {
        page.gap();
        show(&mut page, rule, decisive == Some(number));
    }
    page.gap();
    let ink = if judgement.word == Word::Allow { Ink::Good } else { Ink::Bad };
    page.line(ink, &summary(&judgement));
    ui::text_out(&page.into_text());
    Ok(())
}

fn summary(judgement: &Judgement) -> String {
    let by = judgement.rule.as_ref().map_or_else(|| ", by no rule".to_owned(), |rule| format!(" by `{rule}`"));
    let why = judgement.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}{by}{why}", judgement.word.name())
}

/// Has the session `name` read its file of rules again.
///
/// # Errors
/// If there is no such session, or the file cannot be used: the session keeps its rules then.
pub fn reload(name: &str) -> anyhow::Result<()> {
    let done = control::ask(name, &control::Request::Reload)?;
    ui::line(&done);
    Ok(())
}

/// Prints the JSON Schema of the file.
pub fn schema() {
    ui::text_out(SCHEMA);
}

/// Lists the ready-made rules, or prints those of a name.
///
/// # Errors
/// If there is nothing of that name.
pub fn profiles(name: Option<&str>) -> anyhow::Result<()> {
    if let Some(name) = name {
        ui::text_out(Profile::named(name)?.text);
        return Ok(());
    }
    let width = PROFILES.iter().map(|profile| profile.name.len()).max().unwrap_or_default();
    for profile in PROFILES {
        ui::line(&format!("{:width$}  {}", profile.name, profile.purpose()));
    }
    Ok(())
}

/// A rule and its conditions.
fn show(page: &mut Page, rule: &Explained, is_decisive: bool) {
    let how = match (rule.matched, is_decisive) {
        (true, true) => "decides",
        (true, false) => "fits, but does not decide",
        (false, _) => "does not fit",
    };
    page.title(&rule.rule, &format!("{}, {how}", rule.verdict));
    let mut conditions = |conditions: &[Condition], prefix: &str| {
        for Condition { key, wanted, found, holds } in conditions {
            let (ink, is) = if *holds { (Ink::Good, "is") } else { (Ink::Faint, "is not") };
            page.line(ink, &format!("  {prefix}{key} {found} {is} {wanted}"));
        }
    };
    conditions(&rule.conditions, "");
    conditions(&rule.except, "except ");
}

/// A recorded request with its body, as it was judged.
///
/// # Errors
/// If too little of it is recorded.
pub(super) fn recorded(exchange: &Exchange) -> anyhow::Result<Asked> {
    let mut asked = asked(&exchange.outline, &exchange.request.head, exchange.connection.as_ref())?;
    let body = exchange.request.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
    asked.head.content = Some(body.into());
    Ok(asked)
}

/// The same without its body.
///
/// # Errors
/// As [`recorded`].
pub(super) fn asked(outline: &Outline, fields: &[Field], connection: Option<&Connection>) -> anyhow::Result<Asked> {
    let method = Method::from_bytes(outline.method.as_bytes()).context("the recorded method is none")?;
    let version = if outline.version == "HTTP/2" { "HTTP/2" } else { "HTTP/1.1" };
    let url = (outline.scheme.as_str(), outline.authority.as_str(), outline.path.as_str());
    let connection = connection.context("its connection is not recorded")?;
    let program = connection.executable.as_deref().or(connection.process.as_deref()).unwrap_or_default();
    let uid = connection.uid.and_then(|uid| u32::try_from(uid).ok()).unwrap_or_default();
    Ok(Asked {
        head: RequestHead::assembled(version, method, url, fields),
        address: connection.destination.parse().context("the recorded destination is no address")?,
        server_name: connection.sni.clone(),
        process: connection.pid.map(|_| sender(program, uid)),
    })
}
