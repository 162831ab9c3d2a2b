//! Responses of our own: an address that stands for a name that nobody is asked about.

use std::net::Ipv4Addr;

use super::edit::put;
use super::{CLASS_INTERNET, Message, Rcode, record_type, refusal};

/// Seconds that such an answer may be kept: rules may change.
const TTL: u32 = 1;
/// The name that begins where a message's question does (RFC 1035 section 4.1.4).
const QUESTION: u16 = 0xc00c;

/// The response that gives `address` for the name that `query` asks for, to who asks for IPv4 addresses; to who asks for
/// anything else, that there is none of the kind. `None` as for [`refusal`].
#[must_use]
pub fn stand_in(query: &Message<'_>, address: Ipv4Addr) -> Option<Vec<u8>> {
    let question = query.question()?;
    let mut response = refusal(query.bytes(), Rcode::NOERROR, None)?;
    if question.record_type == record_type::A && question.end <= response.len() {
        put(&mut response, 6, 1);
        let head = [QUESTION, record_type::A, CLASS_INTERNET].map(u16::to_be_bytes).concat();
        let record = [&head[..], &TTL.to_be_bytes(), &4_u16.to_be_bytes(), &address.octets()].concat();
        response.splice(question.end..question.end, record);
    }
    Some(response)
}
