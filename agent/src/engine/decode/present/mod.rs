//! A body for people: indented, decoded, described, or in hexadecimal, by what it says it is and what it looks like.

mod form;
mod hex;
mod image;
mod json;
mod multipart;

use std::borrow::Cow;

/// How deep bodies within bodies are looked into.
pub const MAX_DEPTH: usize = 4;

/// A body as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// What it was taken for.
    pub form: Form,
    /// The text. It has no control character but line feeds and tabs.
    pub text: String,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing.
    Empty,
    /// JSON, indented; numbers, names, their order and whatever is there twice as they came.
    Json,
    /// JSON documents, each on its line; they are indented.
    JsonLines,
    /// Names and values of a form, decoded, one pair a line.
    Form,
    /// Parts, each with its head and its body as it is presented.
    Multipart,
    /// An image: its format and size.
    Image,
    /// XML, HTML, and text of any other kind, as it came.
    Text,
    /// Bytes in hexadecimal.
    Bytes,
}

impl Form {
    /// Its name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Json => "json",
            Self::JsonLines => "json-lines",
            Self::Form => "form",
            Self::Multipart => "multipart",
            Self::Image => "image",
            Self::Text => "text",
            Self::Bytes => "bytes",
        }
    }
}

/// Presents `bytes`, a body without content coding, whose `Content-Type` is this. A body that is not what its type says
/// is taken for what it looks like.
#[must_use]
pub fn present(content_type: Option<&str>, bytes: &[u8]) -> Presented {
    let Presented { form, text } = at_depth(content_type, bytes, 0);
    Presented { form, text: visible(&text).into_owned() }
}

/// `text` with escapes for control characters, which a terminal would obey, but for line feeds and tabs. Carriage returns
/// before line feeds are left out.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_seen = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(is_seen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' if characters.peek() == Some(&'\n') => {}
            c if is_seen(c) => out.push(c),
            c => out.extend(c.escape_default()),
        }
    }
    Cow::Owned(out)
}

fn at_depth(content_type: Option<&str>, bytes: &[u8], depth: usize) -> Presented {
    if bytes.is_empty() {
        return Presented { form: Form::Empty, text: String::new() };
    }
    let content_type = content_type.unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    declared(&media, content_type, bytes, depth).unwrap_or_else(|| looked_at(&media, content_type, bytes))
}

/// By what the type says, if the body is that.
fn declared(media: &str, content_type: &str, bytes: &[u8], depth: usize) -> Option<Presented> {
    let (form, text) = match media {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json-lines" => {
            (Form::JsonLines, json::lines(bytes)?)
        }
        "application/x-www-form-urlencoded" => (Form::Form, form::pairs(bytes)?),
        _ if media.starts_with("multipart/") && depth < MAX_DEPTH => {
            let boundary = multipart::parameter(content_type, "boundary")?;
            (Form::Multipart, multipart::parts(bytes, &boundary, depth)?)
        }
        _ => return None,
    };
    Some(Presented { form, text })
}

/// By what the body looks like. JSON is found whatever its type; a number or a word alone only where it says so.
fn looked_at(media: &str, content_type: &str, bytes: &[u8]) -> Presented {
    let says_json = media.ends_with("json");
    let may_be_json = says_json || matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    if let Some(text) = may_be_json.then(|| json::indented(bytes)).flatten() {
        return Presented { form: Form::Json, text };
    }
    if let Some(image) = image::Image::of(bytes) {
        let text = format!("{image}, {} bytes", bytes.len());
        return Presented { form: Form::Image, text };
    }
    if let Some(text) = decoded(media, content_type, bytes) {
        return Presented { form: Form::Text, text };
    }
    Presented { form: Form::Bytes, text: hex::dump(bytes) }
}

/// Text, if it is some: UTF-8, or Latin-1 where the type says that it is text.
fn decoded(media: &str, content_type: &str, bytes: &[u8]) -> Option<String> {
    let says_text = media.starts_with("text/")
        || ["json", "xml", "javascript", "html", "yaml", "graphql"].iter().any(|name| media.ends_with(name));
    if let Ok(text) = std::str::from_utf8(bytes) {
        // A few control characters do not make it less of a text; NUL does.
        let is_text = says_text || !text.chars().any(|c| c.is_control() && !c.is_whitespace() && c != '\x1b');
        return is_text.then(|| text.strip_prefix('\u{feff}').unwrap_or(text).to_owned());
    }
    let charset = multipart::parameter(content_type, "charset").map(|name| name.to_ascii_lowercase());
    match charset.as_deref() {
        Some("utf-16" | "utf-16le" | "utf-16be") => utf16(bytes, charset.as_deref() == Some("utf-16be")),
        // Without a NUL: what is named text and has some is none.
        _ if says_text && !bytes.contains(&0) => Some(bytes.iter().copied().map(char::from).collect()),
        _ => None,
    }
}

/// UTF-16 by its mark, or in the order that is said.
fn utf16(bytes: &[u8], is_big: bool) -> Option<String> {
    let (is_big, bytes) = match bytes {
        [0xfe, 0xff, rest @ ..] => (true, rest),
        [0xff, 0xfe, rest @ ..] => (false, rest),
        _ => (is_big, bytes),
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> =
        pairs.iter().map(|&pair| if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests;
