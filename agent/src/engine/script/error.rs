//! What went wrong in a script, and where.

use std::time::Duration;

use rquickjs::{Coerced, Ctx, Object, Value};

use super::MAX_MEMORY;
use super::console::cut;

/// A call, or the loading of a script, came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {what}", .script, .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct Error {
    /// The script.
    pub script: String,
    /// The line that was run, counted from 1, if one was.
    pub line: Option<u32>,
    /// What went wrong.
    pub what: What,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// It threw, or is no JavaScript.
    #[error("{message}{}", .frame.as_ref().map(|frame| format!(" ({frame})")).unwrap_or_default())]
    Thrown {
        /// What was thrown, with its name.
        message: String,
        /// The innermost frame of the stack that is the script's.
        frame: Option<String>,
    },
    /// It took longer than it may.
    #[error("took longer than {} ms", .0.as_millis())]
    Late(Duration),
    /// It needs more memory than it may have.
    #[error("used more than {} MiB", MAX_MEMORY / 1024 / 1024)]
    Memory,
    /// It returned a promise that stays open, and so may be in the middle of something.
    #[error("waits for a promise that nothing keeps: there are no timers and no network")]
    Waiting,
    /// What it exports, returns or has changed cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl Error {
    /// Whether the engine is not to be used any more, since the script was stopped at some point of its work; another one
    /// takes its place.
    #[must_use]
    pub const fn ends_engine(&self) -> bool {
        matches!(self.what, What::Late(_) | What::Memory | What::Waiting)
    }
}

/// What goes wrong while values cross over; [`explain`] makes an [`Error`] of it.
#[derive(Debug)]
pub(super) enum Fault {
    /// QuickJS says so.
    Js(rquickjs::Error),
    /// A promise stays open.
    Waiting,
    /// The value cannot be used.
    Unusable(String),
}

impl Fault {
    pub(super) fn unusable<T>(why: impl Into<String>) -> Result<T, Self> {
        Err(Self::Unusable(why.into()))
    }
}

impl From<rquickjs::Error> for Fault {
    fn from(error: rquickjs::Error) -> Self {
        Self::Js(error)
    }
}

/// What `fault` means in `script`; what was thrown is taken from `ctx`.
pub(super) fn explain(ctx: &Ctx<'_>, script: &str, fault: Fault) -> Error {
    let (line, what) = match fault {
        Fault::Waiting => (None, What::Waiting),
        Fault::Unusable(why) => (None, What::Unusable(cut(why))),
        Fault::Js(rquickjs::Error::Allocation) => (None, What::Memory),
        Fault::Js(_) if ctx.has_exception() => thrown(&ctx.catch(), script),
        Fault::Js(rquickjs::Error::Utf8(_)) => {
            (None, What::Unusable("a string has half a character, which is no Unicode (a lone surrogate)".to_owned()))
        }
        Fault::Js(error) => (None, What::Unusable(cut(error.to_string()))),
    };
    Error { script: script.to_owned(), line, what }
}

/// The line where `value` was thrown, and what it says.
fn thrown(value: &Value<'_>, script: &str) -> (Option<u32>, What) {
    // QuickJS throws `null` where there is no memory for an error.
    if value.is_null() {
        return (None, What::Memory);
    }
    let Some(error) = value.as_object().filter(|_| value.is_error()) else {
        let text = value.get::<Coerced<String>>().map_or_else(|_| "a value".to_owned(), |text| text.0);
        return (None, What::Thrown { message: cut(format!("threw {text}")), frame: None });
    };
    let (name, message, stack) = (property(error, "name"), property(error, "message"), property(error, "stack"));
    let frame = stack.lines().map(str::trim).find(|frame| line_of(frame, script).is_some());
    let line = frame.and_then(|frame| line_of(frame, script));
    // There may be memory for the error and none for its message.
    if name == "InternalError" && matches!(message.as_str(), "out of memory" | "") {
        return (line, What::Memory);
    }
    let frame = frame.map(|frame| cut(frame.to_owned()));
    (line, What::Thrown { message: cut(format!("{name}: {message}")), frame })
}

fn property(error: &Object<'_>, name: &str) -> String {
    let value = error.get::<_, Option<Coerced<String>>>(name);
    // Whatever a getter throws instead does not matter beside the error.
    value.ok().flatten().map(|text| text.0).unwrap_or_default()
}

/// The line of `script` in a frame of a stack: `at onRequest (script.js:12:5)` or `at script.js:12:5`.
fn line_of(frame: &str, script: &str) -> Option<u32> {
    let (_, place) = frame.rsplit_once(&format!("{script}:"))?;
    place.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
