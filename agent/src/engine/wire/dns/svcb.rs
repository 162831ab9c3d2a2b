//! The parameters of SVCB and HTTPS records (RFC 9460): takes from them what would lead a client around the proxy.
//!
//! `ech` hides the server's name, and an `alpn` of `h3` leads to QUIC, which is refused. A record that offered nothing
//! but HTTP/3 is left with its default protocol: its address is worth trying, and refuses if it does not speak it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::edit::Edit;
use super::name::Name;
use super::{Malformed, u16_at};

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;

/// Where entries of a list are: those to remove, and the others.
type Split = (Vec<Range<usize>>, Vec<Range<usize>>);

/// One parameter: its key and its length are the four bytes before its value.
struct Param {
    key: u16,
    value: Range<usize>,
}

/// Adds to `edit` the removal of `ech` and of HTTP/3 from the record whose data is at `data`.
pub(super) fn strip(message: &[u8], data: Range<usize>, edit: &mut Edit) -> Result<(), Malformed> {
    let params = params(message, data)?;
    let mut unwanted = vec![ECH];
    if let Some(alpn) = params.iter().find(|param| param.key == ALPN) {
        let (http3, others) = protocols(message, alpn)?;
        if shorten(alpn, &http3, &others, edit) {
            // `no-default-alpn` has no meaning without `alpn` (section 7.1.1).
            unwanted.extend([ALPN, NO_DEFAULT_ALPN]);
        }
    }
    if let Some(mandatory) = params.iter().find(|param| param.key == MANDATORY) {
        // A list that names a missing parameter, or none, makes the record malformed (section 8).
        let (gone, left) = mandatory_keys(message, mandatory, &unwanted)?;
        if shorten(mandatory, &gone, &left, edit) {
            unwanted.push(MANDATORY);
        }
    }
    for param in params.iter().filter(|param| unwanted.contains(&param.key)) {
        edit.remove(param.value.start - 4..param.value.end);
    }
    Ok(())
}

/// Removes `gone` from the parameter's list; returns whether nothing would be left, and then removes nothing.
fn shorten(param: &Param, gone: &[Range<usize>], left: &[Range<usize>], edit: &mut Edit) -> bool {
    if gone.is_empty() || left.is_empty() {
        return !gone.is_empty();
    }
    edit.replace(param.value.start - 2, left.iter().map(Range::len).sum());
    gone.iter().cloned().for_each(|range| edit.remove(range));
    false
}

/// The addresses that the record whose data is at `data` offers.
pub(super) fn hints(message: &[u8], data: Range<usize>) -> Result<Vec<IpAddr>, Malformed> {
    let mut ips = Vec::new();
    for param in params(message, data)? {
        let value = &message[param.value];
        match param.key {
            IPV4HINT => ips.extend(value.as_chunks().0.iter().map(|ip: &[u8; 4]| IpAddr::from(Ipv4Addr::from(*ip)))),
            IPV6HINT => ips.extend(value.as_chunks().0.iter().map(|ip: &[u8; 16]| IpAddr::from(Ipv6Addr::from(*ip)))),
            _ => {}
        }
    }
    Ok(ips)
}

/// Reads the parameters behind priority and target name; their keys must rise (section 2.2).
fn params(message: &[u8], data: Range<usize>) -> Result<Vec<Param>, Malformed> {
    let mut at = Name::read(message, data.start + 2)?.end;
    let mut params: Vec<Param> = Vec::new();
    while at < data.end {
        let (key, start) = (u16_at(message, at)?, at + 4);
        let value = start..start + usize::from(u16_at(message, at + 2)?);
        if params.last().is_some_and(|last| last.key >= key) {
            return Err(Malformed("parameters out of order"));
        }
        at = value.end;
        params.push(Param { key, value });
    }
    if at != data.end {
        return Err(Malformed("a parameter outside its record"));
    }
    Ok(params)
}

/// The protocols of an `alpn` parameter, length bytes included: those of HTTP/3, and the others.
fn protocols(message: &[u8], alpn: &Param) -> Result<Split, Malformed> {
    let (mut http3, mut others) = (Vec::new(), Vec::new());
    let mut at = alpn.value.start;
    while at < alpn.value.end {
        let range = at..at + 1 + usize::from(message[at]);
        if range.end > alpn.value.end {
            return Err(Malformed("a protocol outside its list"));
        }
        at = range.end;
        let protocol = &message[range.start + 1..range.end];
        let is_http3 = protocol == b"h3" || protocol.starts_with(b"h3-");
        if is_http3 { http3.push(range) } else { others.push(range) }
    }
    Ok((http3, others))
}

/// The keys of a `mandatory` parameter: those that are `unwanted`, and the others.
fn mandatory_keys(message: &[u8], mandatory: &Param, unwanted: &[u16]) -> Result<Split, Malformed> {
    if !mandatory.value.len().is_multiple_of(2) {
        return Err(Malformed("half a key"));
    }
    let keys = mandatory.value.clone().step_by(2).map(|at| at..at + 2);
    Ok(keys.partition(|key| u16_at(message, key.start).is_ok_and(|key| unwanted.contains(&key))))
}
