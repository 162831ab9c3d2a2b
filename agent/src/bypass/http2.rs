//! Requests in HTTP/2 (RFC 9113), frame by frame, with fields as literals (RFC 7541 section 6.2.2), as no library would
//! send them.

use std::io::{self, Read, Write};

use super::{Target, talk};

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// What ends an answer: `HEADERS`, `RST_STREAM`, `GOAWAY`.
const LAST: [u8; 3] = [HEADERS, 3, 7];
/// `END_STREAM` and `END_HEADERS`.
const WHOLE: u8 = 5;

/// Says a request with these fields to the target over TLS, and gives the types of the frames of the answer.
///
/// # Errors
/// The kernel's, or what TLS has against it.
pub fn https(target: &Target, fields: &[(&str, &str)]) -> io::Result<String> {
    exchange(&mut talk::tls(target.v4_at(443), &target.name, &[b"h2"])?, fields)
}

/// The same over a connection that is there.
///
/// # Errors
/// If it ends before an answer comes to an end.
pub fn exchange(stream: &mut (impl Read + Write), fields: &[(&str, &str)]) -> io::Result<String> {
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    stream.write_all(&[&preface[..], &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, WHOLE, 1, &block)].concat())?;
    stream.flush()?;
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| LAST.contains(kind)) {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length])?;
        kinds.push(head[3]);
    }
    Ok(format!("frames of types {kinds:?}"))
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0, high, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Short texts only: a length below 127 is one byte.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap_or(126)], text.as_bytes()].concat();
    [&[0][..], &text(name), &text(value)].concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_field_is_a_literal_with_both_lengths() {
        assert_eq!(super::literal("a", "bc"), [0, 1, b'a', 2, b'b', b'c']);
        assert_eq!(super::frame(1, 5, 1, b"x"), [0, 0, 1, 1, 5, 0, 0, 0, 1, b'x']);
    }
}
