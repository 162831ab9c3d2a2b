//! An HTTP/1 connection: requests in a row, responses in the same order, and perhaps a tunnel in the end.

mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use http::{Method, StatusCode};

use self::waiting::Waiting;
use super::{Exchanges, Fate, Out, Passage, refused};
use crate::engine::event::ConnectionId;
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Origin, Reply, RequestHead};
use crate::engine::wire::Invalid;
use crate::engine::wire::http1::{self, Body, Error, Scanner, Step, request_body, response_body};

/// Requests that may wait for their responses.
const MAX_WAITING: usize = 128;

/// The carrier of one HTTP/1 connection.
pub struct Http1 {
    exchanges: Arc<dyn Exchanges>,
    connection: ConnectionId,
    origin: Origin,
    waiting: VecDeque<Waiting>,
    requests: Reading,
    responses: Reading,
    ended: [bool; 2],
    is_draining: bool,
    is_outgrown: bool,
    fate: Fate,
}

/// What comes next in one direction.
enum Reading {
    Head(Scanner),
    Body(Body),
    /// No longer HTTP.
    Tunnel,
    /// What comes is not read any more.
    Stopped,
}

impl Http1 {
    /// A connection on which nothing has passed.
    #[must_use]
    pub fn new(exchanges: Arc<dyn Exchanges>, connection: ConnectionId, origin: Origin) -> Self {
        Self {
            exchanges,
            connection,
            origin,
            waiting: VecDeque::new(),
            requests: Reading::Head(Scanner::default()),
            responses: Reading::Head(Scanner::default()),
            ended: [false; 2],
            is_draining: false,
            is_outgrown: false,
            fate: Fate::Open,
        }
    }

    /// Takes the next part of what the child sends; false if more must come first, from either side.
    fn step_request(&mut self, input: &mut BytesMut, out: &mut Out) -> Result<bool, Error> {
        match &mut self.requests {
            Reading::Stopped => input.clear(),
            Reading::Tunnel => self.pass_tunnel(Direction::Request, input, out),
            Reading::Head(_) if self.waiting.back().is_some_and(|last| last.tunnel.is_some()) => {}
            Reading::Head(_) if self.is_draining || self.is_outgrown || self.waiting.len() >= MAX_WAITING => {}
            // RFC 9112 section 2.2: empty lines before a request mean nothing.
            Reading::Head(_) if input.starts_with(b"\r\n") => return Ok(!input.split_to(2).is_empty()),
            Reading::Head(scanner) => {
                let Some(length) = scanner.end_of_head(input)? else { return Ok(false) };
                return self.begin(length, input, out);
            }
            Reading::Body(body) => {
                let step = body.step(input)?;
                return Ok(self.pass(Direction::Request, &step, input, out));
            }
        }
        Ok(false)
    }

    /// Takes the next part of what the server sends.
    fn step_response(&mut self, input: &mut BytesMut, out: &mut Out) -> Result<bool, Error> {
        match &mut self.responses {
            Reading::Stopped => input.clear(),
            Reading::Tunnel => self.pass_tunnel(Direction::Response, input, out),
            Reading::Head(_) if input.is_empty() => {}
            Reading::Head(_) if self.waiting.front().is_some_and(|first| first.is_received) => {
                return Err(Invalid("a second response to a request").into());
            }
            Reading::Head(scanner) => {
                let Some(length) = scanner.end_of_head(input)? else { return Ok(false) };
                self.answer(&input.split_to(length), out)?;
                return Ok(true);
            }
            Reading::Body(body) => {
                let step = body.step(input)?;
                return Ok(self.pass(Direction::Response, &step, input, out));
            }
        }
        Ok(false)
    }

    /// The head of a request, `length` bytes of `input`; false if it is not for this carrier.
    fn begin(&mut self, length: usize, input: &mut BytesMut, out: &mut Out) -> Result<bool, Error> {
        let request = http1::request(&input[..length])?;
        let body = request_body(&request)?;
        let head = RequestHead::of_http1(request, &self.origin);
        let Some((exchange, judged)) = self.exchanges.begin(&head) else {
            self.is_outgrown = true;
            return Ok(false);
        };
        let bytes = input.split_to(length);
        self.waiting.push_back(match judged {
            Ok(permit) => {
                out.upstream.extend_from_slice(&bytes);
                Waiting::permitted(exchange, head, permit)
            }
            Err(reply) => Waiting::refused(exchange, head, reply),
        });
        self.requests = Reading::Body(body);
        Ok(true)
    }

