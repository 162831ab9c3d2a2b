//! JSON, indented and otherwise as it came: only the space between its tokens changes.

use serde::de::IgnoredAny;

/// Columns of one level.
const INDENT: usize = 2;
/// How many times its size JSON may become by its indentation, beyond [`SMALL`]; what would is left as it is.
const MAX_GROWTH: usize = 8;
/// What a small document may become, whatever its growth.
const SMALL: usize = 64 * 1024;

/// The document `bytes`, indented; `None` if they are none.
pub(super) fn indented(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice::<IgnoredAny>(bytes).ok()?;
    let text = std::str::from_utf8(bytes).ok()?;
    let limit = bytes.len().saturating_mul(MAX_GROWTH).saturating_add(SMALL);
    Some(indent(text, limit).unwrap_or_else(|| text.to_owned()))
}

/// Documents on lines of their own, each indented; `None` if one is none.
pub(super) fn lines(bytes: &[u8]) -> Option<String> {
    let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let documents: Option<Vec<String>> = lines.map(indented).collect();
    documents.map(|documents| documents.join("\n"))
}

/// Indents a document that is right; `None` if it would become longer than `limit`.
fn indent(text: &str, limit: usize) -> Option<String> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text.trim_ascii_start();
    while let Some(first) = rest.bytes().next() {
        let length = token(rest);
        let (token, after) = rest.split_at(length);
        let after = after.trim_ascii_start();
        match first {
            b'{' | b'[' if after.starts_with(['}', ']']) => out.push_str(token),
            b'{' | b'[' => {
                depth += 1;
                out.push_str(token);
                line(&mut out, depth);
            }
            b'}' | b']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push_str(token);
            }
            b',' => {
                out.push(',');
                line(&mut out, depth);
            }
            b':' => out.push_str(": "),
            _ => out.push_str(token),
        }
        if out.len() > limit {
            return None;
        }
        rest = after;
    }
    Some(out)
}

/// Bytes of the token that `text` begins with.
fn token(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes[0] == b'"' {
        let mut is_escaped = true;
        // The first quote is skipped as if it were escaped.
        let end = bytes.iter().position(|&byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        return end.map_or(bytes.len(), |end| end + 1);
    }
    if b"{}[],:".contains(&bytes[0]) {
        return 1;
    }
    let end = bytes.iter().position(|byte| b"{}[],:\"".contains(byte) || byte.is_ascii_whitespace());
    end.unwrap_or(bytes.len())
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', depth * INDENT));
}
