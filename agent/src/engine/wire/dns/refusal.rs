//! Responses that say no more than why there is none.

use super::edit::put;
use super::message::Message;
use super::{HEADER, Rcode, UDP_SIZE, u16_at};

/// The bits of a query's flags that its response repeats: opcode, recursion desired, checking disabled.
const REPEATED: u16 = 0x7910;
const RESPONSE: u16 = 0x8000;
const RECURSION_AVAILABLE: u16 = 0x0080;
/// In the options' flags: the client wants DNSSEC records.
const DNSSEC_OK: u32 = 0x8000;

/// The response `rcode` to `query`, with its question and options as far as they can be read.
///
/// `None` if there is nobody to answer: the bytes have no header, or are a response themselves. Codes above 15 have no
/// place in it.
#[must_use]
pub fn refusal(query: &[u8], rcode: Rcode) -> Option<Vec<u8>> {
    let header = query.get(..HEADER)?;
    let flags = u16_at(header, 2).ok()?;
    if flags & RESPONSE != 0 {
        return None;
    }
    let mut response = header.to_vec();
    put(&mut response, 2, RESPONSE | flags & REPEATED | RECURSION_AVAILABLE | rcode.0 & 0xf);
    response[4..].fill(0);
    let Ok(message) = Message::parse(query) else { return Some(response) };
    if let Some(question) = message.question() {
        put(&mut response, 4, 1);
        response.extend_from_slice(&query[HEADER..question.end]);
    }
    if let Some(options) = message.options() {
        put(&mut response, 10, 1);
        // The root's name, OPT, our size, flags without extended code and version, no options (RFC 6891, section 6.1.2).
        response.extend_from_slice(&[0, 0, 41]);
        response.extend_from_slice(&UDP_SIZE.to_be_bytes());
        response.extend_from_slice(&(options.ttl & DNSSEC_OK).to_be_bytes());
        response.extend_from_slice(&[0, 0]);
    }
    Some(response)
}
