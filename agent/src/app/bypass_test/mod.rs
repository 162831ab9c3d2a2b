//! `agent bypass-test`: tries to get round sessions that it starts itself, in a host and an outside that it makes, as
//! whoever may run a command, and says what came of each attempt. Nothing leaves this machine.

mod arena;
mod inside;
mod judge;
mod moments;

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::arena::{Arena, DOMAIN, HOST};
use self::inside::Inside;
use self::judge::{Before, Verdict, judge};
use crate::bypass::{ALL, How, Level, Target, Vector, attempt};
use crate::config::{self, invoker};
use crate::sandbox::link;
use crate::ui;
use crate::ui::table::table;

/// The user that plays the invoking one where that is root.
const STAND_IN: &str = "nobody";

/// What one attempt came to.
#[derive(Serialize)]
struct Row {
    vector: &'static str,
    what: &'static str,
    level: Level,
    /// `held`, `allowed`, `untried`, `leaked` or `wrong`.
    result: &'static str,
    /// What stopped it; for other results, what there is to say.
    stopped_by: String,
    /// How it shows.
    reported_as: String,
}

/// Makes every attempt, or the one that `only` names, and prints what came of it; false if something got through, or was
/// not reported as it should be.
///
/// # Errors
/// If the test cannot be made.
pub fn bypass_test(json: bool, only: Option<&str>) -> anyhow::Result<bool> {
    config::require_root("bypass-test")?;
    let vectors: Vec<&Vector> = ALL.iter().filter(|vector| only.is_none_or(|id| id == vector.id)).collect();
    if let (true, Some(id)) = (vectors.is_empty(), only) {
        bail!("there is no attempt `{id}`; docs/bypass.md lists them, and so does the test without `--only`");
    }
    let arena = Arena::new()?;
    let mut rows = Vec::new();
    for level in [Level::User, Level::Root, Level::NetAdmin, Level::Observe] {
        let of_level: Vec<&Vector> = vectors.iter().copied().filter(|vector| vector.levels.contains(&level)).collect();
        if !of_level.is_empty() {
            rows.extend(at_level(&arena, level, &of_level)?);
        }
    }
    if json {
        super::sessions::print_json(&rows)?;
    } else {
        ui::text_out(&text(&rows));
    }
    Ok(rows.iter().all(|row| !["leaked", "wrong"].contains(&row.result)))
}

fn at_level(arena: &Arena, level: Level, vectors: &[&Vector]) -> anyhow::Result<Vec<Row>> {
    let invoking = invoker::invoker(None)?.0;
    let invoking = if invoking.uid == 0 { STAND_IN.to_owned() } else { invoking.name };
    let user = if matches!(level, Level::User | Level::Observe) { invoking.as_str() } else { "root" };
    let inside = Inside::start(arena, level, user)?;
    let mut rows = Vec::new();
    for (number, vector) in (1..).zip(vectors) {
        let verdict = try_one(arena, &inside, level, user, vector, number);
        let verdict = verdict.unwrap_or_else(|error| Verdict::Wrong(format!("{error:#}")));
        rows.push(row(vector, level, verdict));
    }
    inside.end()?;
    Ok(rows)
}

fn try_one(
    arena: &Arena,
    inside: &Inside,
    level: Level,
    user: &str,
    vector: &Vector,
    number: u16,
) -> anyhow::Result<Verdict> {
    let target = target(arena, inside, level, number);
    let expect = (vector.expect)(level);
    match vector.how {
        How::Inside(_) => {
            arena.watch.clear();
            let before = Before::of(arena, inside)?;
            let steps = inside.attempt(arena, vector.id, &target, user)?;
            judge(arena, inside, &before, &target, expect, &steps)
        }
        How::At(moment) => moments::try_at(arena, moment, &target, user, expect),
    }
}

/// An address, a name and a token that no other attempt has.
fn target(arena: &Arena, inside: &Inside, level: Level, number: u16) -> Target {
    let unique = format!("{}-{}-{number}", std::process::id(), level.name());
    let low = u8::try_from(number % 250 + 1).unwrap_or(1);
    let v4 = Ipv4Addr::new(192, 0, 2, low);
    Target {
        level,
        token: format!("token-{unique}."),
        v4,
        v6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, level as u16 + 1, number),
        name: format!("a-192-0-2-{low}.{DOMAIN}"),
        host: HOST,
        gateway: (link::GATEWAY4, link::GATEWAY6),
        child: (link::CHILD4, link::CHILD6),
        macs: (link::CHILD_MAC, link::GATEWAY_MAC),
        device: link::CHILD_LINK.into(),
        outsider: i32::try_from(std::process::id()).unwrap_or(1),
        agents: (inside.worker(), inside.facts.pid),
        session: inside.facts.name.clone(),
        sockets: arena.sockets.clone(),
        abstract_socket: arena.abstract_socket.clone(),
        elevating: arena.elevating.clone(),
    }
}

fn row(vector: &Vector, level: Level, verdict: Verdict) -> Row {
    let (result, stopped_by, reported_as) = match verdict {
        Verdict::Held { by, reported } => ("held", by, reported),
        Verdict::Allowed(close) => ("allowed", format!("nothing: {close} closes it"), "-".into()),
        Verdict::Untried(why) => ("untried", format!("not on this machine: {why}"), "-".into()),
        Verdict::Leaked(what) => ("leaked", what, "-".into()),
        Verdict::Wrong(what) => ("wrong", what, "-".into()),
    };
    Row { vector: vector.id, what: vector.what, level, result, stopped_by, reported_as }
}

/// The rows, those of one vector together, and a last line that counts.
fn text(rows: &[Row]) -> String {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    let place = |row: &Row| ALL.iter().position(|vector| vector.id == row.vector);
    sorted.sort_by_key(|row| place(row));
    let cells = |row: &&Row| {
        vec![
            row.vector.to_owned(),
            row.level.name().to_owned(),
            row.result
                .to_uppercase()
                .replace("HELD", "held")
                .replace("ALLOWED", "allowed")
                .replace("UNTRIED", "untried"),
            row.stopped_by.clone(),
            row.reported_as.clone(),
        ]
    };
    let body: Vec<Vec<String>> = sorted.iter().map(cells).collect();
    let count = |result: &str| rows.iter().filter(|row| row.result == result).count();
    let counts = ["held", "allowed", "untried", "leaked", "wrong"].map(|result| format!("{} {result}", count(result)));
    format!("{}\n{}\n", table(&["VECTOR", "LEVEL", "RESULT", "STOPPED BY", "REPORTED AS"], &body), counts.join(", "))
}

/// The part of a process that holds a session open: says so, and ends when its standard input does.
///
/// # Errors
/// If standard input cannot be read.
pub fn hold() -> anyhow::Result<()> {
    ui::line("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop).context("cannot read standard input")
}

/// The part of a process inside a session: makes the attempt `id` at the target that `json` is, and prints what it saw.
///
/// # Errors
/// If there is no such attempt.
pub fn attempt_inside(id: &str, json: &str) -> anyhow::Result<()> {
    let target: Target = serde_json::from_str(json).context("this role is not for people")?;
    let steps = attempt(id, &target).with_context(|| format!("there is no attempt `{id}`"))?;
    ui::line(&serde_json::to_string(&steps)?);
    Ok(())
}
