//! Colours, where they are wanted: on a terminal, unless `NO_COLOR` says otherwise.

use std::io::IsTerminal as _;

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The title of a part.
    Title,
    /// The name of something.
    Name,
    /// What is less important than the rest.
    Faint,
    /// What went well, or was added.
    Good,
    /// What did not go as asked.
    Warning,
    /// What failed, or was removed.
    Bad,
}

/// What paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// For standard output; `wanted` is what the environment says.
    #[must_use]
    pub fn for_output(wanted: bool) -> Self {
        Self { is_on: wanted && std::io::stdout().is_terminal() }
    }

    /// Paints nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self { is_on: false }
    }

    /// `text` as it is meant.
    #[must_use]
    pub fn paint(self, ink: Ink, text: &str) -> String {
        if !self.is_on || text.is_empty() {
            return text.to_owned();
        }
        // ECMA-48 section 8.3.117, in the sixteen colours that a terminal's user has chosen.
        let code = match ink {
            Ink::Title => "1",
            Ink::Name => "36",
            Ink::Faint => "2",
            Ink::Good => "32",
            Ink::Warning => "33",
            Ink::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A status of HTTP by its class.
    #[must_use]
    pub fn status(self, status: Option<u16>) -> String {
        let ink = match status {
            None | Some(500..) => Ink::Bad,
            Some(400..500) => Ink::Warning,
            Some(200..300) => Ink::Good,
            Some(_) => Ink::Faint,
        };
        self.paint(ink, &status.map_or_else(|| "-".into(), |status| status.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ink, Paint};

    #[test]
    fn text_is_painted_or_left_alone() {
        let on = Paint { is_on: true };
        assert_eq!(on.paint(Ink::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(on.paint(Ink::Bad, ""), "");
        assert_eq!(Paint::off().paint(Ink::Bad, "no"), "no");
        assert_eq!((Paint::off().status(Some(404)), Paint::off().status(None)), ("404".into(), "-".into()));
    }
}
