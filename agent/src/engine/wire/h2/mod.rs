//! HTTP/2 frames (RFC 9113 section 4.1): their heads, and the payloads that a carrier must understand.

use bytes::{BufMut as _, BytesMut};

use super::Invalid;

/// What a client's side of a connection begins with (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head.
pub const HEAD: usize = 9;
/// The largest payload before the receiver says otherwise.
pub const DEFAULT_FRAME: usize = 16_384;
/// The flow-control window before anybody says otherwise.
pub const DEFAULT_WINDOW: i64 = 65_535;

/// Flag of DATA and HEADERS: the sender's side of the stream ends.
pub const END_STREAM: u8 = 0x1;
/// Flag of SETTINGS and PING: an acknowledgement.
pub const ACK: u8 = 0x1;
/// Flag of HEADERS, PUSH_PROMISE and CONTINUATION: the block ends.
pub const END_HEADERS: u8 = 0x4;
/// Flag of DATA, HEADERS and PUSH_PROMISE: padding follows.
pub const PADDED: u8 = 0x8;
/// Flag of HEADERS: a priority precedes the block.
pub const PRIORITY: u8 = 0x20;

/// What a frame is (RFC 9113 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Content of a body.
    Data,
    /// A header block, or its beginning.
    Headers,
    /// The end of one stream, with a code.
    RstStream,
    /// Parameters of a connection.
    Settings,
    /// A promised request.
    PushPromise,
    /// No more streams.
    GoAway,
    /// Room for more data.
    WindowUpdate,
    /// More of a header block.
    Continuation,
    /// Anything else: PING, PRIORITY, and what later documents define.
    Other(u8),
}

impl Kind {
    const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Data,
            1 => Self::Headers,
            3 => Self::RstStream,
            4 => Self::Settings,
            5 => Self::PushPromise,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            other => Self::Other(other),
        }
    }

    const fn to_u8(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Headers => 1,
            Self::RstStream => 3,
            Self::Settings => 4,
            Self::PushPromise => 5,
            Self::GoAway => 7,
            Self::WindowUpdate => 8,
            Self::Continuation => 9,
            Self::Other(other) => other,
        }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of payload.
    pub length: usize,
    /// What it is.
    pub kind: Kind,
    /// Its flags.
    pub flags: u8,
    /// Its stream; zero is the connection.
    pub stream: u32,
}

impl Frame {
    /// Reads the head at the start of `input`; `None` if more is needed.
    #[must_use]
    pub fn read(input: &[u8]) -> Option<Self> {
        let head = input.first_chunk::<HEAD>()?;
        let [a, b, c, kind, flags, stream @ ..] = *head;
        Some(Self {
            length: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c),
            kind: Kind::from_u8(kind),
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        })
    }

    /// Whether `flag` is set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The frame with `payload`, as it is sent. Its length is the payload's, which must be less than 2^24 bytes.
    pub fn write(&self, payload: &[u8], out: &mut BytesMut) {
        let [.., a, b, c] = payload.len().to_be_bytes();
        out.put_slice(&[a, b, c, self.kind.to_u8(), self.flags]);
        out.put_u32(self.stream);
        out.put_slice(payload);
    }
}

/// The parameters that a carrier must know (RFC 9113 section 6.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// How large a header table the sender keeps for what it receives.
    HeaderTableSize(usize),
    /// How much of a new stream the sender takes.
    InitialWindowSize(i64),
    /// How large a frame the sender takes.
    MaxFrameSize(usize),
}

/// The parameters in the payload of SETTINGS that a carrier must know.
///
/// # Errors
/// If it is not a sequence of parameters.
pub fn settings(payload: &[u8]) -> Result<impl Iterator<Item = Setting>, Invalid> {
    let (parameters, rest) = payload.as_chunks::<6>();
    if !rest.is_empty() {
        return Err(Invalid("SETTINGS that are cut"));
    }
    Ok(parameters.iter().filter_map(|&[a, b, value @ ..]| {
        let value = u32::from_be_bytes(value);
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match u16::from_be_bytes([a, b]) {
            1 => Some(Setting::HeaderTableSize(size)),
            4 => Some(Setting::InitialWindowSize(i64::from(value))),
            5 => Some(Setting::MaxFrameSize(size.min((1 << 24) - 1))),
            _ => None,
        }
    }))
}

/// The number that the payload of RST_STREAM or WINDOW_UPDATE is.
///
/// # Errors
/// If it is not four bytes.
pub fn number(payload: &[u8]) -> Result<u32, Invalid> {
    <[u8; 4]>::try_from(payload).map(u32::from_be_bytes).map_err(|_wrong| Invalid("a frame of the wrong size"))
}

/// What is left of a payload without its padding (RFC 9113 section 6.1).
///
/// # Errors
/// If there is more padding than payload.
pub fn unpadded<'a>(frame: &Frame, payload: &'a [u8]) -> Result<&'a [u8], Invalid> {
    if !frame.has(PADDED) {
        return Ok(payload);
    }
    let (&padding, rest) = payload.split_first().ok_or(Invalid("a padded frame that is empty"))?;
    let kept = rest.len().checked_sub(usize::from(padding)).ok_or(Invalid("more padding than payload"))?;
    Ok(&rest[..kept])
}

/// The name of an error code (RFC 9113 section 7).
#[must_use]
pub const fn code_name(code: u32) -> &'static str {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    if (code as usize) < NAMES.len() { NAMES[code as usize] } else { "an unknown code" }
}
