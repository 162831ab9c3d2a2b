//! Cookies of a request and of a response (RFC 6265), as HAR has them.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::engine::http::{Field, values};
use crate::engine::record::rows::Half;

/// Those that a request sends.
pub(super) fn sent(half: &Half) -> Value {
    let lines = values(&half.head, "cookie").map(|value| String::from_utf8_lossy(value));
    let mut cookies = Vec::new();
    for line in lines {
        let pairs = line.split(';').map(str::trim).filter(|pair| !pair.is_empty());
        cookies.extend(pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            json!({ "name": name, "value": value })
        }));
    }
    Value::Array(cookies)
}

/// Those that a response sets.
pub(super) fn received(half: &Half) -> Value {
    half.head.iter().filter(|field| field.is("set-cookie")).filter_map(Field::text).map(set).collect()
}

fn set(line: &str) -> Value {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap_or(("", line));
    let mut cookie = json!({ "name": name, "value": value, "httpOnly": false, "secure": false });
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        match attribute.to_ascii_lowercase().as_str() {
            "path" => cookie["path"] = value.into(),
            "domain" => cookie["domain"] = value.into(),
            "expires" => cookie["expires"] = expires(value),
            "httponly" => cookie["httpOnly"] = true.into(),
            "secure" => cookie["secure"] = true.into(),
            "samesite" => cookie["sameSite"] = value.into(),
            _ => {}
        }
    }
    if cookie["expires"].is_null()
        && let Some(object) = cookie.as_object_mut()
    {
        object.remove("expires");
    }
    cookie
}

/// In ISO 8601, if it is a date of HTTP (RFC 9110 section 5.6.7), with hyphens or without.
fn expires(value: &str) -> Value {
    let spaced = value.replace('-', " ").replace("GMT", "+0000");
    let date = OffsetDateTime::parse(&spaced, &Rfc2822).ok();
    let micros = date.and_then(|date| i64::try_from(date.unix_timestamp_nanos() / 1_000).ok());
    micros.map_or(Value::Null, |micros| crate::engine::record::time::rfc3339(micros).into())
}
