//! What is settled before a request goes on: whether somebody allows it, and whether it is within its limits.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

use crate::engine::edit::Transform;
use crate::engine::event::{Event, ExchangeId};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Reply, RequestHead, values};
use crate::engine::policy::meter::{Applied, Entry, Meter};
use crate::engine::policy::rules::amount::Bytes;
use crate::engine::policy::rules::redirect::Redirect;
use crate::engine::policy::{Judgement, Permit, Question, Verdict};
use crate::proxy::connection::{Connection, Judged, judged};

/// How long a request may wait for its limits; after that it is refused.
const LONGEST: Duration = Duration::from_secs(60);
/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// What becomes of a request.
pub(super) enum Settled {
    /// It goes on, to another server if one is named.
    Forward(Permit, Option<Redirect>),
    /// It is answered with why it does not.
    Refuse(Reply),
    /// It is answered as if by the server.
    Mock(Reply),
}

/// The limits that an exchange counts against, until it is over.
pub(super) struct Limited {
    meter: Arc<Mutex<Meter>>,
    applied: Vec<Applied>,
    /// How much of the request has come.
    uploaded: Mutex<u64>,
}

impl Limited {
    /// How long the next bytes are to wait when these have passed.
    ///
    /// # Errors
    /// If the request is larger than it may be.
    pub(super) fn pace(&self, direction: Direction, bytes: usize) -> Result<Duration, TooLarge> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if direction == Direction::Request {
            let mut uploaded = self.uploaded.lock().unwrap_or_else(PoisonError::into_inner);
            *uploaded = uploaded.saturating_add(bytes);
            if self.most().is_some_and(|most| *uploaded > most) {
                return Err(TooLarge);
            }
        }
        Ok(self.meter().spend(&self.applied, direction, bytes, Instant::now()))
    }

    /// Bytes that a request may have, if that is limited.
    fn most(&self) -> Option<u64> {
        self.applied.iter().filter_map(|applied| applied.limit.upload).map(Bytes::count).min()
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.meter().leave(&self.applied);
    }
}

/// A request is larger than it may be.
#[derive(Debug, thiserror::Error)]
#[error("the request is larger than a rule lets pass")]
pub(super) struct TooLarge;

/// Settles what is to become of a request, and what it counts against.
pub(super) async fn settle(
    connection: &Arc<Connection>,
    exchange: ExchangeId,
    head: &RequestHead,
    judged: &mut Judged,
) -> (Settled, Option<Limited>) {
    let taken = std::mem::replace(&mut judged.verdict, Verdict::Refuse(Reply::default()));
    let verdict = match taken {
        Verdict::Ask(question) => ask(connection, exchange, head, judged, question).await,
        verdict => verdict,
    };
    let settled = match verdict {
        Verdict::Forward(permit) => Settled::Forward(permit, None),
        Verdict::Redirect(permit, redirect) => Settled::Forward(permit, Some(redirect)),
        Verdict::Mock(reply) => Settled::Mock(reply),
        Verdict::Refuse(reply) => return (Settled::Refuse(reply), None),
        // They were answered and read before.
        Verdict::Ask(_) | Verdict::Read => return (Settled::Refuse(Reply::default()), None),
    };
    if !judged.works {
        return (settled, None);
    }
    let applied = judged.policy.limits(head, connection.facts(Some(head.host())));
    if applied.is_empty() {
        return (settled, None);
    }
    match admit(connection, exchange, head, judged, applied).await {
        Ok(limited) => (settled, Some(limited)),
        Err(reply) => (Settled::Refuse(reply), None),
    }
}

/// Most bytes of a body that is read to be judged.
pub(super) const MAX_JUDGED: usize = 1 << 20;
/// What is said of one that has more.
pub(super) const TOO_LARGE: &str = "it is larger than 1 MiB";

