//! What rules change of bodies, and of the messages of streams.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Failed;
use super::json::JsonEdit;
use super::redact::Secret;
use super::text::Replace;
use super::transform::{Change, Content};
use crate::engine::policy::rules::amount::Bytes;

/// Changes, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyEdits {
    /// Nothing is left of it.
    strip: bool,
    /// Where it is JSON.
    json: Vec<JsonEdit>,
    /// In its text.
    replace: Vec<Replace>,
    /// In its text.
    redact: Vec<Secret>,
    /// What is longer is cut off.
    max: Option<Bytes>,
}

impl BodyEdits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn edit(&self, content: &Content<'_>) -> Result<Vec<u8>, Failed> {
        if self.strip {
            return Ok(Vec::new());
        }
        let mut payload = content.payload.to_vec();
        if !self.json.is_empty() {
            if super::json::is_json(&payload) {
                for edit in &self.json {
                    payload = edit.apply(payload)?;
                }
            } else if content.is_json {
                return Err(Failed::new("a body that says it is JSON is none"));
            }
        }
        for replace in &self.replace {
            payload = replace.apply(&payload).into_owned();
        }
        for secret in &self.redact {
            payload = secret.redact(&payload).into_owned();
        }
        if let Some(max) = self.max {
            payload.truncate(usize::try_from(max.count()).unwrap_or(usize::MAX));
        }
        Ok(payload)
    }
}

impl Change for Arc<BodyEdits> {
    fn change(&mut self, content: &Content<'_>) -> Result<Option<Vec<u8>>, Failed> {
        self.edit(content).map(Some)
    }
}
