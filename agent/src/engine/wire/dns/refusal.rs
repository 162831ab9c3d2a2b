//! Responses that say no more than why there is none.

use super::edit::{options, put};
use super::message::Message;
use super::{HEADER, Rcode, u16_at};

/// The bits of a query's flags that its response repeats: opcode, recursion desired, checking disabled.
const REPEATED: u16 = 0x7910;
const RESPONSE: u16 = 0x8000;
const RECURSION_AVAILABLE: u16 = 0x0080;
/// In the options' flags: the client wants DNSSEC records.
const DNSSEC_OK: u32 = 0x8000;
/// The option that explains a failure (RFC 8914, section 2).
const EXTENDED_ERROR: u16 = 15;
/// What it says: the operator's policy does not let it pass (section 4.16).
const BLOCKED: u16 = 15;

/// The response `rcode` to `query`, with its question and options as far as they can be read. `blocked` says to a
/// client that speaks EDNS that a policy does not let it pass, and, in a word, why.
///
/// `None` if there is nobody to answer: the bytes have no header, or are a response themselves. Codes above 15 have no
/// place in it.
#[must_use]
pub fn refusal(query: &[u8], rcode: Rcode, blocked: Option<&str>) -> Option<Vec<u8>> {
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
    if let Some(theirs) = message.options() {
        put(&mut response, 10, 1);
        let flags = u16::try_from(theirs.ttl & DNSSEC_OK).unwrap_or_default();
        response.extend_from_slice(&options(flags, &blocked.map(extended_error).unwrap_or_default()));
    }
    Some(response)
}

fn extended_error(word: &str) -> Vec<u8> {
    let length = u16::try_from(2 + word.len()).unwrap_or(u16::MAX);
    let fields = [EXTENDED_ERROR, length, BLOCKED].map(u16::to_be_bytes);
    [&fields.concat(), word.as_bytes()].concat()
}
