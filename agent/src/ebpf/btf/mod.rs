//! The BPF type format (BTF), read only as far as it takes to find where a field lies in a structure: one pass over the
//! types. Format: Documentation/bpf/btf.rst of the kernel.

use std::ops::Range;

/// First two bytes, in the byte order of the machine.
const MAGIC: u16 = 0xeb9f;
/// Anonymous members that are looked into, one in another.
const DEPTH: usize = 8;

/// Kinds of types.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
    pub(super) const LAST: u32 = ENUM64;
}

/// Bytes of the header that are read.
pub(super) const HEADER: usize = 24;

/// Where types and names are in the whole, in bytes.
pub(super) struct Sections {
    pub(super) types: Range<u64>,
    pub(super) strings: Range<u64>,
}

impl Sections {
    /// Reads the header; `None` if this is no BTF.
    pub(super) fn parse(header: &[u8; HEADER]) -> Option<Self> {
        if u16::from_ne_bytes(*header.first_chunk()?) != MAGIC {
            return None;
        }
        let field = |at| word(header, at).map(u64::from);
        let begin = field(4)?;
        let section = |offset, len| begin + offset..begin + offset + len;
        Some(Self { types: section(field(8)?, field(12)?), strings: section(field(16)?, field(20)?) })
    }
}

/// Types and names, as many of both as were read: each section from its beginning.
pub(super) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`; numbers begin at one.
    starts: Vec<usize>,
    /// The structures among them.
    structures: Vec<Type>,
}

/// The fixed part of a type.
#[derive(Clone, Copy)]
struct Type {
    name: usize,
    kind: u32,
    members: usize,
    /// Whether the upper byte of a member's offset is the size of a bit field.
    bit_fields: bool,
    /// Size, or the number of another type.
    other: u32,
    /// Where what follows it begins.
    rest: usize,
}

/// A member of a structure or union.
struct Member {
    name: usize,
    type_number: u32,
    /// In bytes; a bit field's is that of the byte it begins in.
    offset: u32,
}

impl<'a> Btf<'a> {
    /// Finds the types, up to one that is cut off or of an unknown kind.
    pub(super) fn new(types: &'a [u8], strings: &'a [u8]) -> Self {
        let mut btf = Self { types, strings, starts: Vec::with_capacity(types.len() / 20), structures: Vec::new() };
        let mut at = 0;
        while let Some((found, end)) = btf.type_at(at).and_then(|found| Some((found, found.end()?)))
            && end <= types.len()
        {
            btf.starts.push(at);
            if found.kind == kind::STRUCT {
                btf.structures.push(found);
            }
            at = end;
        }
        btf
    }

    /// Where a field lies in a structure, in bytes. `path` names a member, a member of that, and so on.
    pub(super) fn offset(&self, structure: &str, path: &[&str]) -> Option<u32> {
        let mut called = self.structures.iter().filter(|one| self.is_called(one.name, structure));
        called.find_map(|one| self.offset_in(*one, path))
    }

    fn offset_in(&self, structure: Type, path: &[&str]) -> Option<u32> {
        let (first, rest) = path.split_first()?;
        let member = self.member(structure, first, DEPTH)?;
        if rest.is_empty() {
            return Some(member.offset);
        }
        member.offset.checked_add(self.offset_in(self.resolve(member.type_number)?, rest)?)
    }

    /// The member of this name, also if it is a member of anonymous ones.
    fn member(&self, structure: Type, name: &str, depth: usize) -> Option<Member> {
        let mut members = (0..structure.members).filter_map(|index| self.member_at(structure, index));
        members.find_map(|member| {
            if self.is_called(member.name, name) {
                return Some(member);
            }
            if member.name != 0 || depth == 0 {
                return None;
            }
            let inner = self.member(self.resolve(member.type_number)?, name, depth - 1)?;
            Some(Member { offset: member.offset.checked_add(inner.offset)?, ..inner })
        })
    }

    fn member_at(&self, structure: Type, index: usize) -> Option<Member> {
        let at = structure.rest + index * 12;
        let bits = word(self.types, at + 8)?;
        let bits = if structure.bit_fields { bits & 0x00ff_ffff } else { bits };
        let name = usize::try_from(word(self.types, at)?).ok()?;
        Some(Member { name, type_number: word(self.types, at + 4)?, offset: bits / 8 })
    }

    /// The structure or union of this number, behind names and qualifiers.
    fn resolve(&self, mut number: u32) -> Option<Type> {
        for _ in 0..DEPTH {
            let start = self.starts.get(usize::try_from(number.checked_sub(1)?).ok()?)?;
            let found = self.type_at(*start)?;
            match found.kind {
                kind::STRUCT | kind::UNION => return Some(found),
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::TYPE_TAG => number = found.other,
                _ => return None,
            }
        }
        None
    }

    fn type_at(&self, at: usize) -> Option<Type> {
        let info = word(self.types, at + 4)?;
        Some(Type {
            name: usize::try_from(word(self.types, at)?).ok()?,
            kind: info >> 24 & 0x1f,
            members: usize::try_from(info & 0xffff).ok()?,
            bit_fields: info >> 31 == 1,
            other: word(self.types, at + 8)?,
            rest: at + 12,
        })
    }

    /// Whether the name at this place of the strings is `name`.
    fn is_called(&self, at: usize, name: &str) -> bool {
        let rest = self.strings.get(at..).and_then(|text| text.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }
}

impl Type {
    /// Where the next type begins.
    fn end(self) -> Option<usize> {
        let bytes = match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * self.members,
            kind::ENUM | kind::FUNC_PROTO => 8 * self.members,
            0 => return None,
            other if other > kind::LAST => return None,
            _ => 0,
        };
        self.rest.checked_add(bytes)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests;
