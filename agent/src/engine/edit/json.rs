//! Changes of JSON text in place: what a pointer does not name keeps its bytes.

use std::ops::Range;

use memchr::memchr2;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failed;

/// One change.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub(super) struct JsonEdit {
    pointer: Pointer,
    act: Act,
}

#[derive(Clone, Debug, PartialEq)]
enum Act {
    /// This is there, in the place of what was, or as a new member or element.
    Set(Value),
    /// It is gone.
    Remove,
    /// It is as a merge patch says (RFC 7396).
    Merge(Value),
}

/// A JSON pointer (RFC 6901), in which `*` stands for each member and each element.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointer {
    text: String,
    segments: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<Value>,
}

/// Why a table is no change.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoEdit {
    /// It is none of the three.
    #[error("write {{ set = \"/a\", to = 1 }}, {{ remove = \"/a\" }} or {{ merge = \"/a\", with = {{ b = 1 }} }}")]
    Form,
    /// It does not begin as a pointer does.
    #[error("`{0}` is no JSON pointer: write \"\" for all, or one that begins with `/`")]
    Pointer(String),
}

impl TryFrom<Written> for JsonEdit {
    type Error = NoEdit;

    fn try_from(written: Written) -> Result<Self, NoEdit> {
        let (pointer, act) = match written {
            Written { set: Some(pointer), to: Some(value), remove: None, merge: None, with: None } => {
                (pointer, Act::Set(value))
            }
            Written { set: None, to: None, remove: Some(pointer), merge: None, with: None } => (pointer, Act::Remove),
            Written { set: None, to: None, remove: None, merge: Some(pointer), with: Some(patch) } => {
                (pointer, Act::Merge(patch))
            }
            _ => return Err(NoEdit::Form),
        };
        Ok(Self { pointer: Pointer::parse(pointer)?, act })
    }
}

impl From<JsonEdit> for Written {
    fn from(edit: JsonEdit) -> Self {
        let mut written = Self { set: None, to: None, remove: None, merge: None, with: None };
        let pointer = Some(edit.pointer.text);
        match edit.act {
            Act::Set(value) => (written.set, written.to) = (pointer, Some(value)),
            Act::Remove => written.remove = pointer,
            Act::Merge(patch) => (written.merge, written.with) = (pointer, Some(patch)),
        }
        written
    }
}

impl Pointer {
    fn parse(text: String) -> Result<Self, NoEdit> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(NoEdit::Pointer(text));
        }
        let segments = text.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text, segments })
    }
}

/// Whether `text` is one JSON document.
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

impl JsonEdit {
    /// `text`, a JSON document, changed.
    ///
    /// # Errors
    /// If it is no document.
    pub(super) fn apply(&self, text: Vec<u8>) -> Result<Vec<u8>, Failed> {
        let mut splices = Vec::new();
        let root = Scan { text: &text, at: 0 }.value().ok_or_else(|| Failed::new("a body that is no JSON"))?;
        self.act.on(&text, root, &self.pointer.segments, &mut splices);
        Ok(splice(text, splices))
    }
}

/// What comes in the place of a part of the text.
struct Splice {
    range: Range<usize>,
    with: Vec<u8>,
}

/// Puts everything in its place. None overlaps another.
fn splice(text: Vec<u8>, mut splices: Vec<Splice>) -> Vec<u8> {
    if splices.is_empty() {
        return text;
    }
    splices.sort_by_key(|splice| splice.range.start);
    let mut spliced = Vec::with_capacity(text.len());
    let mut at = 0;
    for Splice { range, with } in splices {
        spliced.extend_from_slice(text.get(at..range.start).unwrap_or_default());
        spliced.extend_from_slice(&with);
        at = range.end;
    }
    spliced.extend_from_slice(text.get(at..).unwrap_or_default());
    spliced
}

impl Act {
    /// Acts on what `segments` name within the value at `range`.
    fn on(&self, text: &[u8], range: Range<usize>, segments: &[String], splices: &mut Vec<Splice>) {
        let Some((first, rest)) = segments.split_first() else { return self.replace(text, range, splices) };
        let children = children(text, &range);
        let is_object = text.get(range.start) == Some(&b'{');
        let is_array = text.get(range.start) == Some(&b'[');
        let is_meant = |(number, child): &(usize, &Child)| {
            first == "*" || if is_object { child.key.as_deref() == Some(first) } else { number.to_string() == *first }
        };
        let meant: Vec<(usize, &Child)> = children.iter().enumerate().filter(is_meant).collect();
        match (self, rest) {
            (Self::Remove, []) => remove(&children, &meant, splices),
            (Self::Set(value) | Self::Merge(value), []) if meant.is_empty() && first != "*" => {
                let is_next = first == "-" || *first == children.len().to_string();
                if is_object || is_array && is_next {
                    let key = is_object.then(|| Value::from(first.as_str()));
                    append(&range, &children, key, &without_nulls(self, value), splices);
                }
            }
            (_, rest) => meant.into_iter().for_each(|(_, child)| self.on(text, child.value.clone(), rest, splices)),
        }
    }

