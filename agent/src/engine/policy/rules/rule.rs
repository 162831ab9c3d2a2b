//! One rule: what it is about and what it says.

use std::fmt;

use http::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as Derive, Serialize};

use super::matcher::Match;
use super::subject::Subject;

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
    /// What becomes of it.
    pub verdict: Verdict,
}

impl Rule {
    /// Whether it is about this.
    #[must_use]
    pub fn is_about(&self, subject: &Subject<'_>) -> bool {
        self.matches.holds(subject) && !self.except.as_ref().is_some_and(|except| except.holds(subject))
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
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block(_) => "block",
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
}

impl<'de> Visitor<'de> for WordOrTable {
    type Value = Verdict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"allow\", \"block\", or a table such as { block = { reason = \"…\" } }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Verdict, E> {
        match word {
            "allow" => Ok(Verdict::Allow),
            "block" => Ok(Verdict::Block(Block::default())),
            _ => Err(E::unknown_variant(word, &["allow", "block"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Verdict, A::Error> {
        match Table::deserialize(MapAccessDeserializer::new(map))? {
            Table::Block(block) => Ok(Verdict::Block(block)),
        }
    }
}
