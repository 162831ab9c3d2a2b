//! Header blocks: requests, which are judged, and what follows them.

use bytes::BytesMut;
use http::Method;

use super::lane::Block;
use super::reply::{self, Shrink, Windows};
use super::stream::Stream;
use super::{Http2, MAX_STREAMS, PROTOCOL_ERROR, REFUSED_STREAM, Violation};
use crate::engine::http::exchange::{Direction, Exchange};
use crate::engine::http::reply::UNWANTED;
use crate::engine::http::verbatim::{Out, Passage as _, refused};
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::wire::Invalid;

/// Room for a request that was answered, where the server gives none.
const FIRST_ROOM: usize = 16 * 1024;

impl Http2 {
    /// A whole header block.
    pub(super) fn block(&mut self, direction: Direction, block: &Block, out: &mut Out) -> Result<(), Violation> {
        let fields = self.lane(direction).decode(block)?;
        let id = block.frame.stream;
        if direction == Direction::Response {
            self.shrink = Shrink::None;
        }
        match (direction, block.promised) {
            (Direction::Response, Some(promised)) => return self.promise(promised, block, &fields, out),
            (Direction::Request, Some(_)) => return Err(Invalid("PUSH_PROMISE from a client").into()),
            (Direction::Request, None) if id.is_multiple_of(2) => {
                return Err(Invalid("a request on a stream that is not a client's").into());
            }
            (Direction::Request, None) if self.refused.contains_key(&id) => {
                self.requests.withhold();
                self.end_refused(block.ends(), id);
                return Ok(());
            }
            (Direction::Request, None) if id > self.last => return self.open(block, &fields, out),
            (_, None) => {}
        }
        let status = fields.iter().find(|field| field.is(":status")).and_then(Field::text);
        if direction == Direction::Request && fields.iter().any(|field| field.name.starts_with(b":")) {
            return Err(Invalid("a second request on a stream").into());
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            let status = status.and_then(|status| status.parse().ok());
            stream.headers(direction, status, &fields);
        }
        self.lane(direction).pass(block, &fields, out.along(direction));
        if block.ends() {
            self.end_stream(direction, id);
        }
        Ok(())
    }

    /// The head of a request.
    fn open(&mut self, block: &Block, fields: &[Field], out: &mut Out) -> Result<(), Violation> {
        let id = block.frame.stream;
        if self.streams.len() + self.refused.len() >= MAX_STREAMS {
            return Err(Violation::calm("too many streams at once"));
        }
        if self.is_draining {
            self.refuse(block, None, out, |_, downstream| reply::reset(id, REFUSED_STREAM, downstream));
            return Ok(());
        }
        let head = match RequestHead::of_http2(fields, &self.origin) {
            Ok(head) => head,
            Err(invalid) => {
                self.exchanges.emit(refused(self.connection, Direction::Request, &invalid));
                self.refuse(block, None, out, |_, downstream| reply::reset(id, PROTOCOL_ERROR, downstream));
                return Ok(());
            }
        };
        let Some((exchange, judged)) = self.exchanges.begin(&head) else {
            // RFC 9113 section 8.7: the child may send it again, as nothing was done about it.
            self.outgrow(out);
            self.refuse(block, None, out, |_, downstream| reply::reset(id, REFUSED_STREAM, downstream));
            return Ok(());
        };
        self.last = id;
        match judged {
            Ok(permit) => {
                self.requests.pass(block, fields, &mut out.upstream);
                self.streams.insert(id, Stream::new(exchange, permit));
                if block.ends() {
                    self.end_stream(Direction::Request, id);
                }
            }
            Err(reply) => self.answer(block, head.method == Method::HEAD, &reply, exchange, out),
        }
        Ok(())
    }

    /// Answers a request in the server's place. What the child has begun to send it may go on with, and gets room for it
    /// from us: many take a reset for a failure, whatever they were told before.
    fn answer(&mut self, block: &Block, headless: bool, reply: &Reply, mut exchange: Exchange, out: &mut Out) {
        let (id, ends, shrink) = (block.frame.stream, block.ends(), self.shrink);
        let mut sent = 0;
        let is_shut = !ends && self.request_window == 0;
        self.refuse(block, Some(UNWANTED), out, |windows, downstream| {
            sent = reply::answer(reply, id, headless, shrink, windows, downstream);
            if is_shut {
                reply::room(id, FIRST_ROOM, downstream);
            }
        });
        exchange.reply(reply, &reply.body[..sent]);
        if let Some(finished) = exchange.finish() {
            self.exchanges.emit(finished);
        }
    }

    /// Withholds a request, and tells the child instead. It is asked to stop after it has sent `patience` more bytes, if it
    /// is not asked at once.
    fn refuse(
        &mut self,
        block: &Block,
        patience: Option<usize>,
        out: &mut Out,
        tell: impl FnOnce(&mut Windows, &mut BytesMut),
    ) {
        self.last = self.last.max(block.frame.stream);
        self.requests.withhold();
        self.refused.insert(block.frame.stream, patience);
        self.end_refused(block.ends(), block.frame.stream);
        let mut windows = std::mem::take(&mut self.windows);
        self.inject(out, |downstream| tell(&mut windows, downstream));
        self.windows = windows;
    }

    pub(super) fn end_refused(&mut self, ends: bool, id: u32) {
        if ends {
            self.refused.remove(&id);
        }
    }

    /// A request that the server makes up, to answer it unasked.
    fn promise(&mut self, promised: u32, block: &Block, fields: &[Field], out: &mut Out) -> Result<(), Violation> {
        let head = RequestHead::of_http2(fields, &self.origin)?;
        let Some((exchange, Ok(permit))) = self.exchanges.begin(&head) else {
            return Err(Invalid("a promise of what is refused").into());
        };
        self.responses.pass(block, fields, &mut out.downstream);
        self.streams.insert(promised, Stream::new(exchange, permit));
        self.end_stream(Direction::Request, promised);
        Ok(())
    }
}
