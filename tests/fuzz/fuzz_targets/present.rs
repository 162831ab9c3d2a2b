//! A body of some type: its text has nothing that a terminal obeys, and JSON says the same as before.

#![no_main]

use agent::engine::decode::present::{Form, present, visible};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The type is the first line.
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (content_type, body) = (std::str::from_utf8(&bytes[..end]).ok(), bytes.get(end + 1..).unwrap_or_default());
    let presented = present(content_type, body);
    assert!(!presented.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')));
    assert_eq!(presented.form == Form::Empty, body.is_empty());
    if let (Form::Json, Ok(before)) = (presented.form, std::str::from_utf8(body)) {
        let before = tight(before.strip_prefix('\u{feff}').unwrap_or(before));
        assert_eq!(tight(&presented.text), visible(&before));
    }
});

/// JSON without the space between its tokens.
fn tight(text: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        let is_space = !in_string && c.is_ascii_whitespace();
        in_string ^= *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        !is_space
    };
    text.chars().filter(is_kept).collect()
}
