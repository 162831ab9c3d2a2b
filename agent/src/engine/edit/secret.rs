//! Values that rules give to header fields: written in the file, or kept out of it.

use std::fmt;
use std::path::PathBuf;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::Failed;

/// A value.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Value {
    /// As it is written.
    Text(String),
    /// What the environment or a file has, within a text.
    Secret {
        /// Where it is.
        source: Source,
        /// The text; `{}` stands for it.
        format: String,
        /// What was found there.
        found: Option<String>,
    },
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A variable of the environment of whoever starts the session.
    Env(String),
    /// A file, of which the first line counts.
    File(PathBuf),
}

/// A value as the file writes it.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "write a text, { env = \"NAME\" } or { file = \"PATH\" }")]
enum Written {
    Text(String),
    Secret(Table),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    env: Option<String>,
    file: Option<PathBuf>,
    format: Option<String>,
    /// Set by who has read it, for those who cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

/// Why a table is no value.
#[derive(Debug, thiserror::Error)]
pub enum NoValue {
    /// It has no source, or two.
    #[error("a value comes from one of `env` and `file`")]
    Source,
    /// Nothing stands for it.
    #[error("`{0}` has no `{{}}` that stands for the value")]
    Format(String),
    /// It cannot stand in a header.
    #[error("`{}` cannot stand in a header", .0.escape_debug())]
    Text(String),
}

impl TryFrom<Written> for Value {
    type Error = NoValue;

    fn try_from(written: Written) -> Result<Self, NoValue> {
        let Table { env, file, format, found } = match written {
            Written::Text(text) if HeaderValue::from_str(&text).is_ok() => return Ok(Self::Text(text)),
            Written::Text(text) => return Err(NoValue::Text(text)),
            Written::Secret(table) => table,
        };
        let source = match (env, file) {
            (Some(name), None) => Source::Env(name),
            (None, Some(path)) => Source::File(path),
            _ => return Err(NoValue::Source),
        };
        let format = format.unwrap_or_else(|| "{}".into());
        if !format.contains("{}") || HeaderValue::from_str(&format).is_err() {
            return Err(NoValue::Format(format));
        }
        Ok(Self::Secret { source, format, found })
    }
}

impl From<Value> for Written {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Secret { source, format, found } => {
                let (env, file) = match source {
                    Source::Env(name) => (Some(name), None),
                    Source::File(path) => (None, Some(path)),
                };
                Self::Secret(Table { env, file, format: Some(format), found })
            }
        }
    }
}

impl Value {
    /// What stands in the header.
    ///
    /// # Errors
    /// If a secret was not found, or cannot stand there.
    pub fn text(&self) -> Result<String, Failed> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Secret { source, format, found } => {
                let found = found.as_ref().ok_or_else(|| Failed::new(format!("{source} was not read")))?;
                let text = format.replace("{}", found);
                let fits = HeaderValue::from_str(&text).is_ok();
                if fits { Ok(text) } else { Err(Failed::new(format!("what {source} has cannot stand in a header"))) }
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the variable `{name}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

/// Never shows what was found.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Secret { source, format, .. } => write!(f, "{format:?} with {source}"),
        }
    }
}
