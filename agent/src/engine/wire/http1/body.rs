//! The bytes of a body, told apart into content and what frames it (RFC 9112 section 7.1).

use super::{Error, Scanner, trailers};
use crate::engine::http::Field;
use crate::engine::wire::Invalid;

/// Most bytes of a line that announces a chunk, its extensions included.
const MAX_CHUNK_LINE: usize = 4096;

/// What is left of a body.
#[derive(Clone, Debug)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// Whatever comes before the connection ends.
    UntilClose,
}

/// Where in a chunked body the next byte is.
#[derive(Clone, Debug)]
pub enum Chunked {
    /// In the line with a chunk's size.
    Size,
    /// In a chunk's content, so many bytes before its end.
    Content(u64),
    /// In the CRLF after a chunk's content.
    End,
    /// In the trailer section.
    Trailers(Scanner),
    /// Behind all.
    Over,
}

/// What the next bytes of a body are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed.
    More,
    /// So many bytes of content.
    Content(usize),
    /// So many bytes that are not content.
    Framing(usize),
    /// So many bytes are the trailer section; the body is over.
    Trailers(usize, Vec<Field>),
    /// The body is over.
    End,
}

impl Body {
    /// A chunked body.
    #[must_use]
    pub const fn chunked() -> Self {
        Self::Chunked(Chunked::Size)
    }

    /// Tells what `input`, the rest of the body and whatever follows, begins with. The caller takes those bytes away.
    ///
    /// # Errors
    /// If the chunks are not what they must be.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, Error> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(content(left, input)),
            Self::UntilClose if input.is_empty() => Ok(Step::More),
            Self::UntilClose => Ok(Step::Content(input.len())),
            Self::Chunked(chunked) => chunked.step(input),
        }
    }
}

/// Takes what there is of `left` bytes.
fn content(left: &mut u64, input: &[u8]) -> Step {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= taken as u64;
    if taken == 0 { Step::More } else { Step::Content(taken) }
}

impl Chunked {
    fn step(&mut self, input: &[u8]) -> Result<Step, Error> {
        match self {
            Self::Size => Ok(self.size(input)?),
            Self::Content(left) => {
                let step = content(left, input);
                if *left == 0 {
                    *self = Self::End;
                }
                Ok(step)
            }
            Self::End => Ok(self.end(input)?),
            Self::Trailers(scanner) => {
                let Some(length) = scanner.end_of_head(input)? else { return Ok(Step::More) };
                let fields = trailers(&input[..length])?;
                *self = Self::Over;
                Ok(Step::Trailers(length, fields))
            }
            Self::Over => Ok(Step::End),
        }
    }

    fn size(&mut self, input: &[u8]) -> Result<Step, Invalid> {
        let Some(end) = input.iter().take(MAX_CHUNK_LINE).position(|&byte| byte == b'\n') else {
            let more = input.len() < MAX_CHUNK_LINE;
            return more.then_some(Step::More).ok_or(Invalid("a chunk's line that does not end"));
        };
        *self = match chunk_size(&input[..=end])? {
            0 => Self::Trailers(Scanner::default()),
            size => Self::Content(size),
        };
        Ok(Step::Framing(end + 1))
    }

    fn end(&mut self, input: &[u8]) -> Result<Step, Invalid> {
        match input {
            [b'\r', b'\n', ..] => {
                *self = Self::Size;
                Ok(Step::Framing(2))
            }
            [] | [b'\r'] => Ok(Step::More),
            _ => Err(Invalid("a chunk that is longer than it says")),
        }
    }
}

/// `1*HEXDIG [ chunk-ext ] CRLF`, without the space before the extension that some readers overlook.
fn chunk_size(line: &[u8]) -> Result<u64, Invalid> {
    let line = line.strip_suffix(b"\r\n").ok_or(Invalid("a chunk's line that ends without CR"))?;
    if line.iter().any(|byte| matches!(byte, b'\r' | 0)) {
        return Err(Invalid("a CR or NUL in a chunk's line"));
    }
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    if !matches!(extension.first(), None | Some(b';')) {
        return Err(Invalid("a chunk size that is no number"));
    }
    let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
    size.ok_or(Invalid("a chunk size that is no number"))
}
