//! One direction of an HTTP/2 connection: where in which frame the next byte is, and the header table of its sender.

use bytes::BytesMut;

use super::Violation;
use crate::engine::http::Field;
use crate::engine::wire::h2::{
    DEFAULT_FRAME, END_HEADERS, END_STREAM, Frame, HEAD, Kind, PADDED, PRIORITY, number, unpadded,
};
use crate::engine::wire::http1::MAX_HEAD;
use crate::engine::wire::{Invalid, hpack};

/// The largest header table that is followed, in bytes.
const MAX_TABLE: usize = 1 << 20;
/// Bytes of a priority before a header block (RFC 9113 section 6.2).
const PRIORITY_BYTES: usize = 5;

/// One direction.
pub(super) struct Lane {
    /// Where the next byte is.
    pub(super) at: At,
    /// Frames of ours that wait for the end of the frame that is passing, or of the first.
    pub(super) injected: BytesMut,
    /// A frame has passed.
    pub(super) has_begun: bool,
    block: Option<Block>,
    decoder: hpack::Decoder,
    largest_frame: usize,
    /// A block was withheld: the receiver's table no longer is what the sender takes it for.
    is_reencoded: bool,
}

/// Where the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In the preface.
    Preface,
    /// At the start of a frame.
    Frame,
    /// In the payload of DATA.
    Data(Data),
    /// In a payload that nobody needs to know, so many bytes before its end.
    Opaque(usize),
}

/// A DATA frame of which some is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) stream: u32,
    /// Bytes of content still to come; padding follows.
    pub(super) content: usize,
    /// Bytes of content and padding still to come.
    pub(super) left: usize,
    /// Whether it is the last of its stream.
    pub(super) ends: bool,
    /// Whether it goes on.
    pub(super) passes: bool,
}

/// A header block, from its first frame to its last.
pub(super) struct Block {
    /// The first frame.
    pub(super) frame: Frame,
    /// The stream that PUSH_PROMISE promises.
    pub(super) promised: Option<u32>,
    /// All frames as they came.
    raw: BytesMut,
    /// What precedes the block in its first frame and is neither padding nor its length.
    prefix: Vec<u8>,
    fragment: Vec<u8>,
}

impl Lane {
    /// A direction of which nothing has come yet.
    pub(super) fn new(at: At) -> Self {
        Self {
            at,
            injected: BytesMut::new(),
            has_begun: false,
            block: None,
            decoder: hpack::Decoder::new(MAX_HEAD),
            largest_frame: DEFAULT_FRAME,
            is_reencoded: false,
        }
    }

    /// The receiver keeps a header table of `size` bytes.
    pub(super) fn allow_table(&mut self, size: usize) {
        self.decoder.allow(size.min(MAX_TABLE));
    }

    /// The size of the header table that its sender goes by, in bytes.
    pub(super) const fn table_size(&self) -> usize {
        self.decoder.table_size()
    }

    /// The receiver takes frames of `size` bytes.
    pub(super) fn allow_frame(&mut self, size: usize) {
        self.largest_frame = self.largest_frame.max(size);
    }

    /// The head of the next frame; `None` if more is needed. What is read as a whole must have come as a whole.
    pub(super) fn next_frame(&self, input: &[u8]) -> Result<Option<Frame>, Violation> {
        let Some(frame) = Frame::read(input) else { return Ok(None) };
        if frame.length > self.largest_frame {
            return Err(Violation::frame_size(Invalid("a frame that is larger than its receiver allows")));
        }
        let continues = |block: &Block| frame.kind == Kind::Continuation && frame.stream == block.frame.stream;
        if self.block.as_ref().map_or(frame.kind == Kind::Continuation, |block| !continues(block)) {
            return Err(Invalid("a header block that is interrupted").into());
        }
        let needed = match frame.kind {
            Kind::Data => usize::from(frame.has(PADDED)),
            Kind::Other(_) => 0,
            _ if frame.length > MAX_HEAD => return Err(Violation::calm("a header block is too large")),
            _ => frame.length,
        };
        Ok((input.len() >= HEAD + needed).then_some(frame))
    }

    /// Adds a frame of a header block; the block, if that was its last.
    pub(super) fn collect(&mut self, frame: Frame, bytes: &[u8]) -> Result<Option<Block>, Violation> {
        let payload = &bytes[HEAD..];
        let block = match self.block.take() {
            None => Block::begin(frame, bytes)?,
            Some(mut block) => {
                block.raw.extend_from_slice(bytes);
                block.fragment.extend_from_slice(payload);
                block
            }
        };
        if block.raw.len() > MAX_HEAD {
            return Err(Violation::calm("a header block is too large"));
        }
        if frame.has(END_HEADERS) {
            return Ok(Some(block));
        }
        self.block = Some(block);
        Ok(None)
    }

    /// What a block says.
    pub(super) fn decode(&mut self, block: &Block) -> Result<Vec<Field>, Violation> {
        self.decoder.decode(&block.fragment).map_err(Violation::compression)
    }

    /// Lets a block pass that says `fields`.
    pub(super) fn pass(&self, block: &Block, fields: &[Field], out: &mut BytesMut) {
        if self.is_reencoded { block.reencode(fields, out) } else { out.extend_from_slice(&block.raw) }
    }

    /// Lets a block not pass: those after it can no longer refer to what it added to the table.
    pub(super) const fn withhold(&mut self) {
        self.is_reencoded = true;
    }

    /// Whether what goes out in this direction is between frames.
    pub(super) fn is_between_frames(&self) -> bool {
        self.at == At::Frame
    }
}

impl Block {
    fn begin(frame: Frame, bytes: &[u8]) -> Result<Self, Violation> {
        let payload = unpadded(&frame, &bytes[HEAD..])?;
        let prefix = match frame.kind {
            Kind::PushPromise => 4,
            _ if frame.has(PRIORITY) => PRIORITY_BYTES,
            _ => 0,
        };
        let (prefix, fragment) = payload.split_at_checked(prefix).ok_or(Invalid("a frame of the wrong size"))?;
        let promised = match frame.kind {
            Kind::PushPromise => Some(number(prefix)? & 0x7fff_ffff),
            _ => None,
        };
        let (prefix, fragment) = (prefix.to_vec(), fragment.to_vec());
        Ok(Self { frame, promised, raw: BytesMut::from(bytes), prefix, fragment })
    }

    /// Whether the sender's side of the stream ends with it.
    pub(super) const fn ends(&self) -> bool {
        self.frame.has(END_STREAM)
    }

    /// Writes the same fields without reference to any table, and empties the receiver's.
    fn reencode(&self, fields: &[Field], out: &mut BytesMut) {
        let mut payload = self.prefix.clone();
        hpack::encode_size(0, &mut payload);
        hpack::encode(fields, &mut payload);
        let kept = self.frame.flags & (END_STREAM | PRIORITY);
        write_block(Frame { flags: kept, ..self.frame }, &payload, out);
    }
}

/// Writes a header block in as many frames as it takes, the first of them like `frame`.
pub(super) fn write_block(frame: Frame, payload: &[u8], out: &mut BytesMut) {
    let pieces = payload.len().div_ceil(DEFAULT_FRAME).max(1);
    let mut frame = frame;
    for piece in 0..pieces {
        let last = piece + 1 == pieces;
        frame.flags |= if last { END_HEADERS } else { 0 };
        let start = piece * DEFAULT_FRAME;
        let end = if last { payload.len() } else { start + DEFAULT_FRAME };
        frame.write(&payload[start..end], out);
        frame = Frame { kind: Kind::Continuation, flags: 0, ..frame };
    }
}
