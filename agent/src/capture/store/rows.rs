//! Rows of the database, from what is known.

use std::borrow::Cow;

use rusqlite::{Transaction, params};
use serde_json::{Value, json};

use super::Error;
use crate::capture::book::Row;
use crate::capture::connection::Connection;
use crate::capture::exchange::Exchange;
use crate::engine::decode::mask::Masks;
use crate::engine::event::Event;
use crate::engine::http::Field;

const CONNECTION: &str = "INSERT OR REPLACE INTO connections (id, accepted, closed, child, destination, host, carried, \
     reason, verdict, rule, rules, pid, process, executable, uid, connected, connect_us, sni, alpn, verified, child_tls, child_resumed, \
     child_tls_us, server_tls, server_resumed, server_tls_us, certificates, error) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const CERTIFICATE: &str = "INSERT OR IGNORE INTO certificates (sha256, der) VALUES (?, ?)";
const EXCHANGE: &str = "INSERT OR REPLACE INTO exchanges (id, connection, started, sent, answered, received, finished, \
     version, method, scheme, authority, host, path, request_head, request_body, request_size, request_trailers, \
     status, informational, response_head, response_body, response_size, response_trailers, stream, verdict, rule, \
     reason, rules, error) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const MESSAGE: &str = "INSERT INTO messages (exchange, direction, at, kind, size, cut, note, payload) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const DNS: &str = "INSERT INTO dns (at, child, transport, name, type, rcode, addresses, took_us, refused, folded) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const BLOCKED: &str = "INSERT INTO blocked (at, reason, protocol, destination, packets, folded, pid, process) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const FLOW: &str = "INSERT INTO flows (opened, child, destination, state) VALUES (?, ?, ?, 'open')";
const FLOW_END: &str = "UPDATE flows SET closed = ?, state = ?, bytes_out = ?, bytes_in = ?, packets_out = ?, \
     packets_in = ? WHERE child = ? AND destination = ? AND closed IS NULL";
const SECRET: &str = "INSERT INTO secrets (at, side, line) VALUES (?, ?, ?)";
const EVENT: &str = "INSERT INTO events (at, event, connection, exchange, json) VALUES (?, ?, ?, ?, ?)";

pub(super) fn connection(transaction: &Transaction<'_>, id: u64, row: &Connection) -> Result<(), Error> {
    let process = row.process.as_ref();
    let (child, server) = row.tls.as_ref().map(|(child, server)| (child, server.as_ref())).unzip();
    let server = server.flatten();
    for (sha256, der) in &row.certificates {
        transaction.prepare_cached(CERTIFICATE)?.execute(params![sha256, &der[..]])?;
    }
    let digests: Vec<&str> = row.certificates.iter().map(|(sha256, _)| sha256.as_str()).collect();
    transaction.prepare_cached(CONNECTION)?.execute(params![
        id,
        row.accepted,
        row.closed,
        row.child,
        row.destination,
        row.host,
        row.carried,
        row.reason,
        row.verdict,
        row.rule,
        row.rules,
        process.map(|process| process.tgid),
        process.map(|process| &process.comm),
        process.and_then(|process| process.executable.as_ref()),
        process.map(|process| process.uid),
        row.connected,
        row.connect_us,
        row.sni,
        row.alpn,
        row.verified,
        child.map(|tls| &tls.suite),
        child.map(|tls| tls.resumed),
        child.map(|tls| tls.took_us),
        server.map(|tls| &tls.suite),
        server.map(|tls| tls.resumed),
        server.map(|tls| tls.took_us),
        (!digests.is_empty()).then(|| json!(digests).to_string()),
        row.error,
    ])?;
    Ok(())
}

/// An exchange whose bodies have these rows.
pub(super) fn exchange(
    transaction: &Transaction<'_>,
    id: u64,
    row: &Exchange,
    bodies: [Option<i64>; 2],
) -> Result<(), Error> {
    let head = &row.head;
    let informational = (!row.informational.is_empty()).then(|| {
        let heads = row.informational.iter().map(|(status, fields)| format!("[{status},{}]", text(fields)));
        format!("[{}]", heads.collect::<Vec<_>>().join(","))
    });
    transaction.prepare_cached(EXCHANGE)?.execute(params![
        id,
        row.connection,
        row.started,
        row.sent,
        row.answered,
        row.received,
        row.finished,
        head.version,
        head.method.as_str(),
        head.scheme,
        head.authority,
        head.host(),
        head.path,
        pairs(head.pseudo.iter().chain(&head.fields)),
        bodies[0],
        row.request.size,
        row.request.trailers.as_deref().map(text),
        row.status,
        informational,
        row.response.as_deref().map(text),
        bodies[1],
        row.reply.size,
        row.reply.trailers.as_deref().map(text),
        row.stream.map(crate::engine::decode::stream::Kind::name),
        row.verdict,
        row.rule,
        row.reason,
        row.rules,
        row.error,
    ])?;
    Ok(())
}