    /// The head of a response. One that nobody asked for passes as well: servers say why they close.
    fn answer(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Error> {
        let head = http1::response(bytes)?;
        let first = self.waiting.front_mut();
        let method = first.as_ref().map_or(Method::GET, |first| first.method.clone());
        let body = response_body(&head, &method)?;
        let switches = head.status == 101 || (method == Method::CONNECT && (200..300).contains(&head.status));
        if switches {
            return self.switch(&head, bytes, out);
        }
        out.downstream.extend_from_slice(bytes);
        if let Some(first) = first {
            first.answer(&head);
            if head.status >= 200 {
                first.tunnel = None;
            }
        }
        if head.status >= 200 {
            self.responses = Reading::Body(body);
        } else {
            self.responses = Reading::Head(Scanner::default());
        }
        Ok(())
    }

    /// The server agrees that what follows is not HTTP.
    fn switch(&mut self, head: &http1::Response, bytes: &[u8], out: &mut Out) -> Result<(), Error> {
        let first = self.waiting.front_mut().filter(|first| first.is_sent);
        let asked = first.and_then(|first| first.tunnel.take().map(|protocol| (first, protocol)));
        let Some((first, protocol)) = asked else { return Err(Invalid("a switch that nobody asked for").into()) };
        if self.exchanges.permit_tunnel(&protocol).is_none() {
            return Err(Invalid("a switch to a protocol that is not read").into());
        }
        first.switch(head);
        out.downstream.extend_from_slice(bytes);
        (self.requests, self.responses) = (Reading::Tunnel, Reading::Tunnel);
        Ok(())
    }

    /// One part of a body; false if more must come first.
    fn pass(&mut self, direction: Direction, step: &Step, input: &mut BytesMut, out: &mut Out) -> bool {
        let length = match step {
            Step::More => return false,
            Step::End => 0,
            Step::Content(length) | Step::Framing(length) | Step::Trailers(length, _) => *length,
        };
        let bytes = input.split_to(length);
        let waiting = match direction {
            Direction::Request => self.waiting.back_mut(),
            Direction::Response => self.waiting.front_mut(),
        };
        let is_over = matches!(step, Step::End | Step::Trailers(..));
        let mut passes = true;
        if let Some(waiting) = waiting {
            note(waiting, direction, step, &bytes);
            passes = direction == Direction::Response || waiting.permit.is_some();
            match direction {
                Direction::Request => waiting.is_sent |= is_over,
                Direction::Response => waiting.is_received |= is_over,
            }
        }
        if passes {
            out.pass(direction, bytes);
        }
        if is_over {
            *self.reading(direction) = Reading::Head(Scanner::default());
        }
        true
    }

    fn pass_tunnel(&mut self, direction: Direction, input: &mut BytesMut, out: &mut Out) {
        if let Some(first) = self.waiting.front_mut() {
            note(first, direction, &Step::Content(input.len()), input);
        }
        out.pass(direction, input.split());
    }

    const fn reading(&mut self, direction: Direction) -> &mut Reading {
        match direction {
            Direction::Request => &mut self.requests,
            Direction::Response => &mut self.responses,
        }
    }

    /// Gives the answers whose turn it is, lets go of what is over, and closes what has nothing more to carry.
    fn settle(&mut self, out: &mut Out) {
        while let Some(first) = self.waiting.front_mut() {
            if let Some(reply) = first.reply.take() {
                first.give(&reply, !first.is_sent, &mut out.downstream);
            }
            match (first.is_sent, first.is_received, first.permit.is_some()) {
                (true, true, _) => {}
                // Where the rest of a refused request ends, and the next begins, is no longer of interest.
                (false, true, false) => return self.close(),
                _ => return,
            }
            let over = self.waiting.pop_front();
            over.into_iter().for_each(|over| over.finish(&*self.exchanges));
        }
        if self.is_draining || self.ended[Direction::Request as usize] {
            self.close();
        } else if self.is_outgrown && self.fate == Fate::Open {
            self.fate = Fate::Outgrown;
        }
    }

    fn close(&mut self) {
        self.requests = Reading::Stopped;
        if self.fate == Fate::Open {
            self.fate = Fate::Close;
        }
    }

    /// Refuses what the child sends from here on.
    fn refuse_request(&mut self, error: Error) {
        let status = match error {
            Error::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
        };
        let reply = Reply::text(status, &error.to_string());
        let in_body = matches!(self.requests, Reading::Body(_));
        self.requests = Reading::Stopped;
        match self.waiting.back_mut().filter(|_| in_body) {
            None => self.waiting.push_back(Waiting::unreadable(reply)),
            Some(broken) => self.fate = replace(broken, reply, &error, self.fate),
        }
    }

    /// Refuses what the server sends from here on.
    fn refuse_response(&mut self, error: Error) {
        self.responses = Reading::Stopped;
        let reply = Reply::text(StatusCode::BAD_GATEWAY, &format!("upstream {} sent {error}", self.origin.address));
        match self.waiting.front_mut() {
            None => self.fate = Fate::Reset,
            Some(broken) => self.fate = replace(broken, reply, &error, self.fate),
        }
    }
}

/// Puts an answer in the place of the server's, and of all that would have followed; too late, both sides are reset.
fn replace(broken: &mut Waiting, reply: Reply, error: &Error, fate: Fate) -> Fate {
    broken.fail(error.to_string());
    (broken.permit, broken.is_sent) = (None, false);
    if broken.is_answered {
        return Fate::Reset;
    }
    broken.reply = Some(reply);
    fate
}

/// Notes a part that is `bytes` on the wire.
fn note(waiting: &mut Waiting, direction: Direction, step: &Step, bytes: &[u8]) {
    let half = waiting.half(direction);
    let in_order = match step {
        Step::Content(_) => half.data(bytes),
        Step::Trailers(_, fields) => {
            let in_order = if fields.is_empty() { Ok(()) } else { half.trailers(fields) };
            in_order.map(|()| half.end())
        }
        Step::End => {
            half.end();
            Ok(())
        }
        Step::More | Step::Framing(_) => Ok(()),
    };
    if let Err(error) = in_order {
        waiting.fail(error.to_string());
    }
}

impl Passage for Http1 {
    fn take(&mut self, direction: Direction, input: &mut BytesMut, out: &mut Out) {
        loop {
            let stepped = match direction {
                Direction::Request => self.step_request(input, out),
                Direction::Response => self.step_response(input, out),
            };
            if let Err(error) = stepped {
                self.exchanges.emit(refused(self.connection, direction, &error));
                match direction {
                    Direction::Request => self.refuse_request(error),
                    Direction::Response => self.refuse_response(error),
                }
            }
            // A refused request is answered when all of it that is there has been taken: the connection may then live on.
            if direction == Direction::Response || stepped != Ok(true) {
                self.settle(out);
            }
            if stepped == Ok(false) || self.fate != Fate::Open {
                return;
            }
        }
    }

