//! Bodies of several parts (RFC 2046 section 5.1), each with a head of its own.

use super::at_depth;

/// Most parts that are shown.
const MAX_PARTS: usize = 1_000;

/// The parameter `name` of a field as `Content-Type`, in quotes or without (RFC 9110 section 5.6.6).
pub(super) fn parameter(field: &str, name: &str) -> Option<String> {
    let mut rest = field.split_once(';')?.1;
    loop {
        let (this, value) = rest.split_once('=')?;
        let is_wanted = this.trim().eq_ignore_ascii_case(name);
        let (value, after) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (value, after) = value.split_once(';').unwrap_or((value, ""));
                (value.trim().to_owned(), after)
            }
        };
        if is_wanted {
            return Some(value);
        }
        rest = after;
    }
}

/// What a quoted string says, after its first quote, and what follows it and its semicolon.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => {
                let after = &quoted[at + 1..];
                return (value, after.split_once(';').map_or("", |(_, after)| after));
            }
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The parts of `body`; `None` if there is none.
pub(super) fn parts(body: &[u8], boundary: &str, depth: usize) -> Option<String> {
    let mut text = String::new();
    let mut number = 0;
    for part in split(body, boundary) {
        number += 1;
        if number > MAX_PARTS {
            text.push_str("… more parts\n");
            break;
        }
        let (head, body) = head_and_body(part);
        let head = String::from_utf8_lossy(head);
        text.push_str(&format!("--- part {number}\n"));
        head.lines().filter(|line| !line.is_empty()).for_each(|line| text.extend([line, "\n"]));
        let media = head.lines().find_map(content_type);
        let presented = at_depth(media, body, depth + 1);
        if !presented.text.is_empty() {
            text.extend(["\n", presented.text.trim_end_matches('\n'), "\n"]);
        }
    }
    (number > 0).then_some(text)
}

/// The value of `Content-Type`, if the line is that field.
fn content_type(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("content-type").then(|| value.trim())
}

/// What is between the lines of the boundary, the last of which may be missing. What precedes the first one, and what
/// follows the last, is no part.
fn split<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let (mut at, mut start) = (0, None);
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let end = at + line.len();
        let after = line.strip_prefix(delimiter.as_slice()).map(<[u8]>::trim_ascii);
        if after.is_some_and(|after| matches!(after, b"" | b"--")) {
            parts.extend(start.map(|start| without_line_end(&body[start..at])));
            start = (after == Some(b"")).then_some(end);
            if start.is_none() || parts.len() > MAX_PARTS {
                return parts;
            }
        }
        at = end;
    }
    parts.extend(start.map(|start| &body[start..]));
    parts
}

/// The line end before a boundary is the boundary's.
fn without_line_end(part: &[u8]) -> &[u8] {
    part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part)
}

/// The fields of a part, and what follows their empty line.
fn head_and_body(part: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in part.split_inclusive(|&byte| byte == b'\n') {
        if line.trim_ascii().is_empty() {
            return (&part[..at], &part[at + line.len()..]);
        }
        at += line.len();
    }
    (part, &[])
}
