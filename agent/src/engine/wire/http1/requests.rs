//! A row of requests, checked for whoever reads them more leniently.

use bytes::BytesMut;

use super::{Body, Error, Scanner, Step, request, request_body};
use crate::engine::http::{Origin, RequestHead};

/// Tells how much of what a client sends is unambiguous.
#[derive(Debug)]
pub struct Requests {
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    Head(Scanner),
    Body {
        body: Body,
        may_switch: bool,
    },
    /// The last request may have been the last: what follows is HTTP only if the server did not agree to something else.
    Undecided,
    Tunnel,
}

impl Default for Requests {
    fn default() -> Self {
        Self { reading: Reading::Head(Scanner::default()) }
    }
}

impl Requests {
    /// Moves from `input` to `checked` what may be read.
    ///
    /// # Errors
    /// What follows may not.
    pub fn check(&mut self, input: &mut BytesMut, checked: &mut BytesMut) -> Result<(), Error> {
        while !input.is_empty() {
            let length = match &mut self.reading {
                Reading::Undecided => return Ok(()),
                Reading::Tunnel => input.len(),
                Reading::Head(_) if input.starts_with(b"\r\n") => 2,
                Reading::Head(scanner) => {
                    let Some(length) = scanner.end_of_head(input)? else { return Ok(()) };
                    self.reading = begin(&input[..length])?;
                    length
                }
                Reading::Body { body, may_switch } => match body.step(input)? {
                    Step::More => return Ok(()),
                    Step::Content(length) | Step::Framing(length) => length,
                    Step::Trailers(length, _) => {
                        self.reading = after(*may_switch);
                        length
                    }
                    Step::End => {
                        self.reading = after(*may_switch);
                        0
                    }
                },
            };
            checked.extend_from_slice(&input.split_to(length));
        }
        Ok(())
    }

    /// Whether the last head that was checked still has some of its body to come.
    #[must_use]
    pub const fn is_in_body(&self) -> bool {
        matches!(self.reading, Reading::Body { .. })
    }

    /// Says whether the server agreed to the switch that the last request asked for.
    pub fn decide(&mut self, switched: bool) {
        if matches!(self.reading, Reading::Undecided | Reading::Body { may_switch: true, .. }) {
            self.reading = if switched { Reading::Tunnel } else { after(false) };
        }
    }
}

fn begin(head: &[u8]) -> Result<Reading, Error> {
    let request = request(head)?;
    let body = request_body(&request)?;
    let nowhere = Origin { scheme: "http", address: String::new() };
    let may_switch = RequestHead::of_http1(request, &nowhere).tunnel.is_some();
    Ok(match body {
        Body::Length(0) => after(may_switch),
        body => Reading::Body { body, may_switch },
    })
}

fn after(may_switch: bool) -> Reading {
    if may_switch { Reading::Undecided } else { Reading::Head(Scanner::default()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::dice::Dice;

    fn checked(requests: &mut Requests, bytes: &[u8]) -> (String, bool) {
        let (mut input, mut checked, mut is_refused) = (BytesMut::new(), BytesMut::new(), false);
        for byte in bytes {
            input.extend_from_slice(&[*byte]);
            is_refused |= requests.check(&mut input, &mut checked).is_err();
        }
        (String::from_utf8(checked.to_vec()).unwrap(), is_refused)
    }

    #[test]
    fn what_is_unambiguous_passes_and_nothing_after_it() {
        let good = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\
                    PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(checked(&mut Requests::default(), good.as_bytes()), (good.into(), false));
        let bad = [good, "GET / HTTP/1.1\nHost: h\n\n"].concat();
        assert_eq!(checked(&mut Requests::default(), bad.as_bytes()), (good.into(), true));
    }

    #[test]
    fn what_passes_does_not_depend_on_how_it_comes() {
        let row = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nt: 1\r\n\r\n\
                   PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab\r\nGET / HTTP/1.0\r\n\r\n";
        let mut dice = Dice(1);
        for _ in 0..2_000 {
            let bytes = dice.spoil(row.as_bytes());
            let outcomes = [usize::MAX, 1 + dice.below(16), 1].map(|piece| {
                let (mut requests, mut input, mut checked) = (Requests::default(), BytesMut::new(), BytesMut::new());
                let mut pieces = bytes.chunks(piece);
                let refused = pieces.find_map(|piece| {
                    input.extend_from_slice(piece);
                    requests.check(&mut input, &mut checked).err()
                });
                (checked, refused)
            });
            assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{}: {outcomes:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_follows_a_request_for_a_switch_waits_for_the_answer() {
        let ask = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
        for (switched, next) in [(true, "\n\0"), (false, ask)] {
            let mut requests = Requests::default();
            assert_eq!(checked(&mut requests, ask.as_bytes()), (ask.into(), false));
            assert_eq!(checked(&mut requests, next.as_bytes()), (String::new(), false));
            requests.decide(switched);
            assert_eq!(checked(&mut requests, next.as_bytes()), (next.into(), false));
        }
    }
}
