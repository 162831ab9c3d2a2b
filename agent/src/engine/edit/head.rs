//! What rules change of heads.

use std::collections::BTreeMap;
use std::fmt;

use form_urlencoded::{Serializer, parse};
use http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};

use super::secret::Value;
use super::text::Replace;
use super::{BodyEdits, Failed, Source};
use crate::engine::http::{CARRIED, Field, RequestHead};
use crate::engine::policy::rules::any_of::AnyOf;
use crate::engine::policy::rules::pattern::TextPattern;
use crate::engine::policy::rules::rule::Status;

/// What is changed of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestEdits {
    headers: FieldEdits,
    /// Of the path, without the query.
    path: Vec<Replace>,
    query: QueryEdits,
    /// Of the body.
    pub body: BodyEdits,
}

/// What is changed of a response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseEdits {
    status: Option<Status>,
    headers: FieldEdits,
    /// Of the body.
    pub body: BodyEdits,
}

/// What is changed of fields: some go, some get this one value, some come to those that there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FieldEdits {
    remove: Vec<TextPattern>,
    set: BTreeMap<FieldName, Value>,
    add: BTreeMap<FieldName, AnyOf<Value>>,
}

/// What is changed of the query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct QueryEdits {
    remove: Vec<TextPattern>,
    set: BTreeMap<String, String>,
}

/// The name of a field that may be changed, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct FieldName(String);

/// The name is none, or that of a field which says how a message is framed or carried.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no header field that may be changed")]
pub(super) struct NoFieldName(String);

impl TryFrom<String> for FieldName {
    type Error = NoFieldName;

    fn try_from(name: String) -> Result<Self, NoFieldName> {
        let known = HeaderName::from_bytes(name.as_bytes()).ok();
        let known = known.filter(|known| !CARRIED.contains(&known.as_str()));
        known.map(|known| Self(known.as_str().to_owned())).ok_or(NoFieldName(name))
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> Self {
        name.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RequestEdits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All secrets, for who can read them.
    pub fn secrets(&mut self) -> impl Iterator<Item = (&Source, &mut Option<String>)> {
        self.headers.secrets()
    }

    /// Changes the head of a request.
    ///
    /// # Errors
    /// If a value is not there, or what comes of it is no path.
    pub fn edit_head(&self, head: &mut RequestHead) -> Result<(), Failed> {
        self.headers.edit(&mut head.fields)?;
        if !self.path.is_empty() || self.query != QueryEdits::default() {
            let (path, query) = head.path.split_once('?').map_or((head.path.as_str(), None), |(p, q)| (p, Some(q)));
            let path = self.path.iter().try_fold(path.to_owned(), |path, replace| replace.in_text(&path))?;
            let query = self.query.edit(query);
            let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
            let is_target = target.starts_with('/') && target.parse::<http::uri::PathAndQuery>().is_ok();
            if !is_target {
                return Err(Failed::new(format!("`{}` is no path", target.escape_debug())));
            }
            head.path = target;
        }
        Ok(())
    }
}

impl ResponseEdits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All secrets, for who can read them.
    pub fn secrets(&mut self) -> impl Iterator<Item = (&Source, &mut Option<String>)> {
        self.headers.secrets()
    }

    /// Changes the head of a response.
    ///
    /// # Errors
    /// If a value is not there.
    pub fn edit_head(&self, status: &mut StatusCode, fields: &mut Vec<Field>) -> Result<(), Failed> {
        *status = self.status.map_or(*status, Status::code);
        self.headers.edit(fields)
    }
}

impl FieldEdits {
    fn edit(&self, fields: &mut Vec<Field>) -> Result<(), Failed> {
        let goes = |field: &Field| {
            let name = field.name.to_ascii_lowercase();
            let is_carried = CARRIED.iter().any(|carried| name == carried.as_bytes());
            !is_carried && self.remove.iter().any(|pattern| pattern.matches(&name))
        };
        fields.retain(|field| !goes(field));
        for (name, value) in &self.set {
            fields.retain(|field| !field.is(&name.0));
            fields.push(Field::new(name.0.clone(), value.text()?));
        }
        for (name, values) in &self.add {
            for value in values {
                fields.push(Field::new(name.0.clone(), value.text()?));
            }
        }
        Ok(())
    }

    fn secrets(&mut self) -> impl Iterator<Item = (&Source, &mut Option<String>)> {
        let added = self.add.values_mut().flat_map(AnyOf::iter_mut);
        self.set.values_mut().chain(added).filter_map(|value| match value {
            Value::Secret { source, found, .. } => Some((&*source, found)),
            Value::Text(_) => None,
        })
    }
}

impl QueryEdits {
    fn edit(&self, query: Option<&str>) -> Option<String> {
        if *self == Self::default() {
            return query.map(str::to_owned);
        }
        let goes = |name: &str| {
            self.set.contains_key(name) || self.remove.iter().any(|pattern| pattern.matches(name.as_bytes()))
        };
        // What stays keeps its own escapes.
        let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        let stays = |part: &&str| !parse(part.as_bytes()).any(|(name, _)| goes(&name));
        let mut parts: Vec<String> = parts.filter(stays).map(str::to_owned).collect();
        for (name, value) in &self.set {
            parts.push(Serializer::new(String::new()).append_pair(name, value).finish());
        }
        (!parts.is_empty()).then(|| parts.join("&"))
    }
}
