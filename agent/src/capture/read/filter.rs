//! Which exchanges are meant, and the same in SQL. What is typed becomes a parameter, never part of the statement, but for
//! a condition that is SQL itself; the database is open for reading only.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;

/// Which exchanges are meant: those that fit one of each kind that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Hosts: one by its name, or a pattern in which `*` is any text.
    pub hosts: Vec<String>,
    /// Methods, in any case.
    pub methods: Vec<String>,
    /// Paths with their queries: a part of one, or a pattern of the whole in which `*` is any text.
    pub paths: Vec<String>,
    /// Statuses.
    pub statuses: Vec<Status>,
    /// Processes by number, thread name or the name of the executable, or a pattern of a name.
    pub processes: Vec<String>,
    /// Those that began at this time or later, in microseconds since 1970.
    pub since: Option<i64>,
    /// gRPC methods, `SERVICE/METHOD`, or all of a `SERVICE`, whose package may be left out.
    pub grpc: Vec<String>,
    /// A condition over the tables `e` (exchanges) and `c` (connections).
    pub condition: Option<String>,
}

/// Statuses that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// From one to another, both included.
    Between(u16, u16),
    /// No answer at all.
    None,
}

/// Why a text names no status.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a status as 404, 4xx, 200-299, >=500, <400, or none for no answer")]
pub struct NoStatus;

impl FromStr for Status {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let number = |text: &str| text.trim().parse::<u16>().map_err(|_none| NoStatus);
        if text == "none" {
            return Ok(Self::None);
        }
        for (sign, least, most) in [(">=", 0, u16::MAX), ("<=", 0, 0), (">", 1, u16::MAX), ("<", 0, 0)] {
            let Some(bound) = text.strip_prefix(sign) else { continue };
            let bound = number(bound)?;
            return Ok(match sign {
                "<=" => Self::Between(0, bound),
                "<" => Self::Between(0, bound.saturating_sub(1)),
                _ => Self::Between(bound.saturating_add(least), most),
            });
        }
        if let Some(class) = text.to_ascii_lowercase().strip_suffix("xx") {
            let class = number(class)?;
            return if class < 10 { Ok(Self::Between(class * 100, class * 100 + 99)) } else { Err(NoStatus) };
        }
        match text.split_once('-') {
            Some((first, last)) => Ok(Self::Between(number(first)?, number(last)?)),
            None => number(text).map(|status| Self::Between(status, status)),
        }
    }
}

/// A statement's condition and its parameters.
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Filter {
    /// What `e` (exchanges) and `c` (connections) must say.
    pub(super) fn sql(&self) -> Condition {
        let mut all = Condition { sql: String::from("TRUE"), values: Vec::new() };
        all.any(&self.hosts, |host, values| {
            values.push(glob(&host.to_ascii_lowercase()).into());
            "rtrim(lower(e.host), '.') GLOB ?".to_owned()
        });
        all.any(&self.methods, |method, values| {
            values.push(method.to_ascii_uppercase().into());
            "upper(e.method) = ?".to_owned()
        });
        all.any(&self.paths, |wanted, values| path(wanted, values));
        all.any(&self.statuses, status);
        all.any(&self.processes, |wanted, values| process(wanted, values));
        all.any(&self.grpc, |wanted, values| grpc(wanted, values));
        all.any(self.since.as_slice(), |since, values| {
            values.push((*since).into());
            "e.started >= ?".to_owned()
        });
        if let Some(condition) = &self.condition {
            all.sql.push_str(&format!(" AND ({condition}\n)"));
        }
        all
    }
}

impl Condition {
    /// One of `wanted` must fit, if any is wanted.
    fn any<T>(&mut self, wanted: &[T], each: impl Fn(&T, &mut Vec<Value>) -> String) {
        let alternatives: Vec<String> = wanted.iter().map(|wanted| each(wanted, &mut self.values)).collect();
        if !alternatives.is_empty() {
            self.sql.push_str(&format!(" AND ({})", alternatives.join(" OR ")));
        }
    }
}

fn path(path: &str, values: &mut Vec<Value>) -> String {
    if path.contains('*') {
        values.push(glob(path).into());
        "e.path GLOB ?".to_owned()
    } else {
        values.push(path.to_owned().into());
        "instr(e.path, ?) > 0".to_owned()
    }
}

fn status(status: &Status, values: &mut Vec<Value>) -> String {
    match status {
        Status::None => "e.status IS NULL".to_owned(),
        Status::Between(first, last) => {
            values.extend([i64::from(*first).into(), i64::from(*last).into()]);
            "e.status BETWEEN ? AND ?".to_owned()
        }
    }
}

fn process(process: &str, values: &mut Vec<Value>) -> String {
    if let Ok(pid) = process.parse::<i64>() {
        values.push(pid.into());
        return "c.pid = ?".to_owned();
    }
    let name = glob(process);
    values.extend([name.clone().into(), name.clone().into(), format!("*/{name}").into()]);
    "c.process GLOB ? OR c.executable GLOB ? OR c.executable GLOB ?".to_owned()
}

/// gRPC, gRPC-Web and Connect put `/package.Service/Method` into the path.
fn grpc(method: &str, values: &mut Vec<Value>) -> String {
    let method = glob(method.trim_start_matches('/'));
    let method = if method.contains('/') { method } else { format!("{method}/*") };
    values.extend([format!("/{method}").into(), format!("/*.{method}").into()]);
    "(e.path GLOB ? OR e.path GLOB ?) AND (e.stream IN ('grpc', 'grpc-web', 'grpc-web-text', 'connect') \
     OR instr(lower(e.request_head), '\"connect-protocol-version\"') > 0)"
        .to_owned()
}

/// A pattern of SQLite's GLOB in which only `*` is special.
fn glob(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, c| {
        match c {
            '?' | '[' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
        pattern
    })
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Between(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_classes_and_bounds() {
        for (text, expect) in [
            ("404", Ok(Status::Between(404, 404))),
            ("4xx", Ok(Status::Between(400, 499))),
            ("5XX", Ok(Status::Between(500, 599))),
            (">=500", Ok(Status::Between(500, u16::MAX))),
            (">500", Ok(Status::Between(501, u16::MAX))),
            ("<400", Ok(Status::Between(0, 399))),
            ("<= 399", Ok(Status::Between(0, 399))),
            ("200-299", Ok(Status::Between(200, 299))),
            ("none", Ok(Status::None)),
            ("", Err(NoStatus)),
            ("xx", Err(NoStatus)),
            ("99xx", Err(NoStatus)),
            ("-1", Err(NoStatus)),
            ("ok", Err(NoStatus)),
        ] {
            assert_eq!(text.parse(), expect, "{text}");
        }
    }

    #[test]
    fn only_the_star_is_special_in_a_pattern() {
        assert_eq!(glob("*.a[b]?c"), "*.a[[]b][?]c");
    }
}
