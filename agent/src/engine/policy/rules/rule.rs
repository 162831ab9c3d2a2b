//! One rule: what it is about and what it says.

use std::fmt;
use std::path::PathBuf;

use http::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as Derive, Serialize};

use super::ask::{Ask, Choice};
use super::limit::Limit;
use super::matcher::{Match, Needed};
use super::mock::Mock;
use super::redirect::Redirect;
use super::subject::{Certainty, ConnFacts, Subject};
use crate::engine::edit::{RequestEdits, ResponseEdits};
use crate::engine::script::Script;

/// A rule, as the file writes it.
#[derive(Clone, Debug, PartialEq, Derive, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What output calls it; without one, its number.
    pub name: Option<String>,
    /// What it is about; everything, if nothing is said.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// What it is not about all the same.
    pub except: Option<Match>,
    /// What becomes of it; nothing is decided if nothing is said.
    pub verdict: Option<Verdict>,
    /// What of the request is changed.
    #[serde(default, skip_serializing_if = "RequestEdits::is_empty")]
    pub request: RequestEdits,
    /// What of the response is changed.
    #[serde(default, skip_serializing_if = "ResponseEdits::is_empty")]
    pub response: ResponseEdits,
    /// How much of it passes.
    pub limit: Option<Limit>,
    /// The file of a script that is asked about it and changes it.
    pub script: Option<PathBuf>,
    /// What becomes of what the script fails at.
    #[serde(default)]
    pub on_error: Choice,
    /// The script, for who cannot read the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<Box<Script>>,
}

/// Why a table is no rule.
#[derive(Debug, thiserror::Error)]
pub enum NoRule {
    /// It says nothing.
    #[error(
        "a rule that does nothing: give it a `verdict`, or say what it changes in `request` or `response`, a `limit` or a `script`"
    )]
    Idle,
    /// It decides by what is not known yet.
    #[error("a `verdict` cannot wait for a `status`: leave one of them out")]
    Late,
}

impl Rule {
    /// Whether it says something that can be done.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), NoRule> {
        if self.verdict.is_none() && !self.changes() {
            return Err(NoRule::Idle);
        }
        let is_late = self.matches.is_late() || self.except.as_ref().is_some_and(Match::is_late);
        let is_early =
            self.verdict.is_some() || !self.request.is_empty() || self.limit.is_some() || self.script.is_some();
        if is_late && is_early { Err(NoRule::Late) } else { Ok(()) }
    }

    /// How many must fit of what a request has several of.
    #[must_use]
    pub const fn needed(&self) -> Needed {
        match self.verdict {
            Some(Verdict::Allow | Verdict::Passthrough) => Needed::All,
            _ => Needed::One,
        }
    }

    /// Whether it is about this.
    #[must_use]
    pub fn is_about(&self, subject: &Subject<'_>) -> bool {
        let needed = self.needed();
        let is_excepted = |except: &Match| except.holds(subject, needed.of_exceptions());
        self.matches.holds(subject, needed) && !self.except.as_ref().is_some_and(is_excepted)
    }

    /// Whether it is about this, or will be when there is a response.
    #[must_use]
    pub fn may_be_about(&self, subject: &Subject<'_>) -> bool {
        let is_known = |except: &&Match| !except.is_late() && !except.needs_body();
        let needed = self.needed();
        let holds = |except: &Match| except.holds(subject, needed.of_exceptions());
        self.matches.may_hold(subject, needed) && !self.except.as_ref().filter(is_known).is_some_and(holds)
    }

    /// Whether it is about all that may come, as far as host and connection are known.
    #[must_use]
    pub fn is_about_all(&self, host: Option<&str>, connection: Option<ConnFacts<'_>>) -> Certainty {
        let excepted = self.except.as_ref().map_or(Certainty::No, |except| except.foresee(host, connection));
        self.matches.foresee(host, connection).and(excepted.not())
    }

    /// Whether it says something that only who ends HTTP can do.
    #[must_use]
    pub fn works(&self) -> bool {
        let works = !matches!(self.verdict, None | Some(Verdict::Allow | Verdict::Block(_) | Verdict::Passthrough));
        works || self.changes() || self.needs_body()
    }

    /// Whether it looks at bodies.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        self.matches.needs_body() || self.except.as_ref().is_some_and(Match::needs_body)
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn changes(&self) -> bool {
        !self.request.is_empty() || !self.response.is_empty() || self.limit.is_some() || self.script.is_some()
    }
}