/// Judges a request by its body, `raw` as it came.
pub(super) fn judge_read(
    connection: &Connection,
    exchange: ExchangeId,
    head: &mut RequestHead,
    of: &Judged,
    raw: Result<&[u8], &str>,
) -> Judged {
    let decoded = raw.map_err(str::to_owned).and_then(|raw| {
        let mut plain = Transform::new(Direction::Request, &head.fields, None, None, Vec::new());
        let mut decoded = Vec::new();
        let done = plain.push(raw, &mut decoded).and_then(|()| plain.end(&mut decoded));
        done.map(|()| decoded).map_err(|error| error.to_string())
    });
    match decoded {
        Ok(decoded) => {
            head.content = Some(decoded.into());
            connection.judge_read(exchange, head, &of.policy)
        }
        Err(why) => {
            let judgement = of.policy.unjudged(head, connection.facts(Some(head.host())), &why);
            let verdict = report(connection, exchange, head, of, judgement);
            Judged { policy: Arc::clone(&of.policy), verdict, rule: None, works: false }
        }
    }
}

/// Asks somebody, and tells what came of it.
async fn ask(
    connection: &Arc<Connection>,
    exchange: ExchangeId,
    head: &RequestHead,
    of: &Judged,
    question: Question,
) -> Verdict {
    let (rule, request) = (of.rule.clone().unwrap_or_default(), format!("{} {}", head.method, head.url()));
    let yes = connection.ask(rule, question.host, request, question.ask).await;
    let judgement = of.policy.answered(head, connection.facts(Some(head.host())), of.rule.clone(), yes);
    report(connection, exchange, head, of, judgement)
}

/// Lets a request in when its limits do.
async fn admit(
    connection: &Arc<Connection>,
    exchange: ExchangeId,
    head: &RequestHead,
    of: &Judged,
    applied: Vec<Applied>,
) -> Result<Limited, Reply> {
    let refuse = |applied: Option<&Applied>, after: Option<Duration>, too_large: bool| {
        let rule = applied.map(|applied| applied.key.0.as_str()).unwrap_or_default();
        let judgement = of.policy.over_limit(head, connection.facts(Some(head.host())), rule, after, too_large);
        match report(connection, exchange, head, of, judgement) {
            Verdict::Refuse(reply) => reply,
            _ => Reply::default(),
        }
    };
    let length = values(&head.fields, "content-length").next();
    let length = length.and_then(|length| std::str::from_utf8(length).ok()?.parse::<u64>().ok()).unwrap_or_default();
    let is_too_large = |applied: &&Applied| applied.limit.upload.is_some_and(|most| length > most.count());
    if let Some(limit) = applied.iter().find(is_too_large) {
        return Err(refuse(Some(limit), None, true));
    }
    let begun = Instant::now();
    loop {
        let entry = connection.proxy.meter().enter(&applied, Instant::now(), today());
        match entry {
            Entry::Go => break,
            Entry::Wait(after) if begun.elapsed() + after <= LONGEST => sleep(after).await,
            Entry::Wait(after) => return Err(refuse(applied.first(), Some(after), false)),
            Entry::Refuse(number, after) => return Err(refuse(applied.get(number), after, false)),
        }
    }
    let meter = Arc::clone(&connection.proxy.meter);
    let limited = Limited { meter, applied, uploaded: Mutex::default() };
    let delay: Duration = limited.applied.iter().map(|applied| applied.limit.delay(chance())).sum();
    sleep(delay).await;
    let held = begun.elapsed();
    if held >= Duration::from_millis(1) {
        let held_ms = u64::try_from(held.as_millis()).unwrap_or(u64::MAX);
        connection.emit(Event::ExchangeHeld { exchange, held_ms });
    }
    Ok(limited)
}

/// Reports a judgement; its verdict.
fn report(
    connection: &Connection,
    exchange: ExchangeId,
    head: &RequestHead,
    of: &Judged,
    judgement: Judgement,
) -> Verdict {
    connection.account(exchange, head, &of.policy, &judgement);
    if let Some(event) = judged(exchange, &judgement) {
        connection.emit(event);
    }
    judgement.verdict
}

fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY
}

/// A number below one. Nothing depends on its being hard to guess.
fn chance() -> f64 {
    let drawn = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(drawn >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
