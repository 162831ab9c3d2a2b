//! Credentials, covered before anything is stored: each byte of one becomes `*`, so that lengths and places stay. What
//! is known is covered: fields that carry credentials, values by their names, and keys by their shapes.

mod names;
mod shapes;

use std::ops::Range;

use bytes::Bytes;
use regex::bytes::{Captures, Regex};

use self::names::{FIELD_ENDINGS, FIELDS, PARAMETERS, URLS, USUAL};
use self::shapes::Shapes;
use crate::engine::http::Field;

/// Most bytes of one secret, with the name that it has, in a text that comes in pieces. Of a longer one the rest may be
/// missed when it comes in a later piece.
pub const LONGEST: usize = 8 * 1024;
/// Most bytes that [`Masks::settle`] leaves for later.
pub const MAX_HELD: usize = 4 * LONGEST;
/// Most bytes of a name.
pub const LONGEST_NAME: usize = 128;
/// What covers.
const COVER: u8 = b'*';

/// Why there is nothing to mask by.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No field can have this name.
    #[error(
        "`{0}` names no field; give names of 1 to {LONGEST_NAME} bytes without quotes, backslashes or control characters"
    )]
    Name(String),
    /// There are more names than can be looked for.
    #[error("too many names of fields to mask; give fewer")]
    TooMany(#[from] regex::Error),
}

/// What is masked.
pub struct Masks {
    shapes: Shapes,
    /// A name in quotes, perhaps escaped ones, and what comes before its value. Group 1: the backslashes before the quote
    /// that begins a string. Group 2: another value.
    json: Regex,
    /// A name and its value as in a form or a query (group 1), or in XML (group 2).
    pairs: Regex,
    /// Names of parameters.
    parameters: Vec<String>,
}

impl Masks {
    /// What is masked everywhere, and the values of `names` besides, in JSON, forms, queries and XML. Case does not
    /// matter.
    ///
    /// # Errors
    /// If a name is none, or there are too many.
    pub fn new(names: &[String]) -> Result<Self, Unusable> {
        let is_name = |name: &str| {
            (1..=LONGEST_NAME).contains(&name.len())
                && !name.contains(|c: char| matches!(c, '"' | '\\') || c.is_control())
        };
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(Unusable::Name(name.clone()));
        }
        let names = || names.iter().map(String::as_str).chain(USUAL);
        let of_json = alternatives(names());
        let of_pairs = alternatives(names().chain(PARAMETERS));
        let parameters = names().chain(PARAMETERS).map(str::to_owned).collect();
        Ok(Self {
            parameters,
            shapes: Shapes::new()?,
            json: Regex::new(&format!(r#"(?i-u)"(?:{of_json})\\*"\s*:\s*(?:(\\*)"|(-?[0-9][0-9.e+-]*|true|false))"#))?,
            pairs: Regex::new(&format!(
                r#"(?i-u)(?:^|[?&])(?:{of_pairs})=([^&\s"'<>#\\]+)|<(?:[a-z0-9_-]+:)?(?:{of_json})(?:\s[^<>]*)?>([^<>]+)<"#
            ))?,
        })
    }

    /// Masks the values of `fields`: all of it where the name says that it is a secret, but for a scheme as `Bearer` and
    /// the names of cookies; in other values the keys that have a known shape.
    pub fn fields(&self, fields: &mut [Field]) {
        for field in fields {
            let mut value = field.value.to_vec();
            self.value(&field.name.to_ascii_lowercase(), &mut value);
            if value != field.value {
                field.value = Bytes::from(value);
            }
        }
    }

    /// Masks in place what in `text` is a secret; how many there were.
    pub fn text(&self, text: &mut [u8]) -> usize {
        let secrets = self.find(text);
        secrets.iter().for_each(|secret| cover(&mut text[secret.value.clone()]));
        secrets.len()
    }

    /// Masks in place the beginning of `text`, a text that goes on, as far as what comes later cannot change what is a
    /// secret there; how many bytes that are. The rest, at most [`MAX_HELD`] bytes, is to be given again with what comes
    /// after it, or at the end of all to [`text`](Self::text). All of `text` is looked at each time: it is best called
    /// when some multiple of [`LONGEST`] has come.
    pub fn settle(&self, text: &mut [u8]) -> usize {
        let secrets = self.find(text);
        let mut end = text.len().saturating_sub(LONGEST);
        while let Some(secret) = secrets.iter().find(|secret| secret.start < end && end < secret.value.end) {
            end = secret.start;
        }
        if text.len() - end > MAX_HELD {
            end = text.len();
        }
        let settled = secrets.iter().filter(|secret| secret.value.end <= end);
        settled.for_each(|secret| cover(&mut text[secret.value.clone()]));
        end
    }

    /// `url`, absolute or not, with its user and password, the values of parameters that are secrets, and keys masked.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let mut masked = url.as_bytes().to_vec();
        self.mask_url(&mut masked);
        // Only whole characters are covered: what ends a secret is ASCII.
        String::from_utf8_lossy(&masked).into_owned()
    }

