//! An HTTP/2 connection: frames pass in order and unchanged, with their stream numbers, header blocks, flow control,
//! settings, resets and whatever later documents define. Where a request is refused its frames are withheld, and the
//! answer takes its place without touching any other stream.

mod lane;
mod reply;
mod stream;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use http::Method;

use self::lane::{At, Block, Data, Lane};
use self::reply::{Shrink, Windows};
use self::stream::Stream;
use super::{Exchanges, Fate, Out, Passage, refused};
use crate::engine::event::ConnectionId;
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, Origin, Reply, RequestHead};
use crate::engine::policy::Verdict;
use crate::engine::wire::Invalid;
use crate::engine::wire::h2::{
    ACK, END_STREAM, Frame, HEAD, Kind, PADDED, PREFACE, Setting, code_name, number, settings,
};

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
    /// Streams that were refused and of which the child may still send.
    refused: HashSet<u32>,
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
            refused: HashSet::new(),
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

    fn preface(&mut self, input: &mut BytesMut, out: &mut Out) -> Result<bool, Violation> {
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
            }
            Kind::Settings | Kind::WindowUpdate | Kind::RstStream | Kind::GoAway => {
                let bytes = input.split_to(HEAD + frame.length);
                self.control(direction, frame, &bytes, out)?;
            }
        }
        Ok(true)
    }

    /// The rest of a frame that nobody needs to understand.
    fn pass_opaque(&mut self, direction: Direction, left: usize, input: &mut BytesMut, out: &mut Out) -> bool {
        let passing = input.split_to(left.min(input.len()));
        out.along(direction).extend_from_slice(&passing);
        self.advance(direction, left - passing.len(), At::Opaque, out);
        left == 0 || !passing.is_empty()
    }

    /// Moves on within a frame, or to the next, before which ours have their turn.
    fn advance(&mut self, direction: Direction, left: usize, at: impl FnOnce(usize) -> At, out: &mut Out) {
        let lane = self.lane(direction);
        lane.at = if left == 0 { At::Frame } else { at(left) };
        if left == 0 {
            let injected = lane.injected.split();
            out.along(direction).extend_from_slice(&injected);
        }
    }

    /// The head of DATA. What belongs to a stream that is over passes: it was sent before its end was known.
    fn data(
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
        if direction == Direction::Request && frame.stream % 2 == 1 && frame.stream > self.last {
            return Err(Invalid("data of a stream that is not open").into());
        }
        let passes = direction == Direction::Response || !self.refused.contains(&frame.stream);
        if !passes {
            // The server will never make room for what it does not get.
            self.inject(out, |downstream| reply::room(frame.length, downstream));
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

    /// The rest of a DATA frame, as far as it has come.
    fn pass_data(&mut self, direction: Direction, mut data: Data, input: &mut BytesMut, out: &mut Out) -> bool {
        let passing = input.split_to(data.left.min(input.len()));
        let content = passing.len().min(data.content);
        let is_over = passing.len() == data.left;
        if data.passes {
            out.along(direction).extend_from_slice(&passing);
        }
        if let Some(stream) = self.streams.get_mut(&data.stream) {
            stream.data(direction, content);
        }
        data.content -= content;
        self.advance(direction, data.left - passing.len(), |left| At::Data(Data { left, ..data }), out);
        if is_over && data.ends {
            self.end_stream(direction, data.stream);
        }
        is_over || !passing.is_empty()
    }

    /// A whole header block.
    fn block(&mut self, direction: Direction, block: &Block, out: &mut Out) -> Result<(), Violation> {
        let fields = self.lane(direction).decode(block)?;
        let id = block.frame.stream;
        if direction == Direction::Response {
            self.shrink = Shrink::None;
        }
        match (direction, block.promised) {
            (Direction::Response, Some(promised)) => return self.promise(promised, block, fields, out),
            (Direction::Request, Some(_)) => return Err(Invalid("PUSH_PROMISE from a client").into()),
            (Direction::Request, None) if self.refused.contains(&id) => {
                self.requests.withhold();
                self.end_refused(block.ends(), id);
                return Ok(());
            }
            (Direction::Request, None) if id > self.last => return self.open(block, fields, out),
            (_, None) => {}
        }
        let status = fields.iter().find(|field| field.is(":status")).and_then(Field::text);
        if direction == Direction::Request && fields.iter().any(|field| field.name.starts_with(b":")) {
            return Err(Invalid("a second request on a stream").into());
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.headers(direction, status.and_then(|status| status.parse().ok()));
        }
        self.lane(direction).pass(block, &fields, out.along(direction));
        if block.ends() {
            self.end_stream(direction, id);
        }
        Ok(())
    }

    /// The head of a request.
    fn open(&mut self, block: &Block, fields: Vec<Field>, out: &mut Out) -> Result<(), Violation> {
        let id = block.frame.stream;
        if id % 2 == 0 {
            return Err(Invalid("a stream of a client with an even number").into());
        }
        if self.streams.len() + self.refused.len() >= MAX_STREAMS {
            return Err(Violation::calm("too many streams at once"));
        }
        if self.is_draining {
            return Ok(self.refuse(block, out, |_, downstream| reply::reset(id, REFUSED_STREAM, downstream)));
        }
        self.last = id;
        let head = match RequestHead::of_http2(fields.clone(), &self.origin) {
            Ok(head) => head,
            Err(invalid) => {
                self.exchanges.emit(refused(self.connection, Direction::Request, &invalid));
                self.refuse(block, out, |_, downstream| reply::reset(id, PROTOCOL_ERROR, downstream));
                return Ok(());
            }
        };
        let (exchange, verdict) = self.exchanges.begin(&head);
        match verdict {
            Verdict::Forward(permit) => {
                self.requests.pass(block, &fields, &mut out.upstream);
                self.streams.insert(id, Stream::new(exchange, permit));
                if block.ends() {
                    self.end_stream(Direction::Request, id);
                }
            }
            Verdict::Refuse(reply) => self.answer(block, head.method == Method::HEAD, &reply, exchange, out),
        }
        Ok(())
    }

    /// Answers a request in the server's place.
    fn answer(
        &mut self,
        block: &Block,
        headless: bool,
        reply: &Reply,
        mut exchange: crate::engine::http::exchange::Exchange,
        out: &mut Out,
    ) {
        let (id, ends, shrink) = (block.frame.stream, block.ends(), self.shrink);
        let mut sent = 0;
        self.refuse(block, out, |windows, downstream| {
            sent = reply::answer(reply, id, headless, shrink, windows, downstream);
            if !ends {
                reply::reset(id, NO_ERROR, downstream);
            }
        });
        exchange.answer(reply.status.as_u16());
        exchange.settle(Direction::Response, crate::engine::http::exchange::Half::whole(sent as u64));
        if let Some(finished) = exchange.finish() {
            self.exchanges.emit(finished);
        }
    }

    /// Withholds a request, and tells the child instead.
    fn refuse(&mut self, block: &Block, out: &mut Out, tell: impl FnOnce(&mut Windows, &mut BytesMut)) {
        self.last = self.last.max(block.frame.stream);
        self.requests.withhold();
        self.refused.insert(block.frame.stream);
        self.end_refused(block.ends(), block.frame.stream);
        let mut windows = std::mem::take(&mut self.windows);
        self.inject(out, |downstream| tell(&mut windows, downstream));
        self.windows = windows;
    }

    fn end_refused(&mut self, ends: bool, id: u32) {
        if ends {
            self.refused.remove(&id);
        }
    }

    /// A request that the server makes up, to answer it unasked.
    fn promise(&mut self, promised: u32, block: &Block, fields: Vec<Field>, out: &mut Out) -> Result<(), Violation> {
        let head = RequestHead::of_http2(fields.clone(), &self.origin)?;
        let (exchange, verdict) = self.exchanges.begin(&head);
        let Verdict::Forward(permit) = verdict else {
            return Err(Invalid("a promise of what is refused").into());
        };
        self.responses.pass(block, &fields, &mut out.downstream);
        self.streams.insert(promised, Stream::new(exchange, permit));
        self.end_stream(Direction::Request, promised);
        Ok(())
    }

    /// A frame that is read as a whole and belongs to no header block.
    fn control(&mut self, direction: Direction, frame: Frame, bytes: &[u8], out: &mut Out) -> Result<(), Violation> {
        let payload = &bytes[HEAD..];
        match frame.kind {
            Kind::Settings if frame.has(ACK) => self.acknowledged(direction),
            Kind::Settings => self.set(direction, payload).map_err(Violation::frame_size)?,
            Kind::RstStream => {
                let code = number(payload).map_err(Violation::frame_size)?;
                if direction == Direction::Request && self.refused.remove(&frame.stream) {
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
                    self.shrink = Shrink::Asked(size);
                }
                (Setting::InitialWindowSize(size), Direction::Request) => self.windows.initial = size,
                (Setting::InitialWindowSize(_), Direction::Response) => {}
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
            if !self.refused.contains(&frame.stream) {
                out.upstream.extend_from_slice(bytes);
            }
            return Ok(());
        }
        let rest = self.windows.grow(i64::from(increment));
        self.is_held = false;
        if rest == i64::from(increment) {
            out.upstream.extend_from_slice(bytes);
        } else {
            reply::room(usize::try_from(rest).unwrap_or_default(), &mut out.upstream);
        }
        Ok(())
    }

    fn end_stream(&mut self, direction: Direction, id: u32) {
        self.end_refused(direction == Direction::Request, id);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.end(direction);
        if stream.has_ended(Direction::Request) && stream.has_ended(Direction::Response) {
            self.finish(id, None);
        }
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

    fn finish(&mut self, id: u32, error: Option<String>) {
        let Some(mut stream) = self.streams.remove(&id) else { return };
        if let Some(error) = error {
            stream.fail(error);
        }
        stream.finish(&*self.exchanges);
    }

    /// Writes frames of ours to the child, between frames of the server's.
    fn inject(&mut self, out: &mut Out, write: impl FnOnce(&mut BytesMut)) {
        let between = self.responses.is_between_frames();
        write(if between { &mut out.downstream } else { &mut self.responses.injected });
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
