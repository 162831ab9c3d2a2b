//! A gzip file (RFC 1952): members in a row, each with a head, deflated data, and a trailer that is checked.

use flate2::{Crc, Decompress};

use super::{Step, inflate};
use crate::engine::wire::Invalid;

const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;
const HEAD_CHECKSUM: u8 = 0x02;
/// The flags that RFC 1952 does not define.
const RESERVED: u8 = 0xe0;

/// Reads the file as it comes.
pub(super) struct Gzip {
    place: Place,
    flags: u8,
    inflate: Decompress,
    checksum: Crc,
}

/// Where in a member the next byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the ten bytes that each has, after so many.
    Fixed(u8),
    /// In the length of the extra field: its first byte, if that was there.
    ExtraLength(Option<u8>),
    /// In the extra field, of which so much is left.
    Extra(u16),
    Name,
    Comment,
    /// In the head's checksum, of which so much is left.
    HeadChecksum(u8),
    Data,
    /// In the trailer, after so many bytes.
    Trailer(u8, [u8; 8]),
    /// After a member, where another one may begin.
    Between,
    /// After the last member: what follows is no part of it.
    Beyond,
}

impl Default for Gzip {
    fn default() -> Self {
        Self { place: Place::Fixed(0), flags: 0, inflate: Decompress::new(false), checksum: Crc::new() }
    }
}

impl Gzip {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
        let mut read = 0;
        while self.place != Place::Data {
            let Some(&byte) = input.get(read) else { return Ok(Step { read, written: 0 }) };
            self.place = self.next(byte)?;
            read += 1;
        }
        let step = self.data(&input[read..], output)?;
        Ok(Step { read: read + step.read, ..step })
    }

    /// Whether the file could end here.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.place, Place::Between | Place::Beyond)
    }

    fn data(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
        let (step, is_end) = inflate(&mut self.inflate, input, output)?;
        self.checksum.update(&output[..step.written]);
        if is_end {
            self.place = Place::Trailer(0, [0; 8]);
        }
        Ok(step)
    }

    /// The place after `byte`, which is none of the data.
    fn next(&mut self, byte: u8) -> Result<Place, Invalid> {
        Ok(match self.place {
            Place::Fixed(at) => return self.fixed(at, byte),
            Place::ExtraLength(None) => Place::ExtraLength(Some(byte)),
            Place::ExtraLength(Some(low)) => match u16::from_le_bytes([low, byte]) {
                0 => self.after(EXTRA),
                length => Place::Extra(length),
            },
            Place::Extra(1) => self.after(EXTRA),
            Place::Extra(left) => Place::Extra(left - 1),
            Place::Name if byte == 0 => self.after(NAME),
            Place::Comment if byte == 0 => self.after(COMMENT),
            Place::HeadChecksum(1) => Place::Data,
            Place::HeadChecksum(left) => Place::HeadChecksum(left - 1),
            Place::Trailer(at, mut trailer) => {
                trailer[usize::from(at)] = byte;
                if at == 7 { self.end(trailer)? } else { Place::Trailer(at + 1, trailer) }
            }
            Place::Between if byte == 0x1f => Place::Fixed(1),
            // As gzip(1) does, which pads with zeros and warns of other things.
            Place::Between => Place::Beyond,
            same @ (Place::Name | Place::Comment | Place::Data | Place::Beyond) => same,
        })
    }

    fn fixed(&mut self, at: u8, byte: u8) -> Result<Place, Invalid> {
        match (at, byte) {
            (0, 0x1f) | (1, 0x8b) | (2, 8) | (4.., _) => {}
            (3, flags) if flags & RESERVED == 0 => self.flags = flags,
            _ => return Err(Invalid("no gzip file")),
        }
        Ok(if at == 9 { self.after(0) } else { Place::Fixed(at + 1) })
    }

    /// What follows the part of the head that `flag` announced; zero stands for the fixed one.
    fn after(&self, flag: u8) -> Place {
        let has = |flag| self.flags & flag != 0;
        match flag {
            0 if has(EXTRA) => Place::ExtraLength(None),
            0 | EXTRA if has(NAME) => Place::Name,
            0 | EXTRA | NAME if has(COMMENT) => Place::Comment,
            _ if has(HEAD_CHECKSUM) => Place::HeadChecksum(2),
            _ => Place::Data,
        }
    }

    fn end(&mut self, trailer: [u8; 8]) -> Result<Place, Invalid> {
        let checked = [self.checksum.sum().to_le_bytes(), self.checksum.amount().to_le_bytes()];
        if trailer != *checked.as_flattened() {
            return Err(Invalid("a gzip member whose checksum or length is wrong"));
        }
        self.inflate.reset(false);
        self.checksum.reset();
        Ok(Place::Between)
    }
}
