//! `agent flows`: looking at what sessions have recorded.

mod curl;
mod diff;
mod list;
mod page;
mod prune;
mod schema;
mod show;
#[cfg(test)]
mod tests;
mod view;

use std::ops::RangeInclusive;

pub use self::curl::curl;
pub use self::diff::diff;
pub(super) use self::diff::{compare, response, unified};
pub use self::list::list;
pub(super) use self::page::Page;
pub(super) use self::prune::rotate;
pub use self::prune::{Prune, prune};
pub use self::schema::Schemas;
pub use self::show::{Form, show};
use crate::app::captures::Choice;
use crate::capture::read::{Capture, Error, Filter};
use crate::engine::record::Outline;

/// Every exchange.
pub(super) const ALL: RangeInclusive<i64> = 1..=i64::MAX;

/// Which exchanges of which capture are meant.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The capture.
    pub choice: Choice,
    /// The exchanges.
    pub filter: Filter,
    /// Text that a body of theirs has.
    pub grep: Option<String>,
    /// A whole query of the user's, which is answered instead.
    pub select: Option<String>,
}

impl Query {
    /// The exchanges with numbers in `ids` that are meant.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn outlines(&self, capture: &Capture, ids: RangeInclusive<i64>) -> Result<Vec<Outline>, Error> {
        match &self.grep {
            None => capture.outlines(&self.filter, ids),
            Some(text) => capture.outlines_of(&capture.grep(&self.filter, ids, text)?),
        }
    }
}

/// How output is painted.
pub(super) fn paint() -> crate::ui::colour::Paint {
    crate::ui::colour::Paint::for_output(crate::config::wants_colour())
}
