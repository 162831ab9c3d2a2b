//! Frames that are read as a whole and belong to no header block: settings, room, resets.

use super::reply::{self, Shrink};
use super::{Http2, NO_ERROR, Violation};
use crate::engine::http::exchange::Direction;
use crate::engine::http::verbatim::Out;
use crate::engine::wire::Invalid;
use crate::engine::wire::h2::{ACK, Frame, HEAD, Kind, Setting, code_name, number, settings};

impl Http2 {
    /// A frame that is read as a whole and belongs to no header block.
    pub(super) fn control(
        &mut self,
        direction: Direction,
        frame: Frame,
        bytes: &[u8],
        out: &mut Out,
    ) -> Result<(), Violation> {
        let payload = &bytes[HEAD..];
        match frame.kind {
            Kind::Settings if frame.has(ACK) => self.acknowledged(direction),
            Kind::Settings => self.set(direction, payload).map_err(Violation::frame_size)?,
            Kind::RstStream => {
                let code = number(payload).map_err(Violation::frame_size)?;
                if direction == Direction::Request && self.refused.remove(&frame.stream).is_some() {
                    return Ok(());
                }
                self.reset_stream(direction, frame.stream, code);
            }
            Kind::WindowUpdate if direction == Direction::Request => {
                return self.window_update(frame, bytes, out);
            }
            _ => {}
        }
        out.along(direction).extend_from_slice(bytes);
        Ok(())
    }

    /// What one side says that it takes is what the other may send.
    fn set(&mut self, direction: Direction, payload: &[u8]) -> Result<(), Invalid> {
        for setting in settings(payload)? {
            let opposite = match direction {
                Direction::Request => &mut self.responses,
                Direction::Response => &mut self.requests,
            };
            match (setting, direction) {
                (Setting::MaxFrameSize(size), _) => opposite.allow_frame(size),
                (Setting::HeaderTableSize(size), Direction::Response) => opposite.allow_table(size),
                (Setting::HeaderTableSize(size), Direction::Request) => {
                    opposite.allow_table(size);
                    self.shrink = self.shrink.ask(size, opposite.table_size());
                }
                (Setting::InitialWindowSize(size), Direction::Request) => self.windows.initial = size,
                (Setting::InitialWindowSize(size), Direction::Response) => {
                    self.request_window = usize::try_from(size).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    const fn acknowledged(&mut self, direction: Direction) {
        if let (Direction::Response, Shrink::Asked(size)) = (direction, self.shrink) {
            self.shrink = Shrink::Due(size);
        }
    }

    /// The child makes room. What it makes for data of ours the server must not take for its own.
    fn window_update(&mut self, frame: Frame, bytes: &[u8], out: &mut Out) -> Result<(), Violation> {
        let increment = number(&bytes[HEAD..]).map_err(Violation::frame_size)? & 0x7fff_ffff;
        if frame.stream != 0 {
            if !self.refused.contains_key(&frame.stream) {
                out.upstream.extend_from_slice(bytes);
            }
            return Ok(());
        }
        let rest = self.windows.grow(i64::from(increment));
        self.is_held = false;
        if rest == i64::from(increment) {
            out.upstream.extend_from_slice(bytes);
        } else {
            reply::room(0, usize::try_from(rest).unwrap_or_default(), &mut out.upstream);
        }
        Ok(())
    }

    fn reset_stream(&mut self, direction: Direction, id: u32, code: u32) {
        let who = match direction {
            Direction::Request => "downstream",
            Direction::Response => "upstream",
        };
        let is_answered = self.streams.get(&id).is_some_and(|stream| stream.has_ended(Direction::Response));
        // A server that has answered may say that it wants no more of the request (RFC 9113 section 8.1).
        let is_failure = !(code == NO_ERROR && is_answered);
        self.finish(id, is_failure.then(|| format!("{who} reset the stream: {}", code_name(code))));
    }
}
