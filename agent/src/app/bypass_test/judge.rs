//! What came of an attempt: judged by what was seen outside, by what the session reported, and last by what the process
//! that tried saw.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::arena::Arena;
use super::inside::Inside;
use crate::bypass::{Expect, Step, Target, Tried};
use crate::engine::stats::Snapshot;

/// How long a report may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);
/// As many steps as a reader is shown.
const MOST: usize = 12;

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
    if matches!(expect, Expect::Allowed { .. }) {
        return None;
    }
    let on_host = arena.host_heard.since(before.host_heard);
    if let Some(heard) = on_host.first() {
        return Some(format!("the host heard it at {}", heard.at));
    }
    // The query goes to the host's resolver and nowhere else.
    if expect == Expect::Forwarder {
        return seen_outside(arena, target, "", true);
    }
    let (may_pass, may_dial) = passes(expect);
    if may_pass {
        return None;
    }
    // The worker speaks to a server before it knows what the child will say.
    seen_outside(arena, target, &target.token, !may_dial)
}

/// What bears the text, or, if that counts, names the target.
pub(super) fn seen_outside(arena: &Arena, target: &Target, text: &str, addressed: bool) -> Option<String> {
    let addresses = [format!(" {}:", target.v4), format!(" [{}]:", target.v6)];
    let heard = arena.outside_heard.of(text, if addressed { &addresses } else { &[] });
    if let Some(heard) = heard.first() {
        return Some(format!("the outside heard it at {}", heard.at));
    }
    if !addressed {
        return None;
    }
    match arena.watch.count(text, target.v4, target.v6) {
        0 => None,
        frames => Some(format!("{frames} frames of it were seen outside")),
    }
}

/// Whether what was tried may be heard outside, and whether the worker may have dialled for it.
fn passes(expect: Expect) -> (bool, bool) {
    match expect {
        Expect::Intercepted | Expect::Forwarder | Expect::Allowed { .. } => (true, true),
        Expect::Worker(_) => (false, true),
        Expect::Kernel(_) | Expect::Call { .. } | Expect::Harmless(_) => (false, false),
        Expect::Any(all) => {
            all.iter().map(|one| passes(*one)).fold((false, false), |sum, one| (sum.0 || one.0, sum.1 || one.1))
        }
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
        Expect::Call { by, errors } => {
            let is_expected =
                |step: &&Step| matches!(&step.tried, Tried::Refused(error) if errors.contains(&error.as_str()));
            match tried().find(|step| !is_expected(step)) {
                None => held(by, &to_program(errors)),
                Some(Step { what, tried: Tried::Done(seen) }) => {
                    Verdict::Leaked(format!("{what}: it can be done {seen}"))
                }
                Some(step) => Verdict::Wrong(saw(std::slice::from_ref(step))),
            }
        }
        Expect::Worker(_) | Expect::Intercepted | Expect::Forwarder => {
            let (by, count, event) = accounts(inside, before, target, expect, steps);
            match count >= tried().count() {
                true => held(by, &event),
                false => Verdict::Wrong(format!("{count} events `{event}`: {}", saw(steps))),
            }
        }
        Expect::Harmless(why) => held(why, "-"),
        Expect::Allowed { close } => Verdict::Allowed(close.into()),
        Expect::Any(all) => any(inside, before, target, all, steps),
    })
}

/// Who answers for what came of an attempt, in how many of its steps, and how it shows.
fn accounts(
    inside: &Inside,
    before: &Before,
    target: &Target,
    expect: Expect,
    steps: &[Step],
) -> (&'static str, usize, String) {
    let event = |by: &'static str, event: &str| (by, reported(inside, before, event, target, steps), event.to_owned());
    match expect {
        Expect::Worker(name) => event("worker", name),
        Expect::Intercepted => event("proxy", "exchange_started"),
        Expect::Forwarder => event("forwarder", "dns_answered"),
        Expect::Call { by, errors } => {
            let is_expected =
                |step: &&Step| matches!(&step.tried, Tried::Refused(error) if errors.contains(&error.as_str()));
            (by, steps.iter().filter(is_expected).count(), to_program(errors))
        }
        Expect::Harmless(why) => {
            (why, steps.iter().filter(|step| matches!(step.tried, Tried::Done(_))).count(), "-".into())
        }
        Expect::Kernel(_) | Expect::Allowed { .. } | Expect::Any(_) => ("nothing", 0, String::new()),
    }
}

/// Every step that was tried has to be accounted for.
fn any(inside: &Inside, before: &Before, target: &Target, all: &[Expect], steps: &[Step]) -> Verdict {
    let tried = steps.iter().filter(|step| !matches!(step.tried, Tried::Absent(_))).count();
    let all: Vec<_> = all.iter().map(|expect| accounts(inside, before, target, *expect, steps)).collect();
    if all.iter().map(|(_, count, _)| count).sum::<usize>() < tried {
        return Verdict::Wrong(saw(steps));
    }
    let mut by: Vec<&str> = all.iter().map(|(by, ..)| *by).collect();
    by.dedup();
    let how: Vec<&str> = all.iter().map(|(_, _, how)| how.as_str()).collect();
    held(&by.join("; "), &how.join("; "))
}

fn to_program(errors: &[&str]) -> String {
    format!("to the program: {}", errors.join(", "))
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
    let more = if steps.len() > MOST { "; …" } else { "" };
    steps.iter().take(MOST).map(one).collect::<Vec<_>>().join("; ") + more
}

fn refused(counters: &Snapshot, reason: &str) -> u64 {
    counters.drops.iter().filter(|drops| drops.reason == reason).map(|drops| drops.total.packets).sum()
}

/// Whether an event tells of a refusal for this reason on the way to the target, or to nowhere, if the frame did not say.
fn is_about(event: &Value, reason: &str, target: &Target) -> bool {
    let dst: Option<std::net::SocketAddr> = event["dst"].as_str().and_then(|dst| dst.parse().ok());
    let meant = dst.is_some_and(|dst| {
        let own = [target.gateway.0.into(), target.gateway.1.into(), target.host.into()];
        dst.ip() == target.v4
            || dst.ip() == target.v6
            || own.contains(&dst.ip())
            || dst.ip().is_unspecified()
            || crate::engine::policy::destination::forbidden(dst.ip()).is_some()
    });
    event["event"] == "attempt_blocked" && event["reason"] == reason && meant
}

/// How many such events the session has reported since, about the target or an address that a step names.
fn reported(inside: &Inside, before: &Before, name: &str, target: &Target, steps: &[Step]) -> usize {
    let events: Vec<Value> = inside.events().into_iter().skip(before.events).collect();
    let marks = [target.token.clone(), target.name.clone(), target.v4.to_string(), target.v6.to_string()];
    let is_named = |address: &Value| {
        let address = address.as_str().and_then(|address| address.parse::<std::net::SocketAddr>().ok());
        address.is_some_and(|address| steps.iter().any(|step| step.what.contains(&address.to_string())))
    };
    let is_about = |event: &&Value| {
        let text = event.to_string();
        marks.iter().any(|mark| text.contains(mark.as_str())) || is_named(&event["orig_dst"]) || is_named(&event["dst"])
    };
    // Events of a connection bear its number; that of its acceptance bears the address. The same with exchanges.
    let about: Vec<&Value> = events.iter().filter(is_about).collect();
    let belongs = |event: &&Value| {
        ["connection", "exchange"]
            .iter()
            .any(|id| !event[*id].is_null() && about.iter().any(|other| other[*id] == event[*id]))
    };
    events.iter().filter(|event| event["event"] == name).filter(|event| is_about(event) || belongs(event)).count()
}