pub(super) fn row(transaction: &Transaction<'_>, row: &Row, masks: Option<&Masks>) -> Result<(), Error> {
    match row {
        Row::Message { exchange, direction, at, message } => {
            transaction.prepare_cached(MESSAGE)?.execute(params![
                exchange,
                direction.name(),
                at,
                message.kind.name(),
                message.wire,
                message.is_cut,
                message.note,
                message.payload,
            ])?;
        }
        Row::Secret { at, side, line } => {
            transaction.prepare_cached(SECRET)?.execute(params![at, side, line])?;
        }
        Row::Event { at, event } => fact(transaction, *at, event, masks)?,
    }
    Ok(())
}

fn fact(transaction: &Transaction<'_>, at: i64, event: &Event, masks: Option<&Masks>) -> Result<(), Error> {
    match event {
        Event::DnsAnswered { child, transport, name, record_type, rcode, addresses, took_us } => {
            transaction.prepare_cached(DNS)?.execute(params![
                at,
                child.to_string(),
                transport,
                name,
                record_type,
                rcode,
                json!(addresses).to_string(),
                took_us,
                None::<&str>,
                0,
            ])?;
        }
        Event::DnsRefused { child, transport, name, record_type, reason, folded } => {
            let none = None::<&str>;
            transaction.prepare_cached(DNS)?.execute(params![
                at,
                child.to_string(),
                transport,
                name,
                record_type,
                none,
                none,
                None::<u64>,
                reason,
                folded,
            ])?;
        }
        Event::AttemptBlocked { reason, protocol, dst, packets, folded, process, .. } => {
            transaction.prepare_cached(BLOCKED)?.execute(params![
                at,
                reason.name(),
                protocol,
                dst.to_string(),
                packets,
                folded,
                process.as_ref().map(|process| process.tgid),
                process.as_ref().map(|process| &process.comm),
            ])?;
        }
        Event::FlowOpened { child, orig_dst } => {
            transaction.prepare_cached(FLOW)?.execute(params![at, child.to_string(), orig_dst.to_string()])?;
        }
        Event::FlowClosed { child, orig_dst, state, bytes_out, bytes_in, packets_out, packets_in } => {
            let (child, destination) = (child.to_string(), orig_dst.to_string());
            let end = params![at, state, bytes_out, bytes_in, packets_out, packets_in, child, destination];
            transaction.prepare_cached(FLOW_END)?.execute(end)?;
        }
        Event::UpstreamRefused { dst, reason, .. } => {
            let (none, name) = (None::<u64>, None::<&str>);
            let destination = dst.to_string();
            transaction.prepare_cached(BLOCKED)?.execute(params![
                at,
                reason,
                6,
                destination,
                none,
                none,
                none,
                name
            ])?;
        }
        _ => other(transaction, at, event, masks)?,
    }
    Ok(())
}

fn other(transaction: &Transaction<'_>, at: i64, event: &Event, masks: Option<&Masks>) -> Result<(), Error> {
    let Ok(value) = serde_json::to_value(event) else { return Ok(()) };
    let mut json = value.to_string().into_bytes();
    if let Some(masks) = masks {
        masks.text(&mut json);
    }
    transaction.prepare_cached(EVENT)?.execute(params![
        at,
        value["event"].as_str(),
        value["connection"].as_u64(),
        value["exchange"].as_u64(),
        String::from_utf8_lossy(&json),
    ])?;
    Ok(())
}

/// Fields as the database has them: names and values in their order. What is no UTF-8 is taken for Latin-1.
fn text(fields: &[Field]) -> String {
    pairs(fields.iter())
}

fn pairs<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    let mut json = String::with_capacity(512);
    json.push('[');
    for field in fields {
        json.push_str(if json.len() == 1 { "[" } else { ",[" });
        string(&field.name, &mut json);
        json.push(',');
        string(&field.value, &mut json);
        json.push(']');
    }
    json.push(']');
    json
}

/// Writes a JSON string. There are a dozen in each head: most are plain, and copied.
fn string(bytes: &[u8], json: &mut String) {
    let text = std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().copied().map(char::from).collect::<String>().into(), Cow::Borrowed);
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        json.push_str(&Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(&text);
        json.push('"');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::text;
    use crate::engine::http::Field;

    #[test]
    fn fields_are_json_whatever_is_in_them() {
        let fields = [
            Field::new("A", "plain"),
            Field::new("b", "quo\"te \\ and\ttab"),
            Field::new("c", "ümlaut"),
            Field::new("d", &b"latin \xfc"[..]),
            Field::new("", ""),
        ];
        let value: Value = serde_json::from_str(&text(&fields)).unwrap();
        let expect = [["A", "plain"], ["b", "quo\"te \\ and\ttab"], ["c", "ümlaut"], ["d", "latin ü"], ["", ""]];
        assert_eq!(value, json!(expect));
        assert_eq!(text(&[]), "[]");
    }
}
