//! Protocol buffers as text. Without their schema, fields have numbers and types that are guessed; with it
//! ([`schema`]), names.

mod descriptor;
pub mod schema;
pub(super) mod wire;

use std::fmt::Write as _;

use self::wire::{Fields, Value};
use crate::engine::hex::hex;

/// How deep messages and groups are looked into.
pub const MAX_DEPTH: usize = 32;
/// About how many bytes of text a message becomes at most; the rest of it is left out.
pub const MAX_TEXT: usize = 8 * 1024 * 1024;
/// Most bytes of a field that are shown as bytes.
const MAX_BYTES: usize = 256;
/// Most numbers of a field that are shown as packed.
const MAX_PACKED: usize = 32;

/// `bytes` as indented text, one field a line: numbers with their other readings, and what looks like text, like a
/// message, or like neither. `None` if they are no message.
#[must_use]
pub fn text(bytes: &[u8]) -> Option<String> {
    if !wire::is_message(bytes, MAX_DEPTH) {
        return None;
    }
    let mut out = String::new();
    write_message(bytes, 0, &mut out);
    Some(out)
}

fn write_message(bytes: &[u8], depth: usize, out: &mut String) {
    let mut depth = depth;
    // What is no field ends it; it was looked at before.
    for (number, value) in Fields(bytes).map_while(Result::ok) {
        if out.len() > MAX_TEXT {
            return out.push_str("…\n");
        }
        if matches!(value, Value::GroupEnd) {
            depth = depth.saturating_sub(1);
        }
        out.extend(std::iter::repeat_n("  ", depth));
        match value {
            Value::Varint(value) => line(out, format_args!("{number}: {}", varint(value))),
            Value::Fixed32(bytes) => line(out, format_args!("{number}: {}", fixed32(bytes))),
            Value::Fixed64(bytes) => line(out, format_args!("{number}: {}", fixed64(bytes))),
            Value::Bytes(bytes) => write_bytes(number, bytes, depth, out),
            Value::GroupStart => {
                line(out, format_args!("{number} group {{"));
                depth += 1;
            }
            Value::GroupEnd => out.push_str("}\n"),
        }
    }
}

/// A field of bytes, as what it looks like.
fn write_bytes(number: u32, bytes: &[u8], depth: usize, out: &mut String) {
    let text = std::str::from_utf8(bytes).ok().filter(|text| is_text(text));
    // A message may begin with what is a line feed or a tab in text: field 1, with a length or a number.
    let is_like_message = text.is_none_or(|text| text.starts_with(['\n', '\t', '\r']));
    if is_like_message && !bytes.is_empty() && wire::is_message(bytes, MAX_DEPTH.saturating_sub(depth + 1)) {
        line(out, format_args!("{number} {{"));
        write_message(bytes, depth + 1, out);
        out.extend(std::iter::repeat_n("  ", depth));
        return out.push_str("}\n");
    }
    match text {
        Some(text) => line(out, format_args!("{number}: {text:?}")),
        None => line(out, format_args!("{number}: {}{}", raw(bytes), packed(bytes).unwrap_or_default())),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A string takes whatever it is given.
    out.write_fmt(text).unwrap_or_default();
    out.push('\n');
}

/// A number, and the negative one that it may be meant to be.
fn varint(number: u64) -> String {
    if number > i64::MAX as u64 { format!("{number} = {}", number.cast_signed()) } else { number.to_string() }
}

fn fixed32(bytes: [u8; 4]) -> String {
    format!("fixed32 {} = {:?}", u32::from_le_bytes(bytes), f32::from_le_bytes(bytes))
}

fn fixed64(bytes: [u8; 8]) -> String {
    format!("fixed64 {} = {:?}", u64::from_le_bytes(bytes), f64::from_le_bytes(bytes))
}

/// Whether somebody would have written it.
fn is_text(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn raw(bytes: &[u8]) -> String {
    let shown = hex(&bytes[..bytes.len().min(MAX_BYTES)]);
    let rest = if bytes.len() > MAX_BYTES { "…" } else { "" };
    format!("bytes {shown}{rest} ({} bytes)", bytes.len())
}

/// The numbers that the field has if it is packed.
fn packed(bytes: &[u8]) -> Option<String> {
    let (mut numbers, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let number = wire::varint(&mut rest)?;
        if numbers.len() == MAX_PACKED {
            return None;
        }
        numbers.push(number.to_string());
    }
    Some(format!(" or packed {}", numbers.join(", ")))
}

#[cfg(test)]
mod tests;
