//! The format of an image and its size in pixels, from its first bytes. Nothing is decoded.

/// What is known of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    format: &'static str,
    /// Width and height, if they were found.
    size: Option<(u32, u32)>,
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.size {
            Some((width, height)) => write!(f, "{} image, {width} × {height} pixels", self.format),
            None => write!(f, "{} image", self.format),
        }
    }
}

impl Image {
    /// The image that `bytes` begin, if they begin one.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (format, size) = match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', chunk @ ..] => ("PNG", png(chunk)),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', screen @ ..] => ("GIF", gif(screen)),
            [0xff, 0xd8, 0xff, ..] => ("JPEG", jpeg(&bytes[2..])),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', chunk @ ..] => ("WebP", webp(chunk)),
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, 0, 0, header @ ..] => ("BMP", bmp(header)),
            [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => ("AVIF", None),
            [0, 0, 1, 0, count, 0, width, height, ..] if *count > 0 => ("ICO", Some((ico(*width), ico(*height)))),
            _ => return None,
        };
        Some(Self { format, size })
    }
}

/// The chunk IHDR (PNG, section 11.2.1).
fn png(chunk: &[u8]) -> Option<(u32, u32)> {
    let chunk = chunk.get(4..)?.strip_prefix(b"IHDR")?;
    let number = |at: usize| chunk.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    Some((number(0)?, number(4)?))
}

/// The logical screen (GIF89a, section 18).
fn gif(screen: &[u8]) -> Option<(u32, u32)> {
    Some((little16(screen, 0)?, little16(screen, 2)?))
}

/// The frame header, which comes after any number of segments (ITU T.81, section B.2.2).
fn jpeg(mut rest: &[u8]) -> Option<(u32, u32)> {
    loop {
        let [0xff, marker, after @ ..] = rest else { return None };
        match marker {
            // Fill bytes, and markers without a segment.
            0xff => rest = &rest[1..],
            0x01 | 0xd0..=0xd8 => rest = after,
            // Start of frame; C4, C8 and CC are something else.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let number =
                    |at: usize| after.get(at..)?.first_chunk().map(|bytes| u32::from(u16::from_be_bytes(*bytes)));
                return Some((number(5)?, number(3)?));
            }
            0xd9 | 0xda => return None,
            _ => {
                let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

/// The first chunk, of one of three kinds (RFC 9649, sections 2.5 to 2.7).
fn webp(chunk: &[u8]) -> Option<(u32, u32)> {
    let (kind, data) = (chunk.get(..4)?, chunk.get(8..)?);
    match kind {
        b"VP8 " => {
            let frame = data.get(3..)?.strip_prefix(&[0x9d, 0x01, 0x2a])?;
            Some((little16(frame, 0)? & 0x3fff, little16(frame, 2)? & 0x3fff))
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(*data.strip_prefix(&[0x2f])?.first_chunk()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => {
            let number = |at: usize| Some(little16(data, at)? | u32::from(*data.get(at + 2)?) << 16);
            Some((number(4)? + 1, number(7)? + 1))
        }
        _ => None,
    }
}

/// The header BITMAPINFOHEADER; a negative height means that rows go down.
fn bmp(header: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| header.get(at..)?.first_chunk().map(|bytes| i32::from_le_bytes(*bytes).unsigned_abs());
    Some((number(4)?, number(8)?))
}

/// One side of the first picture; zero stands for 256.
fn ico(side: u8) -> u32 {
    if side == 0 { 256 } else { u32::from(side) }
}

fn little16(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from(u16::from_le_bytes(*bytes)))
}
