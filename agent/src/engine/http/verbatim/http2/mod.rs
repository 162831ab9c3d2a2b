//! An HTTP/2 connection: frames pass in order and unchanged, with their stream numbers, header blocks, flow control,
//! settings, resets and whatever later documents define. Where a request is refused its frames are withheld, and the
//! answer takes its place without touching any other stream.

mod control;
mod heads;
mod lane;
mod payload;
mod reply;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};

use self::lane::{At, Lane};
use self::reply::{Shrink, Windows};
use self::stream::Stream;
use super::{Exchanges, Fate, Out, Passage, refused};
use crate::engine::event::ConnectionId;
use crate::engine::http::Origin;
use crate::engine::http::exchange::Direction;
use crate::engine::wire::Invalid;
use crate::engine::wire::h2::{DEFAULT_WINDOW, HEAD, Kind};

/// Streams that may be open at once; the server usually allows fewer.
const MAX_STREAMS: usize = 4096;

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION_ERROR: u32 = 9;
const ENHANCE_YOUR_CALM: u32 = 11;

/// Why a connection ends here, and the code that the child is told (RFC 9113 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Violation {
    code: u32,
    reason: Invalid,
}

impl Violation {
    const fn frame_size(reason: Invalid) -> Self {
        Self { code: FRAME_SIZE_ERROR, reason }
    }

    const fn calm(reason: &'static str) -> Self {
        Self { code: ENHANCE_YOUR_CALM, reason: Invalid(reason) }
    }

    const fn compression(reason: Invalid) -> Self {
        Self { code: COMPRESSION_ERROR, reason }
    }
}

impl From<Invalid> for Violation {
    fn from(reason: Invalid) -> Self {
        Self { code: PROTOCOL_ERROR, reason }
    }
}

/// The carrier of one HTTP/2 connection.
pub struct Http2 {
    exchanges: Arc<dyn Exchanges>,
    connection: ConnectionId,
    origin: Origin,
    requests: Lane,
    responses: Lane,
    streams: HashMap<u32, Stream>,
    /// Streams that were refused and of which the child may still send; and how many bytes until it is asked to stop, if
    /// it was not.
    refused: HashMap<u32, Option<usize>>,
    /// What the server takes of a request before it makes room.
    request_window: usize,
    /// The latest stream that the child opened.
    last: u32,
    windows: Windows,
    shrink: Shrink,
    /// The server's data waits for room that an answer of ours took.
    is_held: bool,
    is_draining: bool,
    has_ended: bool,
    fate: Fate,
}

impl Http2 {
    /// A connection on which nothing has passed, the preface included.
    #[must_use]
    pub fn new(exchanges: Arc<dyn Exchanges>, connection: ConnectionId, origin: Origin) -> Self {
        Self {
            exchanges,
            connection,
            origin,
            requests: Lane::new(At::Preface),
            responses: Lane::new(At::Frame),
            streams: HashMap::new(),
            refused: HashMap::new(),
            request_window: usize::try_from(DEFAULT_WINDOW).unwrap_or_default(),
            last: 0,
            windows: Windows::default(),
            shrink: Shrink::None,
            is_held: false,
            is_draining: false,
            has_ended: false,
            fate: Fate::Open,
        }
    }

