//! `agent bypass-test`: tries to get round sessions that it starts itself, in a host and an outside that it makes, as
//! whoever may run a command, and says what came of each attempt. Nothing leaves this machine.

mod arena;
mod control;
mod inside;
mod judge;
mod moments;
mod report;

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::arena::{Arena, DOMAIN, HOST};
use self::inside::Inside;
use self::judge::{Before, Verdict, judge};
use crate::bypass::{ALL, How, Level, Target, Vector, attempt, pester};
use crate::config::{self, invoker};
use crate::sandbox::link;
use crate::ui;

/// The user that plays the invoking one where that is root.
const STAND_IN: &str = "nobody";

/// What one attempt came to.
#[derive(Clone, Serialize)]
struct Row {
    vector: &'static str,
    what: &'static str,
    level: Level,
    /// `held`, `allowed`, `untried`, `leaked` or `wrong`; without a session `seen` or `wrong`.
    result: &'static str,
    /// What stopped it; for other results, what there is to say.
    stopped_by: String,
    /// How it shows.
    reported_as: String,
}

/// What is to be tested.
pub struct Choice<'a> {
    /// Only the attempt of this identity.
    pub only: Option<&'a str>,
    /// Outside of any session, where nothing stops an attempt: shows that the test would see one get through.
    pub control: bool,
    /// How the result is printed.
    pub format: Format,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As a table, for people.
    Text,
    /// As a JSON document.
    Json,
    /// As the table of docs/bypass.md.
    Markdown,
}

/// Makes the attempts and prints what came of them; false if something got through, or was not reported as it should be.
///
/// # Errors
/// If the test cannot be made.
pub fn bypass_test(choice: &Choice<'_>) -> anyhow::Result<bool> {
    config::require_root("bypass-test")?;
    let only = choice.only;
    let vectors: Vec<&Vector> = ALL.iter().filter(|vector| only.is_none_or(|id| id == vector.id)).collect();
    if let (true, Some(id)) = (vectors.is_empty(), only) {
        bail!("there is no attempt `{id}`; docs/bypass.md lists them, and so does the test without `--only`");
    }
    let arena = Arena::new()?;
    let mut rows = Vec::new();
    if choice.control {
        rows = control::without_session(&arena, &vectors)?;
    }
    for level in [Level::User, Level::Root, Level::NetAdmin, Level::Observe] {
        let of_level: Vec<&Vector> = vectors.iter().copied().filter(|vector| vector.levels.contains(&level)).collect();
        if !of_level.is_empty() && !choice.control {
            rows.extend(at_level(&arena, level, &of_level)?);
        }
    }
    match choice.format {
        Format::Json => super::sessions::print_json(&rows)?,
        Format::Text => ui::text_out(&report::text(&rows)),
        Format::Markdown => ui::text_out(&report::markdown(&rows)),
    }
    Ok(!rows.iter().any(Row::is_bad))
}

impl Row {
    /// Whether something got through, or was not reported as it should be.
    fn is_bad(&self) -> bool {
        ["leaked", "wrong"].contains(&self.result)
    }
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
    let target = target(arena, Some(inside), level, number);
    let expect = (vector.expect)(level);
    match vector.how {
        How::Inside(_) => {
            arena.watch.clear();
            let before = Before::of(arena, inside)?;
            let steps = inside.attempt(arena, vector.id, &target, user)?;
            judge(arena, inside, &before, &target, expect, &steps)
        }
        How::At(moment) => moments::try_at(arena, moment, &target, user),
    }
}

/// An address, a name and a token that no other attempt has.
fn target(arena: &Arena, inside: Option<&Inside>, level: Level, number: u16) -> Target {
    let unique = format!("{}-{}-{number}", std::process::id(), level.name());
    let v4 = address(level, number);
    Target {
        level,
        token: format!("token-{unique}."),
        v4,
        v6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, level as u16 + 1, number),
        name: format!("a-{}.{DOMAIN}", v4.to_string().replace('.', "-")),
        host: HOST,
        gateway: (link::GATEWAY4, link::GATEWAY6),
        child: (link::CHILD4, link::CHILD6),
        macs: (link::CHILD_MAC, link::GATEWAY_MAC),
        device: link::CHILD_LINK.into(),
        outsider: i32::try_from(std::process::id()).unwrap_or(1),
        agents: inside.map_or((0, 0), |inside| (inside.worker(), inside.facts.pid)),
        session: inside.map_or_else(String::new, |inside| inside.facts.name.clone()),
        capture: inside.and_then(|inside| inside.facts.capture.clone()),
        rules: inside.map(|inside| inside.rules.clone()),
        sockets: arena.sockets.clone(),
        abstract_socket: arena.abstract_socket.clone(),
        elevating: arena.elevating.clone(),
    }
}

/// Of the networks for documentation (RFC 5737), one for each level; the arena's own addresses are in none of the ranges.
fn address(level: Level, number: u16) -> Ipv4Addr {
    let low = u8::try_from(number).unwrap_or(u8::MAX);
    match level {
        Level::User => Ipv4Addr::new(192, 0, 2, low),
        Level::Root => Ipv4Addr::new(203, 0, 113, low.saturating_add(100)),
        Level::NetAdmin => Ipv4Addr::new(198, 51, 100, low.saturating_add(100)),
        Level::Observe => Ipv4Addr::new(192, 0, 2, 255 - low),
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

/// The part of a process that holds a session open: says so, and ends when its standard input does.
///
/// # Errors
/// If standard input cannot be read.
pub fn hold() -> anyhow::Result<()> {
    ui::line("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop).context("cannot read standard input")
}

/// The part of a process that tries without end, and ignores that it is asked to end: says how often it has tried.
///
/// # Errors
/// If this role was called by somebody else.
pub fn pester(json: &str) -> anyhow::Result<()> {
    let target: Target = serde_json::from_str(json).context("this role is not for people")?;
    pester::ignore_end();
    std::thread::spawn(|| {
        // Whoever started the session is gone.
        if std::io::stdin().read_to_end(&mut Vec::new()).is_ok() {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap_or_default();
        }
    });
    loop {
        ui::line(&pester::once(&target));
    }
}

/// The part of a command that leaves such a process behind, in a session of processes of its own.
///
/// # Errors
/// If it cannot be started.
pub fn leave(json: &str) -> anyhow::Result<()> {
    let mut left = inside::agent(&[crate::cli::PESTER, json]);
    left.process_group(0).spawn().map(drop).context("cannot leave a process behind")
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
