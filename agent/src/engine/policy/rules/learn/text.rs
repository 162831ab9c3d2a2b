//! Learnt rules as a file writes them.

use std::collections::BTreeSet;
use std::fmt;

use super::Learnt;

/// A line that is longer has its list on lines of its own.
const WIDTH: usize = 100;

/// Programs that a comment names.
const MAX_PROGRAMS: usize = 4;

/// The rules as a document of TOML, each below a comment that says what it was learnt from.
#[must_use]
pub fn text(rules: &[Learnt]) -> String {
    rules.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The part of a document that has connections to these ports read; nothing, if there is none.
#[must_use]
pub fn ports(ports: &BTreeSet<u16>) -> String {
    let entries: Vec<String> = ports.iter().map(|port| format!("{port} = \"intercept\"")).collect();
    if entries.is_empty() { String::new() } else { format!("[network]\nports = {{ {} }}\n", entries.join(", ")) }
}

impl fmt::Display for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, kind) = if self.is_calls { ("grpc", " calls") } else { ("path", "") };
        let times = if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        writeln!(f, "# {times}{}", self.by())?;
        writeln!(f, "[[rule]]")?;
        writeln!(f, "name = {}", quoted(&format!("{}{kind}", self.host)))?;
        writeln!(f, "match.host = {}", quoted(&self.host))?;
        writeln!(f, "{}", line("match.method", self.methods.iter()))?;
        writeln!(f, "{}", line(&format!("match.{key}"), self.paths.iter()))?;
        writeln!(f, "verdict = \"allow\"")
    }
}

impl Learnt {
    /// Who sent them.
    fn by(&self) -> String {
        let names: Vec<String> = self.programs.iter().take(MAX_PROGRAMS).map(|name| plain(name)).collect();
        let others = self.programs.len() - names.len();
        match (&names[..], others) {
            ([], _) => String::new(),
            (names, 0) => format!(", by {}", names.join(", ")),
            (names, others) => format!(", by {} and {others} others", names.join(", ")),
        }
    }
}

/// A key and one value, or a list.
fn line<'a>(key: &str, values: impl Iterator<Item = &'a String>) -> String {
    let values: Vec<String> = values.map(|value| quoted(value)).collect();
    match &values[..] {
        [one] => format!("{key} = {one}"),
        several => {
            let line = format!("{key} = [{}]", several.join(", "));
            let is_long = line.len() > WIDTH;
            if is_long { format!("{key} = [\n    {},\n]", several.join(",\n    ")) } else { line }
        }
    }
}

/// A basic string (TOML 1.0), in ASCII.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        _ => format!("\\U{:08X}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// What may stand in a comment.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
