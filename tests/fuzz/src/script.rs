//! A play as bytes: who sends what, in which order. Every sequence of bytes is one, so that each change that the fuzzer
//! makes is a change of the play.

use std::borrow::Cow;

use agent::engine::http::exchange::Direction;

/// Flag of a step's first byte: the server sends, not the child.
const SERVER: u8 = 0x01;
/// What a step is.
const KIND: u8 = 0x06;
const FRAME: u8 = 0x02;
const END: u8 = 0x04;
const DRAIN: u8 = 0x06;
/// Its length has two bytes.
const LONG: u8 = 0x40;
/// It comes several times: a byte with the number precedes the length.
const REPEATED: u8 = 0x80;
/// How small the pieces are in which its bytes come.
const PIECE: u8 = 0x38;

/// One step of a play.
#[derive(Debug)]
pub enum Step<'a> {
    /// Bytes come.
    Send {
        /// From whom.
        direction: Direction,
        /// How many times.
        times: usize,
        /// In pieces of how many bytes.
        piece: usize,
        /// The bytes.
        bytes: Cow<'a, [u8]>,
    },
    /// One side has sent all.
    End(Direction),
    /// No exchange is to begin any more.
    Drain,
}

/// The steps of a play.
pub struct Script<'a>(pub &'a [u8]);

impl<'a> Iterator for Script<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let first = self.byte()?;
        let direction = if first & SERVER == 0 { Direction::Request } else { Direction::Response };
        match first & KIND {
            END => return Some(Step::End(direction)),
            DRAIN => return Some(Step::Drain),
            _ => {}
        }
        let times = if first & REPEATED == 0 { 1 } else { usize::from(self.byte()?) };
        let high = if first & LONG == 0 { 0 } else { usize::from(self.byte()?) << 8 };
        let length = (high | usize::from(self.byte()?)).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        let bytes = if first & KIND == FRAME { Cow::Owned(frame(bytes)) } else { Cow::Borrowed(bytes) };
        Some(Step::Send { direction, times, piece: 1 + usize::from(first & PIECE), bytes })
    }
}

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

/// An HTTP/2 frame of the length that it has: kind, flags, a stream of one byte, payload. The fuzzer would take long to
/// find out about lengths, and those that are wrong it can still send as bytes.
fn frame(bytes: &[u8]) -> Vec<u8> {
    let (head, payload) = bytes.split_at(bytes.len().min(3));
    let byte = |at| head.get(at).copied().unwrap_or_default();
    let [.., a, b, c] = payload.len().to_be_bytes();
    [&[a, b, c, byte(0), byte(1), 0, 0, 0, byte(2)], payload].concat()
}