    /// Takes the next part; false if more must come first, from either side.
    fn step(&mut self, direction: Direction, input: &mut BytesMut, out: &mut Out) -> Result<bool, Violation> {
        match self.lane(direction).at {
            At::Preface => self.preface(input, out),
            At::Frame => self.frame(direction, input, out),
            At::Opaque(left) => Ok(self.pass_opaque(direction, left, input, out)),
            At::Data(data) => Ok(self.pass_data(direction, data, input, out)),
        }
    }

    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Request => &mut self.requests,
            Direction::Response => &mut self.responses,
        }
    }

    fn frame(&mut self, direction: Direction, input: &mut BytesMut, out: &mut Out) -> Result<bool, Violation> {
        let Some(frame) = self.lane(direction).next_frame(input)? else { return Ok(false) };
        match frame.kind {
            Kind::Data => return self.data(direction, frame, input, out),
            Kind::Other(_) => {
                out.along(direction).extend_from_slice(&input.split_to(HEAD));
                self.lane(direction).at = At::Opaque(frame.length);
            }
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                let bytes = input.split_to(HEAD + frame.length);
                if let Some(block) = self.lane(direction).collect(frame, &bytes)? {
                    self.block(direction, &block, out)?;
                }
                self.turn(direction, out);
            }
            Kind::Settings | Kind::WindowUpdate | Kind::RstStream | Kind::GoAway => {
                let bytes = input.split_to(HEAD + frame.length);
                self.control(direction, frame, &bytes, out)?;
                self.turn(direction, out);
            }
        }
        Ok(true)
    }

    /// Between two frames it is the turn of those of ours that waited.
    fn turn(&mut self, direction: Direction, out: &mut Out) {
        let lane = self.lane(direction);
        lane.has_begun = true;
        let injected = lane.injected.split();
        out.along(direction).extend_from_slice(&injected);
    }

    fn end_stream(&mut self, direction: Direction, id: u32) {
        self.end_refused(direction == Direction::Request, id);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.end(direction);
        if stream.has_ended(Direction::Request) && stream.has_ended(Direction::Response) {
            self.finish(id, None);
        }
    }

    fn finish(&mut self, id: u32, error: Option<String>) {
        let Some(mut stream) = self.streams.remove(&id) else { return };
        if let Some(error) = error {
            stream.fail(error);
        }
        stream.finish(&*self.exchanges);
    }

    /// Writes frames of ours to the child, between frames of the server's, of which the first is SETTINGS (RFC 9113
    /// section 3.4).
    fn inject(&mut self, out: &mut Out, write: impl FnOnce(&mut BytesMut)) {
        let is_our_turn = self.responses.has_begun && self.responses.is_between_frames();
        write(if is_our_turn { &mut out.downstream } else { &mut self.responses.injected });
    }

    /// Ends the connection.
    fn violated(&mut self, direction: Direction, violation: Violation, out: &mut Out) {
        self.exchanges.emit(refused(self.connection, direction, &violation.reason));
        for stream in self.streams.values_mut() {
            stream.fail(violation.reason.to_string());
        }
        let between = direction == Direction::Response || self.responses.is_between_frames();
        if between {
            reply::go_away(self.last, violation.code, &mut out.downstream);
        }
        self.fate = if between { Fate::Close } else { Fate::Reset };
    }

    fn settle(&mut self) {
        if self.fate == Fate::Open && self.streams.is_empty() && (self.is_draining || self.has_ended) {
            self.fate = Fate::Close;
        }
    }
}

impl Passage for Http2 {
    fn take(&mut self, direction: Direction, input: &mut BytesMut, out: &mut Out) {
        while self.fate == Fate::Open {
            match self.step(direction, input, out) {
                Ok(true) => {}
                Ok(false) => break,
                Err(violation) => self.violated(direction, violation, out),
            }
        }
        if self.fate != Fate::Open {
            input.advance(input.len());
        }
        self.settle();
    }

    fn end(&mut self, direction: Direction, _: &mut Out) {
        self.has_ended = true;
        if direction == Direction::Response {
            for stream in self.streams.values_mut() {
                stream.fail("upstream closed the connection".into());
            }
            self.fate = Fate::Close;
        }
        self.settle();
    }

    fn wants(&self, direction: Direction) -> bool {
        direction == Direction::Request || !self.is_held
    }

    fn fate(&self) -> Fate {
        self.fate
    }

    fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    fn drain(&mut self, out: &mut Out) {
        if !std::mem::replace(&mut self.is_draining, true) {
            let last = self.last;
            self.inject(out, |downstream| reply::go_away(last, NO_ERROR, downstream));
        }
        self.settle();
    }

    fn outgrow(&mut self, out: &mut Out) {
        // What both sides know of each other's fields and room cannot be handed on.
        self.drain(out);
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        for (_, stream) in self.streams.drain() {
            stream.finish(&*self.exchanges);
        }
    }
}

#[cfg(test)]
mod tests;
