//! Names as they stand in a message: labels, possibly ended by a pointer to the rest (RFC 1035, section 4.1.4).

use std::fmt::Write;

use super::{HEADER, Malformed, u16_at};

/// The most bytes a name has, decompressed and with its length bytes (RFC 1035, section 2.3.4).
const LONGEST: usize = 255;

/// A name.
#[derive(Debug, PartialEq)]
pub(super) struct Name {
    /// Presentation form, lower-case, without the last dot; `.` for the root. Bytes that could be taken for something
    /// else are escaped (RFC 1035, section 5.1).
    pub(super) text: String,
    /// Where the bytes behind it start.
    pub(super) end: usize,
    /// Where the pointers are that were followed.
    pub(super) pointers: Vec<usize>,
}

impl Name {
    /// Reads the name at `start`. Each pointer must lead further back than all before it did, so that there are no loops.
    pub(super) fn read(message: &[u8], start: usize) -> Result<Self, Malformed> {
        let mut name = Self { text: String::new(), end: 0, pointers: Vec::new() };
        let (mut at, mut earliest, mut length) = (start, start, 0);
        loop {
            let kind = *message.get(at).ok_or(Malformed("it ends within a name"))?;
            match kind >> 6 {
                0b00 => {
                    let label = message.get(at + 1..at + 1 + usize::from(kind));
                    let label = label.ok_or(Malformed("it ends within a name"))?;
                    length += 1 + label.len();
                    if length > LONGEST {
                        return Err(Malformed("a name is too long"));
                    }
                    at += 1 + label.len();
                    if label.is_empty() {
                        break;
                    }
                    push(&mut name.text, label);
                }
                0b11 => {
                    let target = usize::from(u16_at(message, at)? & 0x3fff);
                    if target >= earliest || target < HEADER {
                        return Err(Malformed("a name points forward"));
                    }
                    name.pointers.push(at);
                    (at, earliest) = (target, target);
                }
                _ => return Err(Malformed("a label of unknown kind")),
            }
        }
        name.end = name.pointers.first().map_or(at, |pointer| pointer + 2);
        if name.text.is_empty() {
            name.text.push('.');
        }
        Ok(name)
    }
}

/// The labels of a name that is written as [`Question::labels`](super::Question::labels) is.
pub fn labels(mut name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = name.split_first()?;
        let (label, rest) = rest.split_at_checked(usize::from(*length))?;
        name = rest;
        Some(label)
    })
}

fn push(text: &mut String, label: &[u8]) {
    if !text.is_empty() {
        text.push('.');
    }
    for byte in label {
        match byte {
            b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'!'..=b'~' => text.push(char::from(byte.to_ascii_lowercase())),
            // Writing to a string cannot fail.
            _ => _ = write!(text, "\\{byte:03}"),
        }
    }
}
