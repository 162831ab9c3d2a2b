//! A log of verdicts in which each line holds the hash of the one before it: what is changed, left out or put in between
//! shows. Whoever can write the file can write all of it anew; the last hash, kept elsewhere, shows that as well.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::engine::hex::hex;

/// The hash before the first line.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// The session.
    pub session: String,
    /// The connection.
    pub connection: u64,
    /// The exchange; none for a connection that is not read.
    pub exchange: Option<u64>,
    /// Method and URL of the request, or where the connection goes.
    pub request: String,
    /// The program that sent it, if that is known.
    pub program: Option<String>,
    /// The verdict.
    pub verdict: String,
    /// The rule that gave it, if one did.
    pub rule: Option<String>,
    /// Why, if that was said.
    pub reason: Option<String>,
    /// The hash of the rules in force; empty without any.
    pub rules: String,
}

/// A line of the log.
#[derive(Serialize, Deserialize)]
struct Line {
    number: u64,
    previous: String,
    #[serde(flatten)]
    entry: Entry,
}

/// The end of a log, which the next line goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// How many lines there are.
    pub lines: u64,
    /// The hash of the last.
    pub hash: String,
}

/// Where a log does not hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Broken {
    /// From 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { lines: 0, hash: BEGINNING.to_owned() }
    }
}

impl Chain {
    /// The next line, with its end.
    pub fn line(&mut self, entry: Entry) -> String {
        let line = Line { number: self.lines + 1, previous: self.hash.clone(), entry };
        let text = serde_json::to_string(&line).unwrap_or_default();
        self.lines += 1;
        self.hash = hash(&text);
        text + "\n"
    }

    /// The chain that `line`, without its end, is the last of; nothing if it is none.
    #[must_use]
    pub fn after(line: &str) -> Option<Self> {
        let read: Line = serde_json::from_str(line).ok()?;
        Some(Self { lines: read.number, hash: hash(line) })
    }

    /// Follows a log from its beginning.
    ///
    /// # Errors
    /// The first place where it does not hold.
    pub fn verify<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, Broken> {
        let mut chain = Self::default();
        for (number, text) in (1..).zip(lines) {
            let broken = |what: String| Broken { line: number, what };
            let line: Line =
                serde_json::from_str(text).map_err(|error| broken(format!("no line of an audit: {error}")))?;
            if line.number != number {
                return Err(broken(format!("it says that it is line {}", line.number)));
            }
            if line.previous != chain.hash {
                return Err(broken("the line before it is not the one that it followed".to_owned()));
            }
            chain = Self { lines: number, hash: hash(text) };
        }
        Ok(chain)
    }
}

fn hash(line: &str) -> String {
    hex(digest(&SHA256, line.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> String {
        let mut chain = Chain::default();
        let entry = |number| Entry { exchange: Some(number), verdict: "block".into(), ..Entry::default() };
        (1..=4).map(|number| chain.line(entry(number))).collect()
    }

    #[test]
    fn what_is_changed_left_out_or_put_in_shows() {
        let log = log();
        let lines: Vec<&str> = log.lines().collect();
        let chain = Chain::verify(lines.iter().copied()).unwrap();
        assert_eq!(Chain::after(lines[3]), Some(chain.clone()));
        assert_eq!((chain.lines, chain.hash.len()), (4, 64));
        let changed = lines[1].replace("block", "allow");
        for (spoiled, line) in [
            (vec![lines[0], &changed, lines[2], lines[3]], 3),
            (vec![lines[0], lines[2], lines[3]], 2),
            (vec![lines[1], lines[2], lines[3]], 1),
            (vec![lines[0], lines[1], lines[1], lines[2]], 3),
            (vec![lines[0], lines[2], lines[1], lines[3]], 2),
            (vec![lines[0], "{}"], 2),
        ] {
            assert_eq!(Chain::verify(spoiled).unwrap_err().line, line);
        }
        // What is cut off at the end only the last hash shows.
        assert_ne!(Chain::verify(lines[..3].iter().copied()).unwrap().hash, chain.hash);
    }

    #[test]
    fn a_chain_goes_on_where_it_ended() {
        let log = log();
        let mut chain = Chain::after(log.lines().last().unwrap()).unwrap();
        let more = log.clone() + &chain.line(Entry::default());
        assert_eq!(Chain::verify(more.lines()).unwrap(), chain);
    }
}
