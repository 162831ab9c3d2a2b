//! Text from the network on its way to a terminal, which must not obey it.

use std::borrow::Cow;

/// `text` with escapes in the place of what a terminal would obey or what would show it in another order: control
/// characters but line feeds and tabs, and the marks of writing direction.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |c| (c.is_control() && !matches!(c, '\n' | '\t')) || is_mark(c), |c| c.escape_default().to_string())
}

/// The same for what is to stay on one line.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() || is_mark(c), |c| c.escape_default().to_string())
}

/// A JSON document, in which strings have escapes for the control characters that JSON allows in them.
#[must_use]
pub fn json(document: &str) -> Cow<'_, str> {
    escaped(document, |c| matches!(c, '\u{7f}'..='\u{9f}') || is_mark(c), |c| format!("\\u{:04x}", u32::from(c)))
}

/// What Unicode changes the direction of writing with (UAX 9), and its line separators.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_active: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.chars().any(&is_active) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
        if is_active(c) {
            out.push_str(&escape(c));
        } else {
            out.push(c);
        }
        out
    });
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, expect) in [
            ("plain\ttext\nof two lines, größer", "plain\ttext\nof two lines, größer"),
            ("\x1b[2J\x07", "\\u{1b}[2J\\u{7}"),
            ("a\rb", "a\\rb"),
            ("\u{9b}2J \u{7f}", "\\u{9b}2J \\u{7f}"),
            ("safe\u{202e}txt.exe", "safe\\u{202e}txt.exe"),
        ] {
            assert_eq!(plain(text), expect);
        }
        assert_eq!(one_line("a\nb"), "a\\nb");
    }

    #[test]
    fn json_stays_the_same_document() {
        let text = "\u{9b}2J \u{7f} \u{202e} \x1b";
        let document = serde_json::to_string(text).unwrap();
        let escaped = json(&document);
        assert!(escaped.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }
}
