//! Changes that rules make to what passes: heads, bodies, and the messages of streams. What cannot be changed as a rule
//! says goes no further: a redaction that cannot be made must not let the body through.

mod body;
mod head;
mod json;
mod redact;
mod secret;
#[cfg(test)]
mod tests;
mod text;
mod transform;

pub use self::body::BodyEdits;
pub use self::head::{RequestEdits, ResponseEdits};
pub use self::secret::{Source, Value};
pub(crate) use self::transform::enveloped;
pub use self::transform::{Change, Content, Transform, prepare};

/// Why a change could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl Failed {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}
