//! HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>), with WebSocket messages, events and certificates in the
//! fields that Chrome's DevTools use for them. A file is [`begin`], entries with commas between them, and [`END`].

mod cookies;
mod streams;
#[cfg(test)]
mod tests;
mod tls;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use self::cookies::{received, sent};
use super::rows::{Exchange, Half, Outline};
use super::{Phase, phases, time};

/// What ends a file.
pub const END: &str = "\n]}}\n";

/// What a file begins with; `comment` says where it is from.
#[must_use]
pub fn begin(comment: &str) -> String {
    let creator = json!({ "name": "agent", "version": env!("CARGO_PKG_VERSION") });
    let comment = Value::from(comment);
    format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"comment\":{comment},\"pages\":[],\"entries\":[\n")
}

/// The entry of an exchange.
#[must_use]
pub fn entry(exchange: &Exchange) -> Value {
    let outline = &exchange.outline;
    let phases = phases(exchange);
    let began = phases.first().map_or(outline.started, |phase| phase.began);
    let timings = timings(&phases);
    let mut entry = Map::new();
    entry.insert("startedDateTime".into(), time::rfc3339(began).into());
    entry.insert("time".into(), total(&timings).into());
    entry.insert("request".into(), request(exchange));
    entry.insert("response".into(), response(exchange));
    entry.insert("cache".into(), json!({}));
    entry.insert("timings".into(), timings);
    entry.insert("connection".into(), outline.connection.to_string().into());
    if let Some(connection) = &exchange.connection {
        let address = connection.destination.parse().map(|address: std::net::SocketAddr| address.ip().to_canonical());
        if let Ok(address) = address {
            entry.insert("serverIPAddress".into(), address.to_string().into());
        }
        entry.extend(tls::details(connection, exchange.certificate.as_deref()));
    }
    entry.extend(streams::messages(exchange));
    entry.extend(outline.caller().map(|caller| ("_process".into(), caller.into())));
    entry.extend(remark(outline).map(|remark| ("comment".into(), remark.into())));
    Value::Object(entry)
}

/// Milliseconds; -1 is what does not apply. Connecting has TLS in it, whose own time is in `ssl` as well.
fn timings(phases: &[Phase]) -> Value {
    let known = |name: &str| phases.iter().find(|phase| phase.name == name).map(|phase| millis(phase.took));
    let (connect, tls) = (known("connect"), known("tls"));
    let both = connect.map(|connect| connect + tls.unwrap_or(0.0));
    json!({
        "blocked": -1.0,
        "dns": known("dns").unwrap_or(-1.0),
        "connect": both.or(tls).unwrap_or(-1.0),
        "ssl": tls.unwrap_or(-1.0),
        "send": known("sending").unwrap_or(0.0),
        "wait": known("waiting").unwrap_or(0.0),
        "receive": known("receiving").unwrap_or(0.0),
    })
}

/// The sum of all that applies; `ssl` is in `connect`.
fn total(timings: &Value) -> f64 {
    let parts = ["dns", "connect", "send", "wait", "receive"];
    let sum: f64 = parts.iter().filter_map(|part| timings[*part].as_f64()).filter(|part| *part > 0.0).sum();
    // Sums of thousandths are to stay thousandths.
    (sum * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "spans of less than 285 years are exact")]
fn millis(micros: i64) -> f64 {
    micros as f64 / 1_000.0
}

fn request(exchange: &Exchange) -> Value {
    let (outline, half) = (&exchange.outline, &exchange.request);
    let mut request = json!({
        "method": outline.method,
        "url": outline.url(),
        "httpVersion": version(outline),
        "cookies": sent(half),
        "headers": headers(half),
        "queryString": query(&outline.path),
        "headersSize": -1,
        "bodySize": half.size,
    });
    if half.body.is_some() {
        let decoded = half.decoded();
        let mut data = json!({ "mimeType": half.value("content-type").unwrap_or_default() });
        match std::str::from_utf8(&decoded.bytes) {
            Ok(text) => data["text"] = text.into(),
            Err(_) => {
                // HAR has no word for this; the name is that of the response's content.
                data["text"] = STANDARD.encode(&decoded.bytes).into();
                data["encoding"] = "base64".into();
            }
        }
        request["postData"] = data;
    }
    request
}

fn response(exchange: &Exchange) -> Value {
    let (outline, none) = (&exchange.outline, Half { size: 0, ..Half::default() });
    let half = exchange.response.as_ref().unwrap_or(&none);
    let status = http::StatusCode::from_u16(outline.status.unwrap_or(0)).ok();
    let mut response = json!({
        "status": outline.status.unwrap_or(0),
        "statusText": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "httpVersion": version(outline),
        "cookies": received(half),
        "headers": headers(half),
        "content": content(half),
        "redirectURL": half.value("location").unwrap_or_default(),
        "headersSize": -1,
        "bodySize": if exchange.response.is_some() { Value::from(half.size) } else { Value::from(-1) },
    });
    if let Some(error) = &outline.error {
        response["_error"] = error.as_str().into();
    }
    response
}

fn content(half: &Half) -> Value {
    let decoded = half.decoded();
    let size = decoded.bytes.len();
    let mut content = json!({
        "size": size,
        "mimeType": half.value("content-type").unwrap_or("x-unknown"),
    });
    let saved = i128::try_from(size).unwrap_or(i128::MAX) - i128::from(half.size);
    let is_whole = half.body.as_ref().is_some_and(|body| !body.is_cut && !body.is_open);
    if is_whole && saved != 0 {
        content["compression"] = i64::try_from(saved).unwrap_or(0).into();
    }
    if half.body.is_some() {
        match std::str::from_utf8(&decoded.bytes) {
            Ok(text) => content["text"] = text.into(),
            Err(_) => {
                content["text"] = STANDARD.encode(&decoded.bytes).into();
                content["encoding"] = "base64".into();
            }
        }
    }
    let cut = half.body.as_ref().is_some_and(|body| body.is_cut).then_some("not all of the body was kept");
    if let Some(comment) = decoded.note.or(cut) {
        content["comment"] = comment.into();
    }
    content
}

/// As Chrome names it.
fn version(outline: &Outline) -> &str {
    if outline.version == "HTTP/2" { "h2" } else { &outline.version }
}

/// The head, without what is no header but the request line of HTTP/2.
fn headers(half: &Half) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    half.head.iter().map(|field| json!({ "name": text(&field.name), "value": text(&field.value) })).collect()
}

fn query(path: &str) -> Value {
    let query = path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        json!({ "name": unescaped(name), "value": unescaped(value) })
    });
    pairs.collect()
}

/// What a part of a query says (application/x-www-form-urlencoded). What is no escape stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = after.first_chunk::<2>().filter(|_| *first == b'%');
        let escape = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn remark(outline: &Outline) -> Option<String> {
    let refused = (outline.verdict == "block").then(|| match &outline.rule {
        Some(rule) => format!("refused by rule {rule}"),
        None => "refused".to_owned(),
    });
    refused.or_else(|| outline.error.clone())
}
