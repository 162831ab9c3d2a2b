//! Changes to a message's bytes that leave all others as they are.

use std::ops::Range;

use super::message::{Message, Record, Section};
use super::name::Name;
use super::{HEADER, Malformed, UDP_SIZE, UDP_SIZE_WITHOUT_EDNS, svcb, u16_at};

const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const AUTHENTIC: u16 = 0x0020;

impl Message<'_> {
    /// The same query under another number, for a resolver; asks for no larger UDP payload than we take. Only a permit
    /// gives it away.
    pub(in crate::engine) fn forwarded(&self, id: u16) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        put(&mut bytes, 0, id);
        self.cap_udp_size(&mut bytes);
        bytes
    }

    /// A query under another number that asks the same and has nothing else of this one: of its flags, whether to ask
    /// further resolvers, and that its sender speaks EDNS, but no options, no records and no choice of letters. Only a
    /// permit gives it away.
    pub(in crate::engine) fn forwarded_bare(&self, id: u16) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        put(&mut bytes, 0, id);
        put(&mut bytes, 2, self.header(2) & RECURSION_DESIRED);
        if let Some(question) = self.question() {
            put(&mut bytes, 4, 1);
            bytes.extend_from_slice(&question.labels);
            bytes.push(0);
            bytes.extend_from_slice(&question.record_type.to_be_bytes());
            bytes.extend_from_slice(&question.class.to_be_bytes());
        }
        if self.options().is_some() {
            put(&mut bytes, 10, 1);
            bytes.extend_from_slice(&options(0, &[]));
        }
        bytes
    }

    /// The same response for the client that sent `query`: under its number, and with its question in its letters. It
    /// lacks what would lead the client around the proxy, `ech` and HTTP/3 in SVCB and HTTPS records; a response that
    /// this changes is no longer said to be authentic.
    ///
    /// # Errors
    /// Where such a record cannot be read, so that it is not known what it would lead to.
    pub fn returned(&self, query: &Message<'_>) -> Result<Vec<u8>, Malformed> {
        let mut bytes = self.bytes.to_vec();
        put(&mut bytes, 0, query.id());
        if let (Some(ours), Some(theirs)) = (self.question(), query.question())
            && ours == theirs
        {
            bytes[HEADER..ours.end].copy_from_slice(&query.bytes[HEADER..theirs.end]);
        }
        self.cap_udp_size(&mut bytes);
        let mut edit = Edit::default();
        for record in self.records.iter().filter(|record| record.is_service_binding()) {
            let before = edit.removed_bytes();
            svcb::strip(self.bytes, record.data.clone(), &mut edit)?;
            let removed = edit.removed_bytes() - before;
            edit.replace(record.fixed + 8, record.data.len() - removed);
        }
        if edit.removed.is_empty() {
            return Ok(bytes);
        }
        put(&mut bytes, 2, self.header(2) & !AUTHENTIC);
        let edited = edit.apply(bytes, &self.pointers()?)?;
        if !self.has_the_names_of(&Message::parse(&edited)?) {
            return Err(Malformed("a name that runs through a parameter"));
        }
        Ok(edited)
    }

    fn has_the_names_of(&self, other: &Self) -> bool {
        let owners = |message: &Self| message.records.iter().map(|record| record.owner.clone()).collect::<Vec<_>>();
        owners(self) == owners(other)
    }

    fn cap_udp_size(&self, bytes: &mut [u8]) {
        if let Some(options) = self.options() {
            let size = self.header(options.fixed + 2).min(UDP_SIZE);
            put(bytes, options.fixed + 2, size);
        }
    }

    /// Where the message holds pointers to names.
    fn pointers(&self) -> Result<Vec<usize>, Malformed> {
        let mut pointers = Vec::new();
        for record in &self.records {
            pointers.extend(Name::read(self.bytes, record.start)?.pointers);
            pointers.extend(record.pointers(self.bytes)?);
        }
        pointers.sort_unstable();
        pointers.dedup();
        Ok(pointers)
    }
}

/// Cuts a response so that it fits into one UDP payload for a client that said it takes `udp_size` bytes.
///
/// Whole records go, from the end: first those that only may help, silently (RFC 2181, section 9), then, with the mark
/// of truncation, the others. The options stay, empty if they alone would not fit. What is no message is returned as it
/// is.
#[must_use]
pub fn fit(response: Vec<u8>, udp_size: Option<u16>) -> Vec<u8> {
    let size = udp_size.unwrap_or(UDP_SIZE_WITHOUT_EDNS);
    let limit = usize::from(size.clamp(UDP_SIZE_WITHOUT_EDNS, UDP_SIZE));
    match Message::parse(&response) {
        Ok(message) if response.len() > limit => cut(&message, limit),
        _ => response,
    }
}