    fn end(&mut self, direction: Direction, out: &mut Out) {
        self.ended[direction as usize] = true;
        match (direction, &self.responses) {
            (_, Reading::Tunnel) => {
                if let Some(first) = self.waiting.front_mut() {
                    first.half(direction).end();
                }
                if self.ended == [true; 2] {
                    self.close();
                }
                return;
            }
            (Direction::Response, Reading::Body(Body::UntilClose)) => {
                self.pass(direction, &Step::End, &mut BytesMut::new(), out);
            }
            (Direction::Response, _) => {
                for waiting in &mut self.waiting {
                    waiting.fail("upstream closed before the end of the response");
                }
            }
            (Direction::Request, _) if matches!(self.requests, Reading::Body(_)) => {
                if let Some(last) = self.waiting.back_mut() {
                    last.fail("downstream closed before the end of the request");
                }
            }
            (Direction::Request, _) => {}
        }
        self.settle(out);
        if direction == Direction::Response {
            self.close();
        }
    }

    fn wants(&self, direction: Direction) -> bool {
        match (direction, &self.requests) {
            (Direction::Response, _) => true,
            (Direction::Request, Reading::Head(_)) => {
                let may_switch = self.waiting.back().is_some_and(|last| last.tunnel.is_some());
                !may_switch && self.waiting.len() < MAX_WAITING
            }
            (Direction::Request, _) => true,
        }
    }

    fn fate(&self) -> Fate {
        self.fate
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn drain(&mut self, out: &mut Out) {
        self.is_draining = true;
        self.settle(out);
    }

    fn outgrow(&mut self, out: &mut Out) {
        self.is_outgrown = true;
        self.settle(out);
    }
}

impl Drop for Http1 {
    fn drop(&mut self) {
        for waiting in self.waiting.drain(..) {
            waiting.finish(&*self.exchanges);
        }
    }
}

#[cfg(test)]
mod tests;
