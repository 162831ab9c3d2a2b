//! HPACK (RFC 7541): decodes header blocks, following the sender's table, and encodes blocks that use no table. It
//! keeps what an intermediary must: which fields are never to be indexed, and the order of all.

mod huffman;
mod table;

use bytes::Bytes;

use self::table::Table;
use super::Invalid;
use crate::engine::http::Field;

/// The size of a table before anybody says otherwise (RFC 9113 section 6.5.2).
pub const DEFAULT_TABLE: usize = 4096;

const INDEXED: u8 = 0x80;
const INCREMENTAL: u8 = 0x40;
const SIZE_UPDATE: u8 = 0x20;
const NEVER_INDEXED: u8 = 0x10;
const HUFFMAN: u8 = 0x80;

/// Decodes the blocks of one direction of a connection.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// The largest table that the receiver of the blocks ever allowed.
    allowed: usize,
    /// How large one decoded block may be, counted as RFC 9113 section 6.5.2 does.
    largest: usize,
}

impl Decoder {
    /// A decoder of blocks that decode to at most `largest` bytes.
    #[must_use]
    pub const fn new(largest: usize) -> Self {
        Self { table: Table::new(DEFAULT_TABLE), allowed: DEFAULT_TABLE, largest }
    }

    /// The receiver allows a table of `size` bytes. Until the sender has seen that, it goes by what was allowed before.
    pub fn allow(&mut self, size: usize) {
        self.allowed = self.allowed.max(size);
    }

    /// The size of the table that the sender goes by, in bytes.
    #[must_use]
    pub const fn table_size(&self) -> usize {
        self.table.capacity()
    }

    /// Decodes one block.
    ///
    /// # Errors
    /// If it is not one: whoever receives it must end the connection (RFC 9113 section 4.3).
    pub fn decode(&mut self, block: &[u8]) -> Result<Vec<Field>, Invalid> {
        let mut input = Input(block);
        let mut fields = Vec::with_capacity(24);
        let mut size = 0;
        while let Some(&first) = input.0.first() {
            if first & (INDEXED | INCREMENTAL | SIZE_UPDATE) == SIZE_UPDATE {
                self.resize(&mut input, fields.is_empty())?;
                continue;
            }
            let field = self.field(first, &mut input)?;
            size += field.name.len() + field.value.len() + 32;
            if size > self.largest {
                return Err(Invalid("a header block is too large"));
            }
            fields.push(field);
        }
        Ok(fields)
    }

    /// RFC 7541 section 6.3: only at the start of a block, and never beyond what the receiver allowed.
    fn resize(&mut self, input: &mut Input<'_>, at_start: bool) -> Result<(), Invalid> {
        let size = input.integer(5)?;
        if !at_start || size > self.allowed {
            return Err(Invalid("a header table size that is not allowed"));
        }
        self.table.resize(size);
        Ok(())
    }

    /// RFC 7541 sections 6.1 and 6.2.
    fn field(&mut self, first: u8, input: &mut Input<'_>) -> Result<Field, Invalid> {
        if first & INDEXED != 0 {
            let (name, value) = self.at(input.integer(7)?)?;
            return Ok(Field { name, value, sensitive: false });
        }
        let incremental = first & INCREMENTAL != 0;
        let name = match input.integer(if incremental { 6 } else { 4 })? {
            0 => input.string(self.largest)?,
            index => self.at(index)?.0,
        };
        let value = input.string(self.largest)?;
        if incremental {
            self.table.insert(name.clone(), value.clone());
        }
        Ok(Field { name, value, sensitive: !incremental && first & NEVER_INDEXED != 0 })
    }

    fn at(&self, index: usize) -> Result<(Bytes, Bytes), Invalid> {
        self.table.get(index).ok_or(Invalid("a header field that is in no table"))
    }
}

/// Encodes `fields` as a block that neither uses nor changes a table, Huffman coding left out.
pub fn encode<'a>(fields: impl IntoIterator<Item = &'a Field>, block: &mut Vec<u8>) {
    for field in fields {
        block.push(if field.sensitive { NEVER_INDEXED } else { 0 });
        for text in [&field.name, &field.value] {
            integer(text.len(), 7, 0, block);
            block.extend_from_slice(text);
        }
    }
}

/// Adds a change of the table's size, which may only begin a block.
pub fn encode_size(size: usize, block: &mut Vec<u8>) {
    integer(size, 5, SIZE_UPDATE, block);
}

/// RFC 7541 section 5.1.
fn integer(value: usize, prefix: u32, pattern: u8, out: &mut Vec<u8>) {
    let most = (1_usize << prefix) - 1;
    let low = |value: usize| u8::try_from(value & 0xff).unwrap_or_default();
    if value < most {
        return out.push(pattern | low(value));
    }
    out.push(pattern | low(most));
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(low(rest & 0x7f | 0x80));
        rest >>= 7;
    }
    out.push(low(rest));
}

/// The rest of a block.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, Invalid> {
        let (&byte, rest) = self.0.split_first().ok_or(Invalid("a header block that ends too early"))?;
        self.0 = rest;
        Ok(byte)
    }

    /// RFC 7541 section 5.1. No length and no index needs more than four bytes.
    fn integer(&mut self, prefix: u32) -> Result<usize, Invalid> {
        let most = (1_usize << prefix) - 1;
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Ok(value);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Invalid("a number in a header block is too large"))
    }

    /// RFC 7541 section 5.2.
    fn string(&mut self, largest: usize) -> Result<Bytes, Invalid> {
        let huffman = self.0.first().is_some_and(|first| first & HUFFMAN != 0);
        let length = self.integer(7)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Invalid("a header block that ends too early"))?;
        self.0 = rest;
        if !huffman {
            return Ok(Bytes::copy_from_slice(text));
        }
        let mut decoded = Vec::with_capacity((length * 8 / 5).min(largest));
        let is_code = huffman::decode(text, &mut decoded);
        is_code.then(|| decoded.into()).ok_or(Invalid("a header block with a broken Huffman code"))
    }
}

#[cfg(test)]
mod tests;