fn cut(message: &Message<'_>, limit: usize) -> Vec<u8> {
    let question_end = message.question().map_or(HEADER, |question| question.end);
    let options = message.options().map_or_else(Vec::new, |options| fitting(message, options, limit - question_end));
    let room = limit - options.len();
    let kept = message.records.iter().filter(|record| !record.is_options());
    let kept: Vec<&Record> = kept.take_while(|record| record.data.end <= room).collect();
    let count = |section| message.records.iter().filter(|record| record.section == section).count();
    let kept_count = |section| kept.iter().filter(|record| record.section == section).count();
    let sections = [Section::Answer, Section::Authority];
    let lost = sections.into_iter().any(|section| kept_count(section) < count(section));

    let mut bytes = message.bytes[..kept.last().map_or(question_end, |record| record.data.end)].to_vec();
    bytes.extend_from_slice(&options);
    if lost {
        put(&mut bytes, 2, message.header(2) | TRUNCATED);
    }
    let additional = kept_count(Section::Additional) + usize::from(!options.is_empty());
    for (at, count) in [(6, kept_count(Section::Answer)), (8, kept_count(Section::Authority)), (10, additional)] {
        put(&mut bytes, at, u16::try_from(count).unwrap_or(u16::MAX));
    }
    bytes
}

/// The record of options, without its data if that leaves no room for the question.
fn fitting(message: &Message<'_>, options: &Record, room: usize) -> Vec<u8> {
    let whole = &message.bytes[options.start..options.data.end];
    if whole.len() <= room {
        return whole.to_vec();
    }
    [&message.bytes[options.start..options.data.start - 2], &[0, 0]].concat()
}

impl Record {
    /// Where the data holds pointers: the types of RFC 1035, and those that RFC 3597, section 4, says may be met
    /// compressed, except NAPTR and NXT, which nobody compresses.
    fn pointers(&self, message: &[u8]) -> Result<Vec<usize>, Malformed> {
        let (skipped, names) = match self.record_type {
            2..=5 | 7..=9 | 12 | 39 => (0, 1),
            6 | 14 | 17 => (0, 2),
            15 | 18 | 21 | 36 => (2, 1),
            26 => (2, 2),
            24 => (18, 1),
            33 => (6, 1),
            _ if self.is_service_binding() => (2, 1),
            _ => return Ok(Vec::new()),
        };
        let (mut at, mut pointers) = (self.data.start + skipped, Vec::new());
        for _ in 0..names {
            let name = Name::read(message, at)?;
            at = name.end;
            pointers.extend(name.pointers);
        }
        Ok(pointers)
    }
}

/// Bytes to remove from a message, and fields to set, all by where they are before the edit.
#[derive(Default)]
pub(super) struct Edit {
    removed: Vec<Range<usize>>,
    replaced: Vec<(usize, usize)>,
}

impl Edit {
    /// Removes `range`, which no other removal touches.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.removed.push(range);
    }

    /// Sets the 16 bits at `at`.
    pub(super) fn replace(&mut self, at: usize, value: usize) {
        self.replaced.push((at, value));
    }

    fn removed_bytes(&self) -> usize {
        self.removed.iter().map(Range::len).sum()
    }

    fn apply(mut self, mut bytes: Vec<u8>, pointers: &[usize]) -> Result<Vec<u8>, Malformed> {
        self.removed.sort_by_key(|range| range.start);
        for &(at, value) in &self.replaced {
            put(&mut bytes, at, u16::try_from(value).ok().ok_or(Malformed("a length that does not fit"))?);
        }
        for &at in pointers {
            let target = u16_at(&bytes, at)? & 0x3fff;
            put(&mut bytes, at, 0xc000 | self.moved(target)?);
        }
        for range in self.removed.iter().rev() {
            bytes.drain(range.clone());
        }
        Ok(bytes)
    }

    /// Where `target` is after the edit.
    fn moved(&self, target: u16) -> Result<u16, Malformed> {
        let mut moved = target;
        for range in self.removed.iter().filter(|range| range.start <= usize::from(target)) {
            if range.contains(&usize::from(target)) {
                return Err(Malformed("a name points into a parameter"));
            }
            moved = moved.saturating_sub(u16::try_from(range.len()).unwrap_or(u16::MAX));
        }
        Ok(moved)
    }
}

/// A record of EDNS options (RFC 6891, section 6.1.2): the root's name, OPT, our size, no extended code, version 0,
/// `flags`, and `data`, which holds fewer than 65,536 bytes.
pub(super) fn options(flags: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let [size, flags, length] = [UDP_SIZE, flags, length].map(u16::to_be_bytes);
    [&[0, 0, 41][..], &size, &[0, 0], &flags, &length, data].concat()
}

/// Sets the 16 bits at `at`; nothing where there are none.
pub(super) fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *field = value.to_be_bytes();
    }
}
