//! HTTP/2 frames, made byte by byte (RFC 9113), with header blocks that refer to no table (RFC 7541).

/// Frame types.
pub const DATA: u8 = 0;
/// A header block, or its beginning.
pub const HEADERS: u8 = 1;
/// A priority of the old scheme.
pub const PRIORITY: u8 = 2;
/// The end of a stream with a code.
pub const RST_STREAM: u8 = 3;
/// Parameters.
pub const SETTINGS: u8 = 4;
/// A promised request.
pub const PUSH_PROMISE: u8 = 5;
/// A question whether somebody is there.
pub const PING: u8 = 6;
/// No more streams.
pub const GOAWAY: u8 = 7;
/// Room for data.
pub const WINDOW_UPDATE: u8 = 8;
/// More of a header block.
pub const CONTINUATION: u8 = 9;

/// Flag: the stream ends.
pub const END_STREAM: u8 = 1;
/// Flag: an acknowledgement.
pub const ACK: u8 = 1;
/// Flag: the header block ends.
pub const END_HEADERS: u8 = 4;
/// Flag: padding follows.
pub const PADDED: u8 = 8;
/// Flag: a priority precedes the header block.
pub const WITH_PRIORITY: u8 = 0x20;

/// What a client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fields of a message.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

/// A frame.
///
/// # Panics
/// If the payload is longer than a frame can say.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// SETTINGS with these parameters.
#[must_use]
pub fn settings(parameters: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        parameters.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// The acknowledgement of SETTINGS.
#[must_use]
pub fn settings_ack() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, &[])
}

/// A header block of literals.
///
/// # Panics
/// If a name or value is longer than 126 bytes.
#[must_use]
pub fn block(fields: Fields<'_>) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
        [&[length.unwrap()][..], text.as_bytes()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// A whole header block in one frame.
#[must_use]
pub fn headers(stream: u32, flags: u8, fields: Fields<'_>) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// Content.
#[must_use]
pub fn data(stream: u32, flags: u8, content: &str) -> Vec<u8> {
    frame(DATA, flags, stream, content.as_bytes())
}

/// A reset.
#[must_use]
pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// Room.
#[must_use]
pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}
