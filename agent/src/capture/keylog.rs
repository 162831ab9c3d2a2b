//! A key log of both sides of every TLS connection (`--keylog`).

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use super::tail::Tail;

/// The key log. Lines are in the file when [`Keylog::write`] returns.
pub struct Keylog(Mutex<State>);

struct State {
    tail: Tail,
    /// What the latest line was of.
    of: (&'static str, Vec<u8>),
    is_incomplete: bool,
}

impl Keylog {
    /// Goes on at the file's position.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn new(file: File) -> io::Result<Self> {
        Ok(Self(Mutex::new(State { tail: Tail::new(file)?, of: ("", Vec::new()), is_incomplete: false })))
    }

    /// Writes the line of a secret. Where lines of another connection, or of its other side, came before, a comment
    /// says which side this is.
    pub fn write(&self, side: &'static str, client_random: &[u8], line: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = state.of.0 == side && state.of.1 == client_random;
        let piece = if is_known { line.to_owned() } else { format!("# {side}\n{line}") };
        match state.tail.append(piece.as_bytes()) {
            Ok(()) => state.of = (side, client_random.to_vec()),
            Err(error) if !state.is_incomplete => {
                state.is_incomplete = true;
                tracing::error!(%error, "the key log is not complete");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::Keylog;

    #[test]
    fn a_comment_tells_the_side_where_it_changes() {
        let path = std::env::temp_dir().join(format!("agent-keylog-{}", std::process::id()));
        let keylog = Keylog::new(File::create(&path).unwrap()).unwrap();
        for (side, random, line) in [
            ("upstream", b"1", "a\n"),
            ("upstream", b"1", "b\n"),
            ("child", b"2", "c\n"),
            ("child", b"3", "d\n"),
            ("upstream", b"3", "e\n"),
        ] {
            keylog.write(side, random, line);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# upstream\na\nb\n# child\nc\n# child\nd\n# upstream\ne\n");
        fs::remove_file(path).unwrap();
    }
}
