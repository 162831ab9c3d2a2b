//! Reads a TOML document into anything serde can read, and names all that is wrong with it at once.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

/// Something that is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

/// More mistakes than this are not told of at once.
const MAX_MISTAKES: usize = 20;

impl Mistake {
    /// Something that is wrong with what `span` of `text` says.
    #[must_use]
    pub fn at(text: &str, span: &Range<usize>, what: String) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let beside = before.rsplit('\n').next().unwrap_or(before);
        Self { line: line(text, span), column: beside.chars().count() + 1, what }
    }

    fn of(text: &str, error: &Error) -> Self {
        Self::at(text, &error.span().unwrap_or_default(), error.message().trim_end_matches('.').to_owned())
    }
}

/// The line that `span` of `text` begins in, from 1.
#[must_use]
pub fn line(text: &str, span: &Range<usize>) -> usize {
    text.get(..span.start).unwrap_or(text).matches('\n').count() + 1
}

/// Reads `text`.
///
/// # Errors
/// All that is wrong with it, in its order.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Mistake>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(in_order(errors.iter().map(|error| Mistake::of(text, error)).collect()));
    }
    let mut reading = Reading { text, document, mistakes: Vec::new(), broken: Vec::new() };
    loop {
        match T::deserialize(Deserializer::from(reading.document.clone())) {
            Ok(value) if reading.mistakes.is_empty() => return Ok(value),
            Err(error) if reading.goes_on_after(&error) => {}
            Ok(_) | Err(_) => return Err(in_order(reading.mistakes)),
        }
    }
}

/// Mistakes, in the order of the document.
#[must_use]
pub fn in_order(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort();
    mistakes
}

/// A document of which what is wrong is taken out, piece by piece, until the rest can be read.
struct Reading<'a> {
    text: &'a str,
    document: Spanned<DeTable<'a>>,
    mistakes: Vec<Mistake>,
    /// Tables and lists that something was taken out of: what they lack now is no mistake.
    broken: Vec<Range<usize>>,
}

impl Reading<'_> {
    /// Notes an error and takes what it is about out; whether there may be more.
    fn goes_on_after(&mut self, error: &Error) -> bool {
        let span = error.span().unwrap_or_default();
        if !self.broken.contains(&span) {
            self.mistakes.push(Mistake::of(self.text, error));
        }
        let own = self.document.span();
        let is_out = take_out_of_table(self.document.get_mut(), &own, &span, &mut self.broken);
        is_out && self.mistakes.len() < MAX_MISTAKES
    }
}

/// Takes the smallest part of a table out that `span` is in; whether there was one. A table of a header is not around
/// what stands below it, so all are searched.
fn take_out_of_table(
    table: &mut DeTable<'_>,
    own: &Range<usize>,
    span: &Range<usize>,
    broken: &mut Vec<Range<usize>>,
) -> bool {
    for (_, value) in table.iter_mut() {
        if take_out_of_value(value, span, broken) {
            return true;
        }
    }
    let is_meant = |key: &Range<usize>, value: &Range<usize>| key == span || holds(value, span);
    let found = table.iter().find(|(key, value)| is_meant(&key.span(), &value.span())).map(|(key, _)| key.clone());
    let Some(key) = found else { return false };
    table.remove(&key);
    broken.push(own.clone());
    true
}

fn take_out_of_value(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, broken: &mut Vec<Range<usize>>) -> bool {
    let own = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out_of_table(table, &own, span, broken),
        DeValue::Array(array) => take_out_of_array(array, &own, span, broken),
        _ => false,
    }
}

fn take_out_of_array(
    array: &mut DeArray<'_>,
    own: &Range<usize>,
    span: &Range<usize>,
    broken: &mut Vec<Range<usize>>,
) -> bool {
    for value in array.iter_mut() {
        if take_out_of_value(value, span, broken) {
            return true;
        }
    }
    let is_other = |value: &&Spanned<DeValue<'_>>| !holds(&value.span(), span);
    let others: DeArray<'_> = array.iter().filter(is_other).cloned().collect();
    let is_out = others.len() < array.len();
    if is_out {
        *array = others;
        broken.push(own.clone());
    }
    is_out
}

const fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::engine::policy::rules::rule::Rule;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[serde(default)]
        #[expect(dead_code, reason = "only mistakes are looked at")]
        rule: Vec<Rule>,
    }

    fn mistakes(text: &str) -> Vec<String> {
        let mistakes = read::<Document>(text).unwrap_err();
        mistakes.into_iter().map(|Mistake { line, column, what }| format!("{line}:{column}: {what}")).collect()
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_its_place() {
        let text = r#"[[rule]]
name = "one"
match = { host = ["a b", "c d", "ok"], prot = 1 }
verdict = "forbid"

[[rule]]
match.port = [0, "9-1"]
match.cidr = "192.0.2.1/24"
match.path = "~("
verdict = { block = { status = 99, content_type = "a/b\r\nc: d" } }

[[rule]]
name = 3
match.method = [["GET"]]

[other]
x = 1
"#;
        let expect = [
            "3:19: `a b` names no host",
            "3:26: `c d` names no host",
            "3:40: unknown field `prot`, expected one of `host`, ",
            "4:11: unknown variant `forbid`, expected one of `allow`, `block`, `ask`, `passthrough`",
            "7:15: `0` names no port",
            "7:18: `9-1` names no port",
            "8:14: `192.0.2.1/24` has bits set behind its prefix: write `192.0.2.0/24`",
            "9:14: `~(` has no regular expression after `~`: unclosed group",
            "10:32: 99 is no status of an answer",
            r"10:51: `a/b\r\nc: d` is no media type",
            "13:8: invalid type: integer `3`, expected a string",
            "14:17: invalid type: sequence, expected a value",
            "16:2: unknown field `other`, expected `rule`",
        ];
        let told = mistakes(text);
        assert_eq!(told.len(), expect.len(), "{told:#?}");
        for (told, expect) in told.iter().zip(expect) {
            assert!(told.starts_with(expect), "{told}, not {expect}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_at_once_as_well() {
        let told = mistakes("a = \nb = ]\n");
        assert!(told.len() >= 2 && told[0].starts_with("1:") && told[1].starts_with("2:"), "{told:#?}");
    }

    #[test]
    fn what_lacks_something_is_told_of_once() {
        let text = "[[rule]]\nname = 'a'\n[[rule]]\nverdict = { mock = { events = [{}] } }\n[[rule]]\nverdict = { mock = { events = [{}] } }\n";
        assert_eq!(mistakes(text), ["4:32: missing field `data`", "6:32: missing field `data`"]);
    }

    #[test]
    fn of_many_mistakes_the_first_are_told() {
        assert_eq!(mistakes(&"[[rule]]\nverdict = 'no'\n".repeat(100)).len(), MAX_MISTAKES);
    }
}
