//! The tables that HPACK refers to (RFC 7541 section 2.3): one fixed, one that grows with what was sent.

use std::collections::VecDeque;

use bytes::Bytes;

/// What an entry counts besides its name and value (RFC 7541 section 4.1).
const ENTRY: usize = 32;

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Both tables under one index, and how large the second may be.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<(Bytes, Bytes)>,
    size: usize,
    capacity: usize,
}

impl Table {
    /// An empty table of `capacity` bytes.
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), size: 0, capacity }
    }

    /// How large it may be, in bytes.
    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Name and value at an index, counted from one.
    pub(super) fn get(&self, index: usize) -> Option<(Bytes, Bytes)> {
        let index = index.checked_sub(1)?;
        match STATIC.get(index) {
            Some((name, value)) => Some((Bytes::from_static(name.as_bytes()), Bytes::from_static(value.as_bytes()))),
            None => self.entries.get(index - STATIC.len()).cloned(),
        }
    }

    /// Adds an entry before all others. One that is larger than the table empties it (RFC 7541 section 4.4).
    pub(super) fn insert(&mut self, name: Bytes, value: Bytes) {
        self.size += size(&name, &value);
        self.entries.push_front((name, value));
        self.evict();
    }

    /// Changes how large the table may be.
    pub(super) fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.capacity
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.size -= size(&name, &value);
        }
    }
}

fn size(name: &Bytes, value: &Bytes) -> usize {
    name.len() + value.len() + ENTRY
}
