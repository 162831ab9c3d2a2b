//! Patterns as rules write them: a glob, or after `~` a regular expression. What `*` means depends on what it is compared
//! with: in a path it stops at `/`, in other text it does not. A glob fits the whole, an expression any part.

use std::fmt;
use std::str::FromStr;

use globset::GlobBuilder;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The largest compiled pattern, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// A pattern for text whose characters are all alike: values, names, methods.
pub type TextPattern = Pattern<false>;

/// A pattern for a path: `*` stays within a segment, `**` does not.
pub type PathPattern = Pattern<true>;

/// A glob, or an expression after `~`; in globs of `SEGMENTS` only `**` matches `/`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern<const SEGMENTS: bool> {
    source: String,
    regex: Regex,
}

/// Why a text is no pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is no glob.
    #[error("`{0}` is no pattern: {1}; write `~` before a regular expression")]
    Glob(String, String),
    /// What follows `~` is no regular expression.
    #[error("`{0}` has no regular expression after `~`: {1}")]
    Regex(String, String),
}

impl<const SEGMENTS: bool> Pattern<SEGMENTS> {
    /// Whether `text` fits.
    ///
    /// ```
    /// use agent::engine::policy::rules::pattern::{PathPattern, TextPattern};
    /// let path: PathPattern = "/v1/*".parse().unwrap();
    /// assert!(path.matches(b"/v1/charges") && !path.matches(b"/v1/charges/ch_1"));
    /// let text: TextPattern = "~^sk_(live|test)_".parse().unwrap();
    /// assert!(text.matches(b"sk_live_1"));
    /// ```
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The regular expression that it is compiled to.
    #[must_use]
    pub fn expression(&self) -> &str {
        self.regex.as_str()
    }

    fn glob(text: &str) -> Result<String, Invalid> {
        let glob = GlobBuilder::new(text).literal_separator(SEGMENTS).backslash_escape(true).build();
        let glob = glob.map_err(|error| Invalid::Glob(text.to_owned(), error.kind().to_string()))?;
        Ok(glob.regex().to_owned())
    }
}

impl<const SEGMENTS: bool> FromStr for Pattern<SEGMENTS> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expression = text.strip_prefix('~').map_or_else(|| Self::glob(text), |regex| Ok(regex.to_owned()))?;
        let regex = RegexBuilder::new(&expression).size_limit(MAX_COMPILED).build();
        let regex = regex.map_err(|error| Invalid::Regex(text.to_owned(), reason(&error)))?;
        Ok(Self { source: text.to_owned(), regex })
    }
}

/// What is wrong with an expression; where, its other lines draw.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

impl<const SEGMENTS: bool> TryFrom<String> for Pattern<SEGMENTS> {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl<const SEGMENTS: bool> From<Pattern<SEGMENTS>> for String {
    fn from(pattern: Pattern<SEGMENTS>) -> Self {
        pattern.source
    }
}

impl<const SEGMENTS: bool> fmt::Display for Pattern<SEGMENTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl<const SEGMENTS: bool> PartialEq for Pattern<SEGMENTS> {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_the_whole_and_expressions_a_part() {
        for (pattern, text, in_text, in_path) in [
            ("a", "a", true, true),
            ("a", "ab", false, false),
            ("*", "", true, true),
            ("a*", "a/b", true, false),
            ("/v1/*", "/v1/", true, true),
            ("/v1/*", "/v1/a/b", true, false),
            ("/v1/**", "/v1/a/b", true, true),
            ("/**/end", "/a/b/end", true, true),
            ("{get,head}", "head", true, true),
            ("v[12]", "v3", false, false),
            ("a?c", "abc", true, true),
            ("a.c", "abc", false, false),
            ("~b", "abc", true, true),
            ("~^b", "abc", false, false),
            ("~(?i)B", "abc", true, true),
        ] {
            let of = format!("{pattern} and {text}");
            assert_eq!(pattern.parse::<TextPattern>().unwrap().matches(text.as_bytes()), in_text, "{of}");
            assert_eq!(pattern.parse::<PathPattern>().unwrap().matches(text.as_bytes()), in_path, "{of}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_named_with_what_is_wrong() {
        for (pattern, expect) in [
            ("a[", "`a[` is no pattern: unclosed character class; missing ']'"),
            ("{a", "`{a` is no pattern: unclosed alternate group"),
            ("~(", "`~(` has no regular expression after `~`: unclosed group"),
            ("~a{1000000}", "`~a{1000000}` has no regular expression after `~`: Compiled regex exceeds size limit"),
        ] {
            let error = pattern.parse::<TextPattern>().unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        }
    }
}
