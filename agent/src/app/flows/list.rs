//! Exchanges, one a line: those that there are, and those that come.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::types::Value;
use serde_json::json;

use super::{ALL, Query};
use crate::app::{captures, sessions};
use crate::capture::read::{Capture, Error, Table};
use crate::engine::record::{Outline, jsonl, time};
use crate::ui::colour::{Ink, Paint};
use crate::ui::{self, bars, escape, table};

/// How often the capture of a running session is looked at.
const INTERVAL: Duration = Duration::from_millis(250);

/// Lists what `query` means; with `follow` also what comes, until the session ends.
///
/// # Errors
/// If there is no capture, or it cannot be read.
pub fn list(query: &Query, json: bool, follow: bool) -> anyhow::Result<()> {
    if follow {
        return self::follow(query, json);
    }
    let capture = captures::open(&query.choice)?;
    if let Some(select) = &query.select {
        return answer(&capture.query(select)?, json);
    }
    let outlines = query.outlines(&capture, ALL)?;
    if json {
        return sessions::print_json(&outlines.iter().map(jsonl::outline).collect::<Vec<_>>());
    }
    let paint = super::paint();
    let mut text = format!("{}\n", head(paint));
    outlines.iter().for_each(|outline| text.push_str(&format!("{}\n", line(outline, paint))));
    ui::text_out(&text);
    Ok(())
}

/// Prints each exchange when it is over. When nobody records any more, the rest is printed as far as it has come.
fn follow(query: &Query, json: bool) -> anyhow::Result<()> {
    let directory = captures::locate(&query.choice)?;
    let paint = super::paint();
    let mut seen = Seen::default();
    if !json {
        ui::line(&head(paint));
    }
    loop {
        let is_live = captures::is_recording(&directory);
        let outlines = match Capture::open(&directory) {
            Ok(capture) => seen.next(query, &capture, !is_live)?,
            // The recorder has not begun yet.
            Err(Error::None(_)) if is_live => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        for outline in &outlines {
            let object = || serde_json::to_string(&jsonl::outline(outline)).context("cannot write JSON");
            ui::line(&if json { escape::json(&object()?).into_owned() } else { line(outline, paint) });
        }
        if !is_live {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
    }
}

/// What was printed.
#[derive(Default)]
struct Seen {
    /// All up to this number.
    settled: i64,
    /// Those beyond.
    beyond: BTreeSet<i64>,
}

impl Seen {
    /// What is over and was not printed yet; with `all`, what is not over as well.
    fn next(&mut self, query: &Query, capture: &Capture, all: bool) -> Result<Vec<Outline>, Error> {
        // Read first: what is over by then is among those that are read now.
        let settled = capture.settled(self.settled)?;
        let mut outlines = query.outlines(capture, self.settled + 1..=i64::MAX)?;
        outlines.retain(|outline| (all || outline.finished.is_some()) && !self.beyond.contains(&outline.id));
        self.settled = settled;
        self.beyond.extend(outlines.iter().map(|outline| outline.id));
        self.beyond.retain(|id| *id > settled);
        Ok(outlines)
    }
}

fn head(paint: Paint) -> String {
    paint.paint(
        Ink::Title,
        &columns(["ID", "TIME", "STATUS", "METHOD", "TOOK", "RECEIVED", "PROCESS", "URL"].map(String::from)),
    )
}

/// An exchange on a line.
fn line(outline: &Outline, paint: Paint) -> String {
    let plain = |text: &str| escape::one_line(text).into_owned();
    let took = outline.took_us().and_then(|us| i64::try_from(us).ok());
    let line = columns([
        outline.id.to_string(),
        time::clock(outline.started),
        outline.status.map_or_else(|| "-".into(), |status| status.to_string()),
        plain(&outline.method),
        took.map_or_else(|| "-".into(), bars::millis),
        table::bytes(outline.response_size),
        outline.caller().map_or_else(|| "-".into(), |caller| plain(&caller)),
        plain(&outline.url()),
    ]);
    let ink = match outline.status {
        None | Some(500..) => Some(Ink::Bad),
        Some(400..500) => Some(Ink::Warning),
        Some(_) => None,
    };
    let line = ink.map_or_else(|| line.clone(), |ink| paint.paint(ink, &line));
    let notes = [
        outline.stream.as_deref(),
        (outline.verdict == "block").then_some("blocked"),
        outline.error.as_deref(),
        outline.finished.is_none().then_some("not over"),
    ];
    let notes: Vec<_> = notes.into_iter().flatten().map(plain).collect();
    if notes.is_empty() { line } else { format!("{line}  {}", paint.paint(Ink::Faint, &notes.join(", "))) }
}

/// The widths are those of most lines: they are the same whatever comes.
fn columns([id, time, status, method, took, received, process, url]: [String; 8]) -> String {
    format!("{id:>6}  {time:<12}  {status:<6}  {method:<7}  {took:>9}  {received:>10}  {process:<20}  {url}")
}

/// The answer to a query of the user's.
fn answer(found: &Table, json: bool) -> anyhow::Result<()> {
    if json {
        let object = |row: &Vec<Value>| {
            let pairs = found.columns.iter().cloned().zip(row.iter().map(to_json));
            serde_json::Value::Object(pairs.collect())
        };
        return sessions::print_json(&found.rows.iter().map(object).collect::<Vec<_>>());
    }
    let head: Vec<&str> = found.columns.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = found.rows.iter().map(|row| row.iter().map(to_text).collect()).collect();
    ui::text_out(&table::table(&head, &rows));
    Ok(())
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => json!(null),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob(bytes) => {
            let (form, content) = jsonl::content(bytes);
            json!({ form: content })
        }
    }
}

fn to_text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => escape::one_line(text).into_owned(),
        Value::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => escape::one_line(text).into_owned(),
            Err(_) => format!("{} of bytes", table::bytes(bytes.len() as u64)),
        },
    }
}
