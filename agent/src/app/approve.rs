//! `agent approve`: answers what a running session asks.

use std::io::{BufRead as _, stdin};
use std::time::Duration;

use anyhow::{Context as _, bail};

pub use super::control::Word;
use super::control::{self, Request};
use super::handoff::Question;
use crate::ui;

/// How often a session is asked whether it has questions.
const AGAIN: Duration = Duration::from_millis(300);

/// Prints the questions of the session `name` that are open, as text or as JSON.
///
/// # Errors
/// If there is no such session.
pub fn list(name: &str, json: bool) -> anyhow::Result<()> {
    let questions = questions(name)?;
    if json {
        return super::sessions::print_json(&questions);
    }
    questions.iter().for_each(|question| ui::line(&format!("{}: {}", question.id, question.text())));
    Ok(())
}

/// Gives the session `name` the answer to its question `id`, or to all that are open.
///
/// # Errors
/// If there is no such session or question.
pub fn answer(name: &str, id: Option<u64>, answer: Word) -> anyhow::Result<()> {
    let ids = match id {
        Some(id) => vec![id],
        None => questions(name)?.iter().map(|question| question.id).collect(),
    };
    if ids.is_empty() {
        bail!("session `{name}` asks nothing now");
    }
    for id in ids {
        ui::line(&control::ask(name, &Request::Answer { id, answer })?);
    }
    Ok(())
}

/// Asks whoever sits at the terminal, question by question, until the session ends.
///
/// # Errors
/// If there is no such session.
pub fn watch(name: &str) -> anyhow::Result<()> {
    let mut lines = stdin().lock().lines();
    questions(name)?;
    while let Ok(questions) = questions(name) {
        let Some(question) = questions.first() else {
            std::thread::sleep(AGAIN);
            continue;
        };
        ui::line(&question.text());
        ui::line("[y]es, for the [s]ession, [a]lways, [n]o?");
        let Some(line) = lines.next() else { return Ok(()) };
        let Some(answer) = Word::typed(&line.context("cannot read the answer")?) else { continue };
        match control::ask(name, &Request::Answer { id: question.id, answer }) {
            Ok(done) => ui::line(&done),
            Err(error) => ui::warn(&format!("{error:#}")),
        }
    }
    Ok(())
}

fn questions(name: &str) -> anyhow::Result<Vec<Question>> {
    let json = control::ask(name, &Request::Questions)?;
    serde_json::from_str(&json).context("the session's questions cannot be read")
}
