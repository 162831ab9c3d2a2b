//! permessage-deflate (RFC 7692): messages of deflated data, which may refer to those before them.

use flate2::Decompress;

use super::{Message, keep};
use crate::engine::decode::coding::{Step, inflate};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, elements};
use crate::engine::wire::Invalid;

/// What the sender takes off the end of each message (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Bytes that come out at once.
const PIECE: usize = 16 * 1024;

/// Decompresses the messages of one direction.
pub(super) struct Inflater {
    state: Decompress,
    /// Each message stands for itself.
    forgets: bool,
    /// A final block has been, after which the data begins anew (section 7.2.3.4).
    is_over: bool,
}

impl Inflater {
    /// By what the server agreed to in `response`; none without the extension.
    pub(super) fn agreed(direction: Direction, response: &[Field]) -> Option<Self> {
        let forgetful = match direction {
            Direction::Request => "client_no_context_takeover",
            Direction::Response => "server_no_context_takeover",
        };
        elements(response, "sec-websocket-extensions").find_map(|extension| {
            let mut parts = extension.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let is_known = parts.next()?.eq_ignore_ascii_case(b"permessage-deflate");
            let forgets = parts.any(|part| part.eq_ignore_ascii_case(forgetful.as_bytes()));
            is_known.then(|| Self { state: Decompress::new(false), forgets, is_over: false })
        })
    }

    /// Appends to `message` what `input`, bytes of its payload, says.
    pub(super) fn feed(&mut self, mut input: &[u8], message: &mut Message) -> Result<(), Invalid> {
        let mut output = [0; PIECE];
        loop {
            if std::mem::take(&mut self.is_over) {
                self.state.reset(false);
            }
            let (Step { read, written }, is_over) = inflate(&mut self.state, input, &mut output)?;
            self.is_over = is_over;
            keep(&output[..written], message);
            input = &input[read..];
            if input.is_empty() && written < output.len() {
                return Ok(());
            }
            if read == 0 && written == 0 {
                return Err(Invalid("a WebSocket message whose compression does not go on"));
            }
        }
    }

    /// The last byte of `message` has come.
    pub(super) fn finish(&mut self, message: &mut Message) -> Result<(), Invalid> {
        self.feed(&TAIL, message)?;
        if self.forgets {
            self.state.reset(false);
            self.is_over = false;
        }
        Ok(())
    }
}
