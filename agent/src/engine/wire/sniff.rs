//! Tells from the first bytes of a connection what it speaks. It consumes nothing and judges nothing.

/// How many bytes are looked at before an unfinished request line counts as HTTP/1.
pub const LIMIT: usize = 8 * 1024;

const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const MAX_METHOD: usize = 32;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// A TLS record with a ClientHello (RFC 8446 section 4.1.2).
    Tls,
    /// An HTTP/1 request line (RFC 9112 section 3).
    Http1,
    /// The HTTP/2 connection preface (RFC 9113 section 3.4).
    H2Preface,
    /// None of these.
    Other,
    /// Too few bytes to tell.
    More,
}

/// What `bytes`, the first of a connection, are.
///
/// ```
/// use agent::engine::wire::sniff::{Sniff, sniff};
/// assert_eq!(sniff(b"GET / HTTP/1.1\r\n"), Sniff::Http1);
/// assert_eq!(sniff(b"SSH-2.0-x\r\n"), Sniff::Other);
/// ```
#[must_use]
pub fn sniff(bytes: &[u8]) -> Sniff {
    match bytes.first() {
        None => Sniff::More,
        Some(0x16) => client_hello(bytes),
        Some(_) if H2_PREFACE.starts_with(bytes) && bytes.len() < H2_PREFACE.len() => Sniff::More,
        Some(_) if bytes.starts_with(H2_PREFACE) => Sniff::H2Preface,
        Some(_) => request_line(bytes),
    }
}

/// Record type 22, version 3.x, a length, handshake type 1.
fn client_hello(bytes: &[u8]) -> Sniff {
    let fits = |at: usize, test: fn(u8) -> bool| bytes.get(at).is_none_or(|&byte| test(byte));
    let plausible = fits(1, |major| major == 3) && fits(2, |minor| minor <= 4) && fits(5, |kind| kind == 1);
    match (plausible, bytes.len() > 5) {
        (false, _) => Sniff::Other,
        (true, true) => Sniff::Tls,
        (true, false) => Sniff::More,
    }
}

fn request_line(bytes: &[u8]) -> Sniff {
    // A server should ignore an empty line before the request line (RFC 9112 section 2.2).
    let start = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let line = &bytes[start..];
    if start > 4 || !line.iter().take_while(|byte| **byte != b'\n').all(u8::is_ascii) {
        return Sniff::Other;
    }
    match line.iter().position(|&byte| byte == b' ') {
        Some(space) if !is_method(&line[..space]) => Sniff::Other,
        Some(space) => request_target(&line[space + 1..], bytes.len() >= LIMIT),
        None if line.iter().all(|&byte| is_token(byte)) && line.len() <= MAX_METHOD => Sniff::More,
        None => Sniff::Other,
    }
}

/// `rest` follows the method and its space; the version ends the line.
fn request_target(rest: &[u8], enough: bool) -> Sniff {
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) if is_versioned(&rest[..end]) => Sniff::Http1,
        Some(_) => Sniff::Other,
        None if enough => Sniff::Http1,
        None => Sniff::More,
    }
}

fn is_versioned(rest: &[u8]) -> bool {
    let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
    rest.strip_suffix(b" HTTP/1.1").or_else(|| rest.strip_suffix(b" HTTP/1.0")).is_some_and(|target| !target.is_empty())
}

fn is_method(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.len() <= MAX_METHOD && bytes.iter().all(|&byte| is_token(byte))
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::dice::Dice;

    const HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1];

    #[test]
    fn first_bytes_tell_the_protocol() {
        let long = [b"GET /".as_slice(), &[b'a'; LIMIT]].concat();
        let table: &[(&[u8], Sniff)] = &[
            (b"", Sniff::More),
            (HELLO, Sniff::Tls),
            (&HELLO[..5], Sniff::More),
            (&[0x16, 3, 1, 2, 0, 2], Sniff::Other),
            (&[0x16, 2], Sniff::Other),
            (b"GET / HTTP/1.1\r\nHost", Sniff::Http1),
            (b"\r\nGET / HTTP/1.0\n", Sniff::Http1),
            (b"M-SEARCH * HTTP/1.1\r\n", Sniff::Http1),
            (b"CONNECT a:1 HTTP/1.1\r\n", Sniff::Http1),
            (b"GET / HTTP/1.1", Sniff::More),
            (b"GE", Sniff::More),
            (b"GET", Sniff::More),
            (&long, Sniff::Http1),
            (b"GET /\r\n", Sniff::Other),
            (b"GET  HTTP/1.1\r\n", Sniff::Other),
            (b"EHLO example.com\r\n", Sniff::Other),
            (b"SSH-2.0-OpenSSH_9\r\n", Sniff::Other),
            (b"USER x", Sniff::More),
            (b"\x00\x01\x02", Sniff::Other),
            (b"P", Sniff::More),
            (b"PRI * HTTP/2.0\r\n", Sniff::More),
            (H2_PREFACE, Sniff::H2Preface),
            (b"POST / HTTP/1.1\r\n", Sniff::Http1),
        ];
        for (bytes, expected) in table {
            assert_eq!(sniff(bytes), *expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_was_told_stays_true_when_more_comes() {
        let mut dice = Dice(1);
        let starts = [HELLO, H2_PREFACE, b"\r\nDELETE /x?y HTTP/1.1\r\nHost: h\r\n\r\n", b"USER x\r\n"];
        for _ in 0..2_000 {
            let start = starts[dice.below(starts.len())];
            let bytes = dice.spoil(start);
            let whole = sniff(&bytes);
            for end in 0..bytes.len() {
                let early = sniff(&bytes[..end]);
                assert!(early == Sniff::More || early == whole, "{}: {end}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn no_prefix_of_a_known_protocol_is_taken_for_something_else() {
        for whole in [HELLO, H2_PREFACE, b"DELETE /x?y HTTP/1.1\r\n"] {
            let answer = sniff(whole);
            for end in 0..whole.len() {
                let early = sniff(&whole[..end]);
                assert!(early == Sniff::More || early == answer, "{end} bytes gave {early:?}");
            }
        }
    }
}
