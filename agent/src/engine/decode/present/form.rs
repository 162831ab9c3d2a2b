//! Forms as browsers send them: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

/// The pairs in `bytes`, decoded, one a line; `None` if they are no text.
pub(super) fn pairs(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let pairs = form_urlencoded::parse(text.trim_ascii().as_bytes());
    Some(pairs.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n"))
}
