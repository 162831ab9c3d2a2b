//! Server-sent events (WHATWG HTML, section 9.2): a stream's blocks of lines, and the event that a block says.

use super::{MAX_MESSAGE, Message, MessageKind};

/// The byte order mark that a stream may begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Splits a stream at its empty lines.
#[derive(Default)]
pub(super) struct Blocks {
    /// The lines of the block so far, with their ends.
    text: Vec<u8>,
    wire: u64,
    is_cut: bool,
    /// The line that is coming has a byte.
    in_line: bool,
    /// The latest byte was a CR: a LF after it ends the same line.
    after_cr: bool,
    /// Bytes of the mark that have come, while nothing else has.
    mark: usize,
    has_begun: bool,
}

impl Blocks {
    pub(super) fn read(&mut self, mut input: &[u8], messages: &mut Vec<Message>) {
        input = self.after_mark(input);
        while let Some(&first) = input.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                // Of the empty line, it is of no block.
                let is_of_block = !self.text.is_empty();
                self.take(&input[..usize::from(is_of_block)]);
                self.wire += u64::from(!is_of_block);
                input = &input[1..];
                continue;
            }
            let end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let Some(end) = end else {
                self.in_line = true;
                return self.take(input);
            };
            let (line, rest) = input.split_at(end);
            self.take(line);
            self.after_cr = rest[0] == b'\r';
            if std::mem::take(&mut self.in_line) || !line.is_empty() {
                self.take(&rest[..1]);
            } else {
                self.wire += 1;
                messages.extend(self.block());
            }
            input = &rest[1..];
        }
    }

    /// The event whose empty line did not come.
    pub(super) fn end(&mut self) -> Option<Message> {
        let message = self.block();
        message.map(|message| Message { is_cut: true, ..message })
    }

    /// `input` without what of the mark is in it.
    fn after_mark<'a>(&mut self, mut input: &'a [u8]) -> &'a [u8] {
        while let (false, Some(&first)) = (self.has_begun, input.first()) {
            let seen = self.mark;
            if MARK.get(seen) == Some(&first) {
                self.mark = seen + 1;
                self.wire += 1;
                self.has_begun = seen + 1 == MARK.len();
                input = &input[1..];
            } else {
                // Something that only began like one.
                self.has_begun = true;
                self.wire -= seen as u64;
                self.in_line = seen > 0;
                self.take(&MARK[..seen]);
            }
        }
        input
    }

    fn take(&mut self, bytes: &[u8]) {
        let fitting = bytes.len().min(MAX_MESSAGE - self.text.len());
        self.text.extend_from_slice(&bytes[..fitting]);
        self.wire += bytes.len() as u64;
        self.is_cut |= fitting < bytes.len();
    }

    /// The block that is complete, if it has a line.
    fn block(&mut self) -> Option<Message> {
        if self.text.is_empty() {
            return None;
        }
        let mut payload = std::mem::take(&mut self.text);
        let end = match payload.as_slice() {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            _ => 0,
        };
        payload.truncate(payload.len() - end);
        let wire = std::mem::take(&mut self.wire);
        let is_cut = std::mem::take(&mut self.is_cut);
        Some(Message { kind: MessageKind::Event, payload, wire, is_cut, note: None })
    }
}

/// What a block of lines says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type; empty if it names none, which is taken for `message`.
    pub event: String,
    /// Its data, lines joined with LF.
    pub data: String,
    /// The identifier that it sets.
    pub id: Option<String>,
    /// After how many milliseconds to reconnect.
    pub retry: Option<u64>,
    /// Its comments, which are often there to keep the connection alive.
    pub comments: Vec<String>,
}

impl Event {
    /// Reads the lines of one block. What no reader would take up, as an unknown field, is left out.
    #[must_use]
    pub fn parse(block: &[u8]) -> Self {
        let text = String::from_utf8_lossy(block);
        let mut event = Self::default();
        let mut data: Vec<&str> = Vec::new();
        for line in lines(&text) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "" if !line.is_empty() => event.comments.push(value.to_owned()),
                "event" => value.clone_into(&mut event.event),
                "data" => data.push(value),
                "id" if !value.contains('\0') => event.id = Some(value.to_owned()),
                "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    event.retry = value.parse().ok().or(event.retry);
                }
                _ => {}
            }
        }
        event.data = data.join("\n");
        event
    }
}

/// Lines that end with CRLF, CR or LF.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}