    /// Acts on the whole value at `range`.
    fn replace(&self, text: &[u8], range: Range<usize>, splices: &mut Vec<Splice>) {
        match self {
            Self::Set(value) => splices.push(Splice { range, with: value.to_string().into_bytes() }),
            Self::Remove => splices.push(Splice { range, with: b"null".to_vec() }),
            Self::Merge(Value::Object(patch)) if text.get(range.start) == Some(&b'{') => {
                // One after the other, on a copy: several may act at the same place.
                let mut merged = text.get(range.clone()).unwrap_or_default().to_vec();
                for (name, value) in patch {
                    let act = if value.is_null() { Self::Remove } else { Self::Merge(value.clone()) };
                    let mut inner = Vec::new();
                    let whole = 0..merged.len();
                    act.on(&merged, whole, std::slice::from_ref(name), &mut inner);
                    merged = splice(merged, inner);
                }
                splices.push(Splice { range, with: merged });
            }
            Self::Merge(patch) => {
                let with = without_nulls(self, patch).to_string().into_bytes();
                splices.push(Splice { range, with });
            }
        }
    }
}

/// A value to be put where nothing was: of a merge patch, without what it takes away.
fn without_nulls(act: &Act, value: &Value) -> Value {
    match (act, value) {
        (Act::Merge(_), Value::Object(members)) => {
            let kept = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.map(|(name, member)| (name.clone(), without_nulls(act, member))).collect())
        }
        _ => value.clone(),
    }
}

/// Takes children out, each with one comma beside it.
fn remove(children: &[Child], meant: &[(usize, &Child)], splices: &mut Vec<Splice>) {
    let goes = |number: usize| meant.iter().any(|(other, _)| *other == number);
    let first_kept = (0..children.len()).find(|number| !goes(*number));
    for (number, child) in meant {
        let before = number.checked_sub(1).and_then(|before| children.get(before));
        let after = children.get(number + 1);
        let range = match (before, after) {
            // Behind one that stays, the comma before it goes; before all that stay, the comma behind it.
            (Some(before), _) if first_kept.is_some_and(|kept| kept < *number) => before.value.end..child.value.end,
            (_, Some(after)) => child.start..after.start,
            _ => child.start..child.value.end,
        };
        splices.push(Splice { range, with: Vec::new() });
    }
}

/// Puts a child behind the last.
fn append(range: &Range<usize>, children: &[Child], key: Option<Value>, value: &Value, splices: &mut Vec<Splice>) {
    let comma = if children.is_empty() { "" } else { "," };
    let key = key.map(|key| format!("{key}:")).unwrap_or_default();
    let at = children.last().map_or(range.start + 1, |last| last.value.end);
    splices.push(Splice { range: at..at, with: format!("{comma}{key}{value}").into_bytes() });
}

/// A member of an object, or an element of an array.
struct Child {
    /// Where it begins: its key, or itself.
    start: usize,
    key: Option<String>,
    value: Range<usize>,
}

/// The children of the value at `range`, in their order; none if it has none.
fn children(text: &[u8], range: &Range<usize>) -> Vec<Child> {
    let mut scan = Scan { text, at: range.start };
    let mut children = Vec::new();
    let end = match scan.next() {
        Some(b'{') => b'}',
        Some(b'[') => b']',
        _ => return children,
    };
    while let Some(byte) = scan.peek() {
        if byte == end {
            break;
        }
        if byte == b',' {
            scan.at += 1;
            continue;
        }
        let start = scan.at;
        let key = if end == b'}' {
            let Some(key) = scan.value() else { break };
            if scan.next() != Some(b':') {
                break;
            }
            text.get(key).and_then(|key| serde_json::from_slice(key).ok())
        } else {
            None
        };
        let Some(value) = scan.value() else { break };
        children.push(Child { start, key, value });
    }
    children
}

/// Goes through text that is JSON.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The next value, whole.
    fn value(&mut self) -> Option<Range<usize>> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => {
                let rest = self.text.get(self.at..)?;
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b':') || byte.is_ascii_whitespace();
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        Some(start..self.at)
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..)?;
            let found = memchr2(b'"', b'\\', rest)?;
            if rest.get(found) == Some(&b'"') {
                self.at += found + 1;
                return Some(());
            }
            self.at += found + 2;
        }
    }

    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}
