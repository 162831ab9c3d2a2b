//! Bodies and messages as a script sees them: a string where they are text, a `Uint8Array` where they are not.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use rquickjs::prelude::This;
use rquickjs::{ArrayBuffer, Ctx, Function, IntoJs, Object, TypedArray, Value};

use super::MAX_BODY;
use super::error::Fault;

/// `bytes` as a string if they are UTF-8, and as they are otherwise.
pub(super) fn show<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>, Fault> {
    check(bytes.len())?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into_js(ctx)?),
        Err(_) => show_bytes(ctx, bytes),
    }
}

/// `bytes` as they are.
pub(super) fn show_bytes<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>, Fault> {
    check(bytes.len())?;
    Ok(TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_value())
}

/// What a body is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// A string, or nothing.
    Text,
    /// Bytes.
    Bytes,
    /// An object or another value, as JSON.
    Json,
}

/// The bytes that `value` stands for, which is called `name`; none for `undefined`.
pub(super) fn read(value: &Value<'_>, name: &str) -> Result<Option<(Bytes, Made)>, Fault> {
    if value.is_undefined() {
        return Ok(None);
    }
    let (bytes, made) = if value.is_null() {
        (Vec::new(), Made::Text)
    } else if let Some(text) = value.as_string() {
        (text.to_string()?.into_bytes(), Made::Text)
    } else if let Some(bytes) = bytes(value)? {
        (bytes, Made::Bytes)
    } else {
        (json(value, name)?.into_bytes(), Made::Json)
    };
    check(bytes.len())?;
    Ok(Some((bytes.into(), made)))
}

/// As [`read`], but strings and `null` become JSON as well.
pub(super) fn read_json(value: &Value<'_>, name: &str) -> Result<Option<(Bytes, Made)>, Fault> {
    if value.is_string() || value.is_null() {
        let text = json(value, name)?;
        check(text.len())?;
        return Ok(Some((text.into(), Made::Json)));
    }
    read(value, name)
}

/// `value`, which is called `name`, as JSON.
fn json(value: &Value<'_>, name: &str) -> Result<String, Fault> {
    let text = if value.is_promise() { None } else { value.ctx().json_stringify(value.clone())? };
    match text {
        Some(text) => Ok(text.to_string()?),
        None => {
            Fault::unusable(format!("{name} is a {}: make it a string, an Uint8Array or an object", value.type_name()))
        }
    }
}

/// The bytes of a `Uint8Array` or an `ArrayBuffer`. They come over in base64: QuickJS gives no view of them that is safe.
fn bytes(value: &Value<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(object) = value.as_object() else { return Ok(None) };
    let array = match ArrayBuffer::from_object(object.clone()) {
        Some(buffer) => TypedArray::<u8>::from_arraybuffer(buffer)?.into_object(),
        None if object.is_typed_array::<u8>() => object.clone(),
        None => return Ok(None),
    };
    let text: String = encoder(&array)?.call((This(array),))?;
    BASE64_STANDARD.decode(text).map(Some).map_err(|error| Fault::Unusable(format!("toBase64 gave no base64: {error}")))
}

/// The bytes that `value` is, if it is bytes.
pub(super) fn read_bytes(value: &Value<'_>) -> Result<Option<Bytes>, Fault> {
    let Some(bytes) = bytes(value)? else { return Ok(None) };
    check(bytes.len())?;
    Ok(Some(bytes.into()))
}

fn encoder<'js>(array: &Object<'js>) -> Result<Function<'js>, Fault> {
    Ok(array.get("toBase64")?)
}

fn check(length: usize) -> Result<(), Fault> {
    if length > MAX_BODY {
        return Fault::unusable(format!("a body of {length} bytes: scripts handle up to {MAX_BODY}"));
    }
    Ok(())
}