/// What becomes of a request: a word, or a table with the word as its only key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It goes on.
    Allow,
    /// It is answered in place of the server.
    Block(Block),
    /// It is answered as if by the server.
    Mock(Box<Mock>),
    /// It goes to another server.
    Redirect(Redirect),
    /// Somebody is asked.
    Ask(Ask),
    /// The connection that it would come on is forwarded unread.
    Passthrough,
}

/// How a request is refused.
#[derive(Clone, Debug, Default, PartialEq, Derive, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Status of the answer; 403 if nothing is said.
    pub status: Option<Status>,
    /// Why, for the answer, the log and the capture.
    pub reason: Option<String>,
    /// What whoever asked might do instead.
    pub suggestion: Option<String>,
    /// The whole body, in place of the JSON object that says why.
    pub body: Option<String>,
    /// Media type of such a body; `text/plain` if nothing is said.
    pub content_type: Option<MediaType>,
}

/// The status of a final answer: 200 to 599 (RFC 9110 section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Derive, Serialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Status(StatusCode);

impl Status {
    /// The status.
    #[must_use]
    pub const fn code(self) -> StatusCode {
        self.0
    }
}

/// The number is no status of a final answer.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no status of an answer: write one from 200 to 599")]
pub struct NoStatus(u16);

impl TryFrom<u16> for Status {
    type Error = NoStatus;

    fn try_from(number: u16) -> Result<Self, NoStatus> {
        let status = StatusCode::from_u16(number).ok().filter(|_| (200..600).contains(&number));
        status.map(Self).ok_or(NoStatus(number))
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.0.as_u16()
    }
}

/// A media type, as it may stand in a header.
#[derive(Clone, Debug, PartialEq, Eq, Derive, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

impl MediaType {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no media type.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no media type: write one as `text/html`", .0.escape_debug())]
pub struct NoMediaType(String);

impl TryFrom<String> for MediaType {
    type Error = NoMediaType;

    fn try_from(text: String) -> Result<Self, NoMediaType> {
        let is_field = http::HeaderValue::from_str(&text).is_ok() && text.contains('/');
        if is_field { Ok(Self(text)) } else { Err(NoMediaType(text)) }
    }
}

impl From<MediaType> for String {
    fn from(media: MediaType) -> Self {
        media.0
    }
}

impl Verdict {
    /// The word.
    #[must_use]
    pub const fn word(&self) -> Word {
        match self {
            Self::Allow => Word::Allow,
            Self::Block(_) => Word::Block,
            Self::Mock(_) => Word::Mock,
            Self::Redirect(_) => Word::Redirect,
            Self::Ask(_) => Word::Ask,
            Self::Passthrough => Word::Passthrough,
        }
    }
}

/// A verdict, as one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Derive, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The request goes on.
    #[default]
    Allow,
    /// It is answered in the server's place, with why.
    Block,
    /// It is answered in the server's place, as if by it.
    Mock,
    /// It goes to another server.
    Redirect,
    /// Somebody is asked.
    Ask,
    /// It is not looked at.
    Passthrough,
}

impl Word {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Mock => "mock",
            Self::Redirect => "redirect",
            Self::Ask => "ask",
            Self::Passthrough => "passthrough",
        }
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable)
    }
}

/// Reads `"block"` as well as `{ block = { … } }`.
struct WordOrTable;

/// The verdicts that have more to say.
#[derive(Derive)]
#[serde(rename_all = "lowercase")]
enum Table {
    Block(Block),
    Mock(Box<Mock>),
    Redirect(Redirect),
    Ask(Ask),
}

impl<'de> Visitor<'de> for WordOrTable {
    type Value = Verdict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"allow\", \"block\", \"ask\", \"passthrough\", or a table such as { block = { reason = \"…\" } }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Verdict, E> {
        match word {
            "allow" => Ok(Verdict::Allow),
            "block" => Ok(Verdict::Block(Block::default())),
            "ask" => Ok(Verdict::Ask(Ask::default())),
            "passthrough" => Ok(Verdict::Passthrough),
            _ => Err(E::unknown_variant(word, &["allow", "block", "ask", "passthrough"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Verdict, A::Error> {
        match Table::deserialize(MapAccessDeserializer::new(map))? {
            Table::Block(block) => Ok(Verdict::Block(block)),
            Table::Mock(mock) => Ok(Verdict::Mock(mock)),
            Table::Redirect(redirect) => Ok(Verdict::Redirect(redirect)),
            Table::Ask(ask) => Ok(Verdict::Ask(ask)),
        }
    }
}
