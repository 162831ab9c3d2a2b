//! What a script answers in the server's place: a refusal, or a response of its own.

use bytes::Bytes;
use rquickjs::{Object, Value};

use super::body::{self, Made};
use super::error::Fault;
use super::headers;
use crate::engine::http::{Field, Reply, values};
use crate::engine::policy::rules::rule::{Block, MediaType, Status};

/// What `{ block: … }` says: `true`, the reason, or an object; none if it says no.
pub(super) fn block(value: &Value<'_>) -> Result<Option<Block>, Fault> {
    if value.is_undefined() || value.is_null() || value.as_bool() == Some(false) {
        return Ok(None);
    }
    if value.as_bool() == Some(true) {
        return Ok(Some(Block::default()));
    }
    if let Some(reason) = value.as_string() {
        return Ok(Some(Block { reason: Some(reason.to_string()?), ..Block::default() }));
    }
    let Some(object) = value.as_object() else {
        return Fault::unusable("block is neither true nor { status, reason, body }");
    };
    let body = body::read(&object.get("body")?, "block.body")?;
    let is_json = body.as_ref().is_some_and(|(_, made)| *made == Made::Json);
    Ok(Some(Block {
        status: status(&object.get("status")?, "block.status")?,
        reason: text(object, "reason")?,
        suggestion: text(object, "suggestion")?,
        body: body.map(|(body, _)| utf8(&body)).transpose()?,
        content_type: is_json.then(json_type).transpose()?,
    }))
}

/// What `{ respond: … }` says, or one of `mockResponses`.
pub(super) fn respond(value: &Value<'_>, name: &str) -> Result<Reply, Fault> {
    let Some(object) = value.as_object().filter(|object| !object.is_array() && !object.is_function()) else {
        return Fault::unusable(format!("{name} is no object {{ status, headers, body }}"));
    };
    let status = status(&object.get("status")?, &format!("{name}.status"))?;
    let given: Value<'_> = object.get("headers")?;
    let mut fields = if given.is_undefined() { Vec::new() } else { headers::made(&given)? };
    let (body, made) = body::read(&object.get("body")?, &format!("{name}.body"))?.unwrap_or((Bytes::new(), Made::Text));
    if values(&fields, "content-type").next().is_none() && !body.is_empty() {
        fields.push(Field::new("content-type", media(made)));
    }
    let status = status.map_or(http::StatusCode::OK, Status::code);
    Ok(Reply { status, fields, body, ..Reply::default() })
}

/// The status that `value` is; none for `undefined`.
pub(super) fn status(value: &Value<'_>, name: &str) -> Result<Option<Status>, Fault> {
    if value.is_undefined() {
        return Ok(None);
    }
    let number = value.as_number().filter(|number| number.fract() == 0.0 && (0.0..=65_535.0).contains(number));
    let Some(number) = number else { return Fault::unusable(format!("{name} is no number from 200 to 599")) };
    match Status::try_from(number as u16) {
        Ok(status) => Ok(Some(status)),
        Err(error) => Fault::unusable(format!("{name}: {error}")),
    }
}

/// The text that is the member `name` of `object`; none for `undefined` and `null`.
pub(super) fn text(object: &Object<'_>, name: &str) -> Result<Option<String>, Fault> {
    let value: Value<'_> = object.get(name)?;
    match value.as_string() {
        Some(text) => Ok(Some(text.to_string()?)),
        None if value.is_undefined() || value.is_null() => Ok(None),
        None => Fault::unusable(format!("{name} is no string")),
    }
}

fn utf8(body: &Bytes) -> Result<String, Fault> {
    String::from_utf8(body.to_vec()).map_err(|_binary| Fault::Unusable("block.body is no text: use respond".to_owned()))
}

fn json_type() -> Result<MediaType, Fault> {
    MediaType::try_from(media(Made::Json).to_owned()).map_err(|error| Fault::Unusable(error.to_string()))
}

const fn media(made: Made) -> &'static str {
    match made {
        Made::Text => "text/plain; charset=utf-8",
        Made::Bytes => "application/octet-stream",
        Made::Json => "application/json",
    }
}
