//! What a script writes to its console, until somebody takes it.

use std::cell::{Cell, RefCell};
use std::mem;

use super::{MAX_LINE, MAX_LINES};

/// How a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// With `console.log`, `info` or `debug`.
    Log,
    /// With `console.warn`.
    Warn,
    /// With `console.error`.
    Error,
}

impl Level {
    /// The name of the function that writes so.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// By the name of its function.
    fn named(name: &str) -> Self {
        match name {
            "error" => Self::Error,
            "warn" => Self::Warn,
            _ => Self::Log,
        }
    }
}

/// What one call of `console` wrote: text of the script's, of any characters, line ends among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How it was written.
    pub level: Level,
    /// The text, of at most [`MAX_LINE`] bytes.
    pub text: String,
}

/// The lines that wait, and how many more there were.
#[derive(Default)]
pub(super) struct Console {
    lines: RefCell<Vec<LogLine>>,
    lost: Cell<usize>,
}

impl Console {
    /// Writes a line, by the name of the function that was called.
    pub(super) fn write(&self, level: &str, text: String) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() < MAX_LINES {
            lines.push(LogLine { level: Level::named(level), text: cut(text) });
        } else {
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// The lines since the last time.
    pub(super) fn take(&self) -> Vec<LogLine> {
        let mut lines = mem::take(&mut *self.lines.borrow_mut());
        let lost = self.lost.take();
        if lost > 0 {
            lines.push(LogLine { level: Level::Warn, text: format!("{lost} more lines are left out") });
        }
        lines
    }
}

/// `text`, or its beginning if it is longer than a line may be.
pub(super) fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_LINE));
    text
}
