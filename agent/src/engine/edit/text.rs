//! What rules replace in text.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::Failed;

/// The largest compiled expression, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// What fits an expression, and what comes in its place; `$1` and `$name` stand for groups.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub(super) struct Replace {
    pattern: Regex,
    with: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pattern: String,
    with: String,
}

/// The pattern is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no regular expression: {1}")]
pub(super) struct NoExpression(String, String);

impl TryFrom<Written> for Replace {
    type Error = NoExpression;

    fn try_from(Written { pattern, with }: Written) -> Result<Self, NoExpression> {
        match RegexBuilder::new(&pattern).size_limit(MAX_COMPILED).build() {
            Ok(pattern) => Ok(Self { pattern, with }),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                Err(NoExpression(pattern, last.trim_start_matches("error: ").to_owned()))
            }
        }
    }
}

impl From<Replace> for Written {
    fn from(replace: Replace) -> Self {
        Self { pattern: replace.pattern.as_str().to_owned(), with: replace.with }
    }
}

impl PartialEq for Replace {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.as_str() == other.pattern.as_str() && self.with == other.with
    }
}

impl Replace {
    /// `content` with everything replaced that fits.
    #[must_use]
    pub(super) fn apply<'a>(&self, content: &'a [u8]) -> Cow<'a, [u8]> {
        self.pattern.replace_all(content, self.with.as_bytes())
    }

    /// The same for text.
    ///
    /// # Errors
    /// If what comes of it is none.
    pub(super) fn in_text(&self, text: &str) -> Result<String, Failed> {
        let replaced = self.apply(text.as_bytes()).into_owned();
        String::from_utf8(replaced).map_err(|_invalid| Failed::new("what was replaced is no text any more"))
    }
}
