//! The head of a WebSocket frame (RFC 6455 section 5.2).

use crate::engine::wire::Invalid;

/// The longest head: two bytes, a length of eight, a mask of four.
pub(super) const MAX_HEAD: usize = 14;
/// Most payload of a control frame (section 5.5).
const MAX_CONTROL: u64 = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    /// Whether it carries a message or a part of one.
    pub(super) const fn is_data(self) -> bool {
        matches!(self, Self::Continuation | Self::Text | Self::Binary)
    }
}

/// The head of a frame.
pub(super) struct Frame {
    pub(super) opcode: Opcode,
    /// It is the last of its message.
    pub(super) is_final: bool,
    /// RSV1: its message is compressed (RFC 7692 section 6).
    pub(super) is_compressed: bool,
    /// Bytes of payload.
    pub(super) length: u64,
    mask: [u8; 4],
}

impl Frame {
    /// The head that `bytes` are; none if it needs more.
    ///
    /// # Errors
    /// If no head begins like this.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Invalid> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(Invalid("a WebSocket frame of an unknown kind")),
        };
        if first & 0x30 != 0 {
            return Err(Invalid("a WebSocket frame of an unknown extension"));
        }
        let long = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if rest.len() < long + mask {
            return Ok(None);
        }
        let (long, mask) = rest.split_at(long);
        let length = match long {
            [] => u64::from(second & 0x7f),
            long => long.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        let is_final = first & 0x80 != 0;
        if length >> 63 != 0 || !opcode.is_data() && (length > MAX_CONTROL || !is_final) {
            return Err(Invalid("a WebSocket frame of a length that it may not have"));
        }
        let mask = mask.try_into().unwrap_or_default();
        Ok(Some(Self { opcode, is_final, is_compressed: first & 0x40 != 0, length, mask }))
    }

    /// Writes to `out` what `payload`, which is as long, says: its part from byte `at` on (section 5.3).
    pub(super) fn unmask(&self, at: u64, payload: &[u8], out: &mut [u8]) {
        let masks = self.mask.iter().cycle().skip((at % 4) as usize);
        for ((out, byte), mask) in out.iter_mut().zip(payload).zip(masks) {
            *out = byte ^ mask;
        }
    }
}
