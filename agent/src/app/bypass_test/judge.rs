//! What came of an attempt: judged by what was seen outside, by what the session reported, and last by what the process
//! that tried saw.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::arena::Arena;
use super::inside::Inside;
use crate::bypass::{Expect, Step, Target, Tried};
use crate::engine::stats::Snapshot;

/// How long a report may take to appear.
const PATIENCE: Duration = Duration::from_secs(3);

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing got through, and what has to be reported was.
    Held {
        /// What stopped it.
        by: String,
        /// How it shows.
        reported: String,
    },
    /// It is allowed on purpose.
    Allowed(String),
    /// This machine cannot try it.
    Untried(String),
    /// Something got through.
    Leaked(String),
    /// Nothing got through, but not as it should be, or it was not reported as it should be.
    Wrong(String),
}

/// What was known before the attempt.
pub(super) struct Before {
    counters: Snapshot,
    events: usize,
    host_heard: usize,
}

impl Before {
    pub(super) fn of(arena: &Arena, inside: &Inside) -> anyhow::Result<Self> {
        let (counters, events) = (inside.counters()?, inside.events().len());
        Ok(Self { counters, events, host_heard: arena.host_heard.len() })
    }
}

/// Judges an attempt.
///
/// # Errors
/// If something that is to be looked at cannot be.
pub(super) fn judge(
    arena: &Arena,
    inside: &Inside,
    before: &Before,
    target: &Target,
    expect: Expect,
    steps: &[Step],
) -> anyhow::Result<Verdict> {
    arena.settle()?;
    if let Some(leak) = leak(arena, before, target, expect) {
        return Ok(Verdict::Leaked(leak));
    }
    if let Some(absent) = all_absent(steps) {
        return Ok(Verdict::Untried(absent));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let verdict = weigh(inside, before, target, expect, steps)?;
        if !matches!(verdict, Verdict::Wrong(_)) || Instant::now() > deadline {
            return Ok(verdict);
        }
        // The worker writes its log when it comes to it.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whatever was seen where it must not be.
fn leak(arena: &Arena, before: &Before, target: &Target, expect: Expect) -> Option<String> {
    let on_host = arena.host_heard.since(before.host_heard);
    if let Some(heard) = on_host.first() {
        return Some(format!("the host heard it at {}", heard.at));
    }
    match expect {
        Expect::Intercepted | Expect::Allowed { .. } => None,
        // The query goes to the host's resolver and nowhere else.
        Expect::Forwarder => seen_outside(arena, target, ""),
        Expect::Kernel(_) | Expect::Worker(_) | Expect::Call { .. } | Expect::Harmless(_) => {
            seen_outside(arena, target, &target.token)
        }
    }
}

/// What bears the text or names the target.
pub(super) fn seen_outside(arena: &Arena, target: &Target, text: &str) -> Option<String> {
    let heard = arena.outside_heard.of(text, &[format!(" {}:", target.v4), format!(" [{}]:", target.v6)]);
    if let Some(heard) = heard.first() {
        return Some(format!("the outside heard it at {}", heard.at));
    }
    match arena.watch.count(text, target.v4, target.v6) {
        0 => None,
        frames => Some(format!("{frames} frames of it were seen outside")),
    }
}

fn all_absent(steps: &[Step]) -> Option<String> {
    let absent = |step: &Step| match &step.tried {
        Tried::Absent(why) => Some(format!("{}: {why}", step.what)),
        Tried::Done(_) | Tried::Refused(_) => None,
    };
    let all: Option<Vec<String>> = steps.iter().map(absent).collect();
    all.map(|all| all.join("; "))
}

fn weigh(inside: &Inside, before: &Before, target: &Target, expect: Expect, steps: &[Step]) -> anyhow::Result<Verdict> {
    let tried = || steps.iter().filter(|step| !matches!(step.tried, Tried::Absent(_)));
    Ok(match expect {
        Expect::Kernel(reason) => {
            let refused = refused(&inside.counters()?, reason.name()) - refused(&before.counters, reason.name());
            let wanted = u64::try_from(tried().count()).unwrap_or(u64::MAX);
            let events = inside.events();
            let named = events.iter().skip(before.events).any(|event| is_about(event, reason.name(), target));
            match (refused >= wanted, named) {
                (true, true) => held("client_in", &format!("attempt_blocked: {}", reason.name())),
                (false, _) => {
                    Verdict::Wrong(format!("{refused} packets refused as `{}`: {}", reason.name(), saw(steps)))
                }
                (true, false) => Verdict::Wrong(format!("no event `attempt_blocked` with `{}`", reason.name())),
            }
        }
        Expect::Worker(event) => match reported(inside, before, event, target) {
            true => held("worker", event),
            false => Verdict::Wrong(format!("no event `{event}`: {}", saw(steps))),
        },
        Expect::Call { by, errors } => {
            let is_expected =
                |step: &&Step| matches!(&step.tried, Tried::Refused(error) if errors.contains(&error.as_str()));
            match tried().find(|step| !is_expected(step)) {
                None => held(by, &format!("to the program: {}", errors.join(", "))),
                Some(Step { what, tried: Tried::Done(_) }) => Verdict::Leaked(format!("{what}: it can be done")),
                Some(step) => Verdict::Wrong(saw(std::slice::from_ref(step))),
            }
        }
        Expect::Intercepted => match reported(inside, before, "exchange_started", target) {
            true => held("proxy", "exchange_started"),
            false => Verdict::Wrong(format!("no event `exchange_started`: {}", saw(steps))),
        },
        Expect::Forwarder => match reported(inside, before, "dns_answered", target) {
            true => held("forwarder", "dns_answered"),
            false => Verdict::Wrong(format!("no event `dns_answered`: {}", saw(steps))),
        },
        Expect::Harmless(why) => held(why, "-"),
        Expect::Allowed { close } => Verdict::Allowed(close.into()),
    })
}

fn held(by: &str, reported: &str) -> Verdict {
    Verdict::Held { by: by.into(), reported: reported.into() }
}

/// What the process saw, for a reader.
fn saw(steps: &[Step]) -> String {
    let one = |step: &Step| match &step.tried {
        Tried::Done(seen) if seen.is_empty() => format!("{}: done", step.what),
        Tried::Done(seen) => format!("{}: {seen}", step.what),
        Tried::Refused(error) => format!("{}: {error}", step.what),
        Tried::Absent(why) => format!("{}: {why}", step.what),
    };
    steps.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn refused(counters: &Snapshot, reason: &str) -> u64 {
    counters.drops.iter().filter(|drops| drops.reason == reason).map(|drops| drops.total.packets).sum()
}

/// Whether an event tells of a refusal for this reason on the way to the target, or to nowhere, if the frame did not say.
fn is_about(event: &Value, reason: &str, target: &Target) -> bool {
    let dst: Option<std::net::SocketAddr> = event["dst"].as_str().and_then(|dst| dst.parse().ok());
    let meant = dst.is_some_and(|dst| {
        let own = [target.gateway.0.into(), target.gateway.1.into()];
        dst.ip() == target.v4
            || dst.ip() == target.v6
            || own.contains(&dst.ip())
            || dst.ip().is_unspecified()
            || crate::engine::policy::destination::forbidden(dst.ip()).is_some()
    });
    event["event"] == "attempt_blocked" && event["reason"] == reason && meant
}

/// Whether the session has reported such an event since, about the target where events name one.
fn reported(inside: &Inside, before: &Before, name: &str, target: &Target) -> bool {
    let events = inside.events();
    let marks = [target.token.clone(), target.name.clone(), target.v4.to_string(), target.v6.to_string()];
    let mut since = events.iter().skip(before.events).filter(|event| event["event"] == name);
    // Events of a connection bear its number; that of its acceptance bears the address.
    let about = |event: &Value| {
        let text = event.to_string();
        marks.iter().any(|mark| text.contains(mark.as_str()))
    };
    let connections: Vec<&Value> =
        events.iter().skip(before.events).filter(|event| about(event)).map(|event| &event["connection"]).collect();
    since.any(|event| about(event) || !event["connection"].is_null() && connections.contains(&&event["connection"]))
}
