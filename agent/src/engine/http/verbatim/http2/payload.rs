//! What passes without being held: the preface, the content of bodies, and frames that nobody here understands.

use bytes::BytesMut;

use super::lane::{At, Data};
use super::{Http2, NO_ERROR, Violation, reply};
use crate::engine::http::exchange::Direction;
use crate::engine::http::verbatim::Out;
use crate::engine::wire::Invalid;
use crate::engine::wire::h2::{END_STREAM, Frame, HEAD, PADDED, PREFACE};

impl Http2 {
    /// What a client's side begins with.
    pub(super) fn preface(&mut self, input: &mut BytesMut, out: &mut Out) -> Result<bool, Violation> {
        let come = input.len().min(PREFACE.len());
        if input[..come] != PREFACE[..come] {
            return Err(Invalid("a connection preface that is none").into());
        }
        if come < PREFACE.len() {
            return Ok(false);
        }
        out.upstream.extend_from_slice(&input.split_to(come));
        self.requests.at = At::Frame;
        Ok(true)
    }

    /// The rest of a frame that nobody needs to understand.
    pub(super) fn pass_opaque(
        &mut self,
        direction: Direction,
        left: usize,
        input: &mut BytesMut,
        out: &mut Out,
    ) -> bool {
        let passing = input.split_to(left.min(input.len()));
        out.along(direction).extend_from_slice(&passing);
        self.advance(direction, left - passing.len(), At::Opaque, out);
        left == 0 || !passing.is_empty()
    }

    /// Moves on within a frame, or to the next.
    fn advance(&mut self, direction: Direction, left: usize, at: impl FnOnce(usize) -> At, out: &mut Out) {
        let lane = self.lane(direction);
        lane.at = if left == 0 { At::Frame } else { at(left) };
        if left == 0 {
            self.turn(direction, out);
        }
    }

    /// The head of DATA. What belongs to a stream that is over passes: it was sent before its end was known.
    pub(super) fn data(
        &mut self,
        direction: Direction,
        frame: Frame,
        input: &mut BytesMut,
        out: &mut Out,
    ) -> Result<bool, Violation> {
        let padding = if frame.has(PADDED) { 1 + usize::from(input[HEAD]) } else { 0 };
        let content = frame.length.checked_sub(padding).ok_or(Invalid("more padding than payload"))?;
        let length = i64::try_from(frame.length).unwrap_or(i64::MAX);
        if direction == Direction::Response && !self.windows.take(length) {
            self.is_held = true;
            return Ok(false);
        }
        if direction == Direction::Request && (frame.stream.is_multiple_of(2) || frame.stream > self.last) {
            return Err(Invalid("data of a stream that is not open").into());
        }
        let passes = direction == Direction::Response || !self.refused.contains_key(&frame.stream);
        if !passes {
            let is_patient = self.is_patient(frame);
            self.inject(out, |downstream| {
                // The server will never make room for what it does not get.
                reply::room(0, frame.length, downstream);
                match is_patient {
                    Some(true) => reply::room(frame.stream, frame.length, downstream),
                    Some(false) => reply::reset(frame.stream, NO_ERROR, downstream),
                    None => {}
                }
            });
        }
        let announced = input.split_to(HEAD + usize::from(frame.has(PADDED)));
        if passes {
            out.along(direction).extend_from_slice(&announced);
        }
        let left = frame.length - usize::from(frame.has(PADDED));
        let ends = frame.has(END_STREAM);
        self.lane(direction).at = At::Data(Data { stream: frame.stream, content, left, ends, passes });
        Ok(true)
    }

    /// Whether the child may send more of a stream that was refused, or is to be asked to stop after this frame; neither,
    /// if it has sent all or was asked before.
    fn is_patient(&mut self, frame: Frame) -> Option<bool> {
        let patience = self.refused.get_mut(&frame.stream).filter(|_| !frame.has(END_STREAM))?;
        *patience = Some(patience.as_ref()?.saturating_sub(frame.length));
        Some(patience.take_if(|patience| *patience == 0).is_none())
    }

    /// The rest of a DATA frame, as far as it has come.
    pub(super) fn pass_data(
        &mut self,
        direction: Direction,
        mut data: Data,
        input: &mut BytesMut,
        out: &mut Out,
    ) -> bool {
        let passing = input.split_to(data.left.min(input.len()));
        let content = passing.len().min(data.content);
        let is_over = passing.len() == data.left;
        if data.passes {
            out.along(direction).extend_from_slice(&passing);
        }
        if let Some(stream) = self.streams.get_mut(&data.stream) {
            stream.data(direction, &passing[..content]);
        }
        data.content -= content;
        self.advance(direction, data.left - passing.len(), |left| At::Data(Data { left, ..data }), out);
        if is_over && data.ends {
            self.end_stream(direction, data.stream);
        }
        is_over || !passing.is_empty()
    }
}