    fn value(&self, name: &[u8], value: &mut [u8]) {
        let is = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
        match name {
            b"authorization" | b"proxy-authorization" => {
                let scheme = value.iter().position(|&byte| byte == b' ').map_or(0, |at| at + 1);
                cover(&mut value[scheme..]);
            }
            b"cookie" => value.split_mut(|&byte| byte == b';').for_each(cover_pair),
            b"set-cookie" => {
                if let Some(pair) = value.split_mut(|&byte| byte == b';').next() {
                    cover_pair(pair);
                }
                self.text(value);
            }
            _ if is(&FIELDS) || FIELD_ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes())) => cover(value),
            _ if is(&URLS) => self.mask_url(value),
            _ => {
                self.text(value);
            }
        }
    }

    fn mask_url(&self, url: &mut [u8]) {
        if let Some(user) = user_of(url) {
            // A token may be the user as well as the password.
            cover(&mut url[user]);
        }
        // Fragments carry tokens in the same form.
        for parameter in url.split_mut(|byte| matches!(byte, b'?' | b'&' | b'#')).skip(1) {
            let name = parameter.iter().position(|&byte| byte == b'=').unwrap_or_default();
            let (name, value) = parameter.split_at_mut(name);
            let is_secret = self.parameters.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            if let (true, [_, value @ ..]) = (is_secret, value) {
                cover(value);
            }
        }
        self.text(url);
    }

    /// What in `text` is a secret. Some may overlap.
    fn find(&self, text: &[u8]) -> Vec<Secret> {
        let mut secrets = self.shapes.find(text);
        let mut from = 0;
        while let Some(found) = self.json.captures_at(text, from) {
            let whole = found.get_match();
            let escape = found.get(1).map(|backslashes| backslashes.len());
            let value = match escape {
                Some(escape) => whole.end()..end_of_string(text, whole.end(), escape),
                None => found.get(2).map_or(whole.end()..whole.end(), |value| value.range()),
            };
            from = value.end;
            secrets.push(Secret { start: whole.start(), value });
        }
        secrets.extend(self.pairs.captures_iter(text).filter_map(|found| Secret::of(&found)));
        secrets.retain(|secret| !secret.value.is_empty());
        secrets
    }
}

/// A secret in a text.
struct Secret {
    /// Where what tells that it is one begins.
    start: usize,
    /// What is to be covered.
    value: Range<usize>,
}

impl Secret {
    /// The group of a pattern that has matched is the secret.
    fn of(found: &Captures<'_>) -> Option<Self> {
        let value = found.iter().skip(1).flatten().next()?;
        Some(Self { start: found.get_match().start(), value: value.range() })
    }
}

/// A pattern for one of `names`.
fn alternatives<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(regex::escape).collect::<Vec<_>>().join("|")
}

fn cover(secret: &mut [u8]) {
    secret.fill(COVER);
}

/// Covers the value of `name=value`, or all of what has no name.
fn cover_pair(pair: &mut [u8]) {
    let start = pair.len() - pair.trim_ascii_start().len();
    let value = pair.iter().position(|&byte| byte == b'=').map_or(start, |at| at + 1);
    cover(&mut pair[value..]);
}

/// Where the user information of an absolute URL is (RFC 3986 section 3.2.1).
fn user_of(url: &[u8]) -> Option<Range<usize>> {
    let start = url.windows(3).position(|three| three == b"://")? + 3;
    let authority = url[start..].split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()?;
    let end = authority.iter().rposition(|&byte| byte == b'@')?;
    Some(start..start + end)
}

/// Where a JSON string ends that begins at `start`, after a quote with `escape` backslashes before it: a string within a
/// string has one, one within that has three. In text that is cut, its end.
fn end_of_string(text: &[u8], start: usize, escape: usize) -> usize {
    let mut backslashes = 0;
    for (at, &byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'\\' => backslashes += 1,
            // What the string contains has all of its backslashes doubled, and quotes one more.
            b'"' if backslashes < escape || backslashes % (2 * (escape + 1)) == escape => {
                return at - backslashes.min(escape);
            }
            _ => backslashes = 0,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
