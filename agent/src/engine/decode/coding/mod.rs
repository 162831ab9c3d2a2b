//! Content codings (RFC 9110 section 8.4.1), undone as the bytes come: several in a row, all members of a gzip file, and
//! never more than the reader wants.

mod brotli;
mod deflate;
mod gzip;
mod inflate;
mod zstandard;

use self::brotli::Brotli;
use self::deflate::Deflate;
use self::gzip::Gzip;
pub(super) use self::inflate::inflate;
use self::zstandard::Zstandard;
use crate::engine::http::{Field, elements};
use crate::engine::wire::Invalid;

/// Codings of one body that are undone; a body with more is left as it is.
pub const MAX_CODINGS: usize = 4;
/// What [`Unpacker`] says when more would come out than its reader wants.
pub const TOO_LONG: Invalid = Invalid("it unpacks to more than is read of it");
/// Bytes that one decoder gives out at once.
const PIECE: usize = 16 * 1024;

/// Bytes by which what lies between two codings may be longer than what comes out of the last one is to be.
const SLACK: usize = 64 * 1024;

/// One content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 as some send it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with the window of RFC 9659.
    Zstandard,
}

impl Coding {
    /// The coding that `token` names, whatever the case.
    #[must_use]
    pub fn named(token: &[u8]) -> Option<Self> {
        let table: [(&[u8], Self); 7] = [
            (b"identity", Self::Identity),
            (b"gzip", Self::Gzip),
            (b"x-gzip", Self::Gzip),
            (b"deflate", Self::Deflate),
            (b"br", Self::Brotli),
            (b"zstd", Self::Zstandard),
            (b"x-zstd", Self::Zstandard),
        ];
        table.into_iter().find(|(name, _)| token.eq_ignore_ascii_case(name)).map(|(_, coding)| coding)
    }

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstandard => "zstd",
        }
    }
}

/// The codings that `Content-Encoding` in `fields` names, in the order in which they were applied; `None` if one is not
/// known here, or there are more than [`MAX_CODINGS`].
#[must_use]
pub fn codings(fields: &[Field]) -> Option<Vec<Coding>> {
    let codings: Option<Vec<Coding>> = elements(fields, "content-encoding").map(Coding::named).collect();
    codings.filter(|codings| codings.len() <= MAX_CODINGS)
}

/// Undoes the codings of one body.
pub struct Unpacker {
    /// The coding applied last is undone first.
    stages: Vec<Stage>,
    /// Bytes that may still come out.
    room: usize,
    failed: Option<Invalid>,
}

impl Unpacker {
    /// An unpacker of a body to which `codings` were applied in this order, of which at most `limit` bytes are read.
    #[must_use]
    pub fn new(codings: &[Coding], limit: usize) -> Self {
        let stages = codings.iter().rev().filter_map(|&coding| Decoder::new(coding)).map(|decoder| Stage {
            decoder,
            began: false,
            room: limit.saturating_add(SLACK),
        });
        Self { stages: stages.collect(), room: limit, failed: None }
    }

    /// Appends to `out` what `input`, the next bytes of the body, unpacks to.
    ///
    /// # Errors
    /// If the bytes are not what the coding says, or with [`TOO_LONG`] when the limit is reached; what came before that
    /// is in `out`. After an error it gives the same one again.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
        self.feed_to(input, &mut |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })
    }

    /// As [`feed`](Self::feed), in pieces that `take` gets as they come out.
    ///
    /// # Errors
    /// As there, or what `take` says.
    pub fn feed_to(&mut self, input: &[u8], take: &mut Take<'_>) -> Result<(), Invalid> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let passed = pass(&mut self.stages, input, &mut Sink { take, room: &mut self.room });
        self.failed = passed.err();
        passed
    }

    /// Raises the limit by `more` bytes.
    pub fn allow(&mut self, more: usize) {
        self.room = self.room.saturating_add(more);
        for stage in &mut self.stages {
            stage.room = stage.room.saturating_add(more);
        }
    }

    /// The body has ended.
    ///
    /// # Errors
    /// If it ended before its coding did, or failed before. A body without a byte is none.
    pub fn finish(&self) -> Result<(), Invalid> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let is_cut = self.stages.iter().any(|stage| stage.began && !stage.decoder.is_complete());
        if is_cut { Err(Invalid("it ends within its content coding")) } else { Ok(()) }
    }
}

/// One coding that is being undone.
struct Stage {
    decoder: Decoder,
    began: bool,
    /// Bytes that may still come out of it.
    room: usize,
}

enum Decoder {
    Gzip(Box<Gzip>),
    Deflate(Deflate),
    Brotli(Box<Brotli>),
    Zstandard(Zstandard),
}

impl Decoder {
    /// `None` where nothing is to be undone.
    fn new(coding: Coding) -> Option<Self> {
        Some(match coding {
            Coding::Identity => return None,
            Coding::Gzip => Self::Gzip(Box::default()),
            Coding::Deflate => Self::Deflate(Deflate::default()),
            Coding::Brotli => Self::Brotli(Box::default()),
            Coding::Zstandard => Self::Zstandard(Zstandard::default()),
        })
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
        match self {
            Self::Gzip(gzip) => gzip.step(input, output),
            Self::Deflate(deflate) => deflate.step(input, output),
            Self::Brotli(brotli) => brotli.step(input, output),
            Self::Zstandard(zstandard) => zstandard.step(input, output),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.is_complete(),
            Self::Deflate(deflate) => deflate.is_complete(),
            Self::Brotli(brotli) => brotli.is_complete(),
            Self::Zstandard(zstandard) => zstandard.is_complete(),
        }
    }
}

/// What one call of a decoder did.
#[derive(Clone, Copy, Default)]
pub(super) struct Step {
    /// Bytes of the input that it took.
    pub(super) read: usize,
    /// Bytes of the output that it filled.
    pub(super) written: usize,
}

/// What takes unpacked bytes, and may have had enough of them.
pub type Take<'a> = dyn FnMut(&[u8]) -> Result<(), Invalid> + 'a;

/// Where the unpacked bytes go, and how many of them.
struct Sink<'a, 'b> {
    take: &'a mut Take<'b>,
    room: &'a mut usize,
}

impl Sink<'_, '_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Invalid> {
        let fitting = bytes.len().min(*self.room);
        (self.take)(&bytes[..fitting])?;
        *self.room -= fitting;
        if fitting < bytes.len() { Err(TOO_LONG) } else { Ok(()) }
    }
}

/// Sends `input` through `stages`, each decoder's output to the next.
fn pass(stages: &mut [Stage], mut input: &[u8], sink: &mut Sink<'_, '_>) -> Result<(), Invalid> {
    let Some((first, rest)) = stages.split_first_mut() else { return sink.take(input) };
    first.began |= !input.is_empty();
    let mut output = [0; PIECE];
    loop {
        let step = first.decoder.step(input, &mut output)?;
        input = &input[step.read..];
        // A coding within another one may unpack to much before the last one does to anything.
        first.room = first.room.checked_sub(step.written).ok_or(TOO_LONG)?;
        pass(rest, &output[..step.written], sink)?;
        if input.is_empty() && step.written < output.len() {
            return Ok(());
        }
        if step.read == 0 && step.written == 0 {
            return Err(Invalid("a content coding that does not go on"));
        }
    }
}

#[cfg(test)]
mod tests;
