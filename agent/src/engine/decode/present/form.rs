//! Forms as browsers send them: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

/// The pairs in `bytes`, decoded, one a line; `None` if they are no text.
pub(super) fn pairs(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let pairs = text.trim_ascii().split('&').filter(|pair| !pair.is_empty());
    let lines = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        format!("{} = {}", decoded(name), decoded(value))
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// A name or value without its escapes. What is not UTF-8 gets the mark for it.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<2>().filter(|_| first == b'%').and_then(byte);
        out.push(escaped.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that two hexadecimal digits stand for.
fn byte(digits: &[u8; 2]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()
}
