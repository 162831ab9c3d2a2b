//! The wire format of protocol buffers: fields in a row, each with its number and a type of six.

use crate::engine::wire::Invalid;

/// The largest number of a field.
const MAX_NUMBER: u64 = (1 << 29) - 1;
/// Bytes of the longest number.
const MAX_VARINT: usize = 10;

/// What a field has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::engine::decode) enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    /// Text, bytes, a message, or numbers.
    Bytes(&'a [u8]),
    /// The fields from here to the end belong to it.
    GroupStart,
    GroupEnd,
    Fixed32([u8; 4]),
}

/// The fields of a message. After an error there is none.
pub(in crate::engine::decode) struct Fields<'a>(pub(in crate::engine::decode) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = field(&mut self.0).ok_or(Invalid("no protocol buffer"));
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).ok().filter(|&number| (1..=MAX_NUMBER).contains(&u64::from(number)))?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => Value::Fixed64(fixed(rest)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        3 => Value::GroupStart,
        4 => Value::GroupEnd,
        5 => Value::Fixed32(fixed(rest)?),
        _ => return None,
    };
    Some((number, value))
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

/// The number that `rest` begins with, which is taken off.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (at, &byte) in rest.iter().enumerate().take(MAX_VARINT) {
        number |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            // The tenth byte has room for one bit.
            let is_number = at + 1 < MAX_VARINT || byte <= 1;
            *rest = &rest[at + 1..];
            return is_number.then_some(number);
        }
    }
    None
}

/// Whether `bytes` are fields to the last, with groups that end and are no deeper than `depth`. Fields of bytes are not
/// looked into.
pub(in crate::engine::decode) fn is_message(bytes: &[u8], depth: usize) -> bool {
    let mut groups = Vec::new();
    let is_good = Fields(bytes).all(|field| match field {
        Ok((number, Value::GroupStart)) => {
            groups.push(number);
            groups.len() < depth
        }
        Ok((number, Value::GroupEnd)) => groups.pop() == Some(number),
        Ok(_) => true,
        Err(_) => false,
    });
    is_good && groups.is_empty() && depth > 0
}
