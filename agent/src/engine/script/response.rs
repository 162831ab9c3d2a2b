//! Responses as a script sees them, and as it has changed them.

use bytes::Bytes;
use http::StatusCode;
use rquickjs::{Ctx, Object, Value};

use super::error::Fault;
use super::handler::Handler;
use super::request::{changed_body, has_one_of};
use super::vm::Vm;
use super::{body, headers, reply};
use crate::engine::http::{Field, values};
use crate::engine::policy::rules::rule::Status;

/// A final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Its body without content codings, at most [`MAX_BODY`](super::MAX_BODY); `None` where it is not known, and, of what
    /// a script has changed, where it stays as it is.
    pub body: Option<Bytes>,
}

/// What `onResponse` may return one of.
const MEMBERS: [&str; 3] = ["status", "headers", "body"];

/// `response` after `onResponse`.
pub(super) fn handled<'js>(
    (vm, ctx): (&Vm, &Ctx<'js>),
    handler: &Handler,
    response: Response,
    request: Object<'js>,
) -> Result<Response, Fault> {
    let shown = response.body.as_ref().map(|bytes| body::show(ctx, bytes)).transpose()?;
    let shown = shown.unwrap_or_else(|| Value::new_undefined(ctx.clone()));
    let object = Object::new(ctx.clone())?;
    object.set("status", response.status.as_u16())?;
    object.set("headers", headers::show(ctx, &response.fields)?)?;
    object.set("body", shown.clone())?;
    let returned = handler.call(vm, ctx, (object.clone().into_value(), request.into_value()))?;
    let object = match returned.as_object() {
        Some(returned) if has_one_of(returned, &MEMBERS)? => returned.clone(),
        None if returned.is_undefined() || returned.is_null() => object,
        _ => {
            return Fault::unusable(
                "onResponse returned what is no response: return nothing, or { status, headers, body }",
            );
        }
    };
    read(&object, response, &shown)
}

/// `response` as `object` says it is. What is missing there stays.
fn read<'js>(object: &Object<'js>, mut response: Response, shown: &Value<'js>) -> Result<Response, Fault> {
    let status: Value<'js> = object.get("status")?;
    if status.as_number() != Some(f64::from(response.status.as_u16())) {
        response.status = reply::status(&status, "status")?.map_or(response.status, Status::code);
    }
    let fields: Value<'js> = object.get("headers")?;
    if !fields.is_undefined() {
        response.fields = headers::read(&fields, &response.fields)?;
    }
    if let Some(body) = changed_body(object, "body", shown)? {
        response.body = Some(body);
    }
    Ok(response)
}

/// `response` after an entry of `modifyResponses`, if its body is there.
pub(super) fn modified<'js>(
    (vm, ctx): (&Vm, &Ctx<'js>),
    modifier: &Handler,
    mut response: Response,
) -> Result<Response, Fault> {
    let Some(bytes) = &response.body else { return Ok(response) };
    let json = if is_json(&response.fields) { parsed(ctx, bytes) } else { None };
    let is_json = json.is_some();
    let shown = json.map_or_else(|| body::show(ctx, bytes), Ok)?;
    let fields = headers::show(ctx, &response.fields)?.into_value();
    let returned = modifier.call(vm, ctx, (shown.clone(), fields.clone()))?;
    let value = if returned.is_undefined() { shown } else { returned };
    response.fields = headers::read(&fields, &response.fields)?;
    let read = if is_json { body::read_json(&value, "the body") } else { body::read(&value, "the body") };
    if let Some((bytes, _)) = read? {
        response.body = Some(bytes);
    }
    Ok(response)
}

/// What a body says that is JSON; what is none, though its head says so, is text.
fn parsed<'js>(ctx: &Ctx<'js>, bytes: &Bytes) -> Option<Value<'js>> {
    let value = ctx.json_parse(bytes.to_vec());
    if value.is_err() {
        ctx.catch();
    }
    value.ok()
}

fn is_json(fields: &[Field]) -> bool {
    let media = values(fields, "content-type").next().map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
    let media = media.as_deref().and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    media.ends_with("/json") || media.ends_with("+json")
}
