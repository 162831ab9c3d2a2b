//! The answer to a request that the policy refuses, as whoever asked expects it: a JSON object that says why, the status
//! of a gRPC call, the error of a Connect call.

use http::StatusCode;
use serde_json::json;

use super::rules::call;
use super::rules::rule::{Block, MediaType, Status};
use super::rules::subject::Subject;
use crate::engine::decode::stream::Kind;
use crate::engine::http::{Field, Reply, values};

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Why<'a> {
    /// The rule that says so, if one does.
    pub(super) rule: Option<&'a str>,
    /// The reason.
    pub(super) reason: &'a str,
    /// What to do instead.
    pub(super) suggestion: &'a str,
}

/// The answer to `subject`, which is refused because of `why`, as `block` wants it.
#[must_use]
pub(super) fn reply(subject: &Subject<'_>, why: Why<'_>, block: &Block) -> Reply {
    let status = block.status.map_or(StatusCode::FORBIDDEN, Status::code);
    match subject.messages() {
        Some(kind @ (Kind::Grpc | Kind::GrpcWeb | Kind::GrpcWebText)) => grpc(subject, kind, status, why),
        Some(Kind::Connect) => connect(status, why),
        None if subject.call().is_some() => connect(status, why),
        Some(Kind::Sse | Kind::WebSocket) | None => match &block.body {
            Some(body) => {
                let media = block.content_type.as_ref().map_or("text/plain; charset=utf-8", MediaType::as_str);
                Reply::new(status, media.to_owned(), body.clone())
            }
            None => object(subject.head.host(), status, why),
        },
    }
}

fn object(domain: &str, status: StatusCode, why: Why<'_>) -> Reply {
    let Why { rule, reason, suggestion } = why;
    let mut body = json!({ "error": "blocked", "domain": domain, "reason": reason, "suggestion": suggestion });
    if let Some(rule) = rule {
        body["rule"] = rule.into();
    }
    Reply::new(status, "application/json", format!("{body}\n"))
}

/// A response without messages: the status is in its head (gRPC over HTTP/2, "Trailers-Only").
fn grpc(subject: &Subject<'_>, kind: Kind, status: StatusCode, why: Why<'_>) -> Reply {
    let sent = values(&subject.head.fields, "content-type").next().cloned().unwrap_or_default();
    let mut reply = Reply::new(StatusCode::OK, sent, "");
    reply.fields.extend(call::ending(code(status).0, &sentence(why)));
    if kind != Kind::Grpc {
        // Pages read no other fields of an answer from elsewhere (Fetch, section 3.3.3).
        reply.fields.push(Field::new("access-control-expose-headers", "grpc-status, grpc-message"));
    }
    reply
}

/// The error of a call, as Connect writes it ("Error Codes", "Unary-Response").
fn connect(status: StatusCode, why: Why<'_>) -> Reply {
    let body = json!({ "code": code(status).1, "message": sentence(why) });
    Reply::new(status, "application/json", body.to_string())
}

fn sentence(why: Why<'_>) -> String {
    let rule = why.rule.map(|rule| format!(" by rule `{rule}`")).unwrap_or_default();
    format!("blocked{rule}: {}; {}", why.reason, why.suggestion)
}

/// The status of a call that fits one of HTTP: its number in gRPC, its name in Connect.
fn code(status: StatusCode) -> (u8, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => (3, "invalid_argument"),
        StatusCode::GATEWAY_TIMEOUT => (4, "deadline_exceeded"),
        StatusCode::NOT_FOUND => (5, "not_found"),
        StatusCode::CONFLICT => (10, "aborted"),
        StatusCode::TOO_MANY_REQUESTS => (8, "resource_exhausted"),
        StatusCode::NOT_IMPLEMENTED => (12, "unimplemented"),
        StatusCode::INTERNAL_SERVER_ERROR => (13, "internal"),
        StatusCode::SERVICE_UNAVAILABLE => (14, "unavailable"),
        StatusCode::UNAUTHORIZED => (16, "unauthenticated"),
        _ => (7, "permission_denied"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::subject::tests::{connection, head};
    use super::*;

    const WHY: Why<'_> = Why { rule: Some("no ü%"), reason: "why", suggestion: "do" };

    /// Head and body of the answer to a request of this media type.
    fn answer(fields: &[(&'static str, &'static str)], block: &Block) -> (u16, String, String) {
        let request = head("POST", "a.example/p.S/M", fields);
        let reply = reply(&Subject::new(&request, connection()), WHY, block);
        let fields: Vec<String> = reply.fields.iter().map(|field| format!("{field:?}")).collect();
        (reply.status.as_u16(), fields.join("\n"), String::from_utf8(reply.body.to_vec()).unwrap())
    }

    #[test]
    fn whoever_asked_is_told_in_their_own_words() {
        let unary = ("connect-protocol-version", "1");
        let object = "{\"domain\":\"a.example\",\"error\":\"blocked\",\"reason\":\"why\",\"rule\":\"no ü%\",\"suggestion\":\"do\"}\n";
        let denied = "{\"code\":\"permission_denied\",\"message\":\"blocked by rule `no ü%`: why; do\"}";
        let message = "grpc-message: blocked by rule `no %C3%BC%25`: why; do";
        let table: [(&[_], u16, &str, &str); 6] = [
            (&[], 403, "content-type: application/json", object),
            (&[("content-type", "text/event-stream")], 403, "content-type: application/json", object),
            (&[unary, ("content-type", "application/proto")], 403, "content-type: application/json", denied),
            (&[("content-type", "application/connect+json")], 403, "content-type: application/json", denied),
            (
                &[("content-type", "application/grpc+proto")],
                200,
                &format!("content-type: application/grpc+proto\ngrpc-status: 7\n{message}"),
                "",
            ),
            (
                &[("content-type", "application/grpc-web")],
                200,
                &format!(
                    "content-type: application/grpc-web\ngrpc-status: 7\n{message}\naccess-control-expose-headers: grpc-status, grpc-message"
                ),
                "",
            ),
        ];
        for (fields, status, head, body) in table {
            assert_eq!(answer(fields, &Block::default()), (status, head.to_owned(), body.to_owned()), "{fields:?}");
        }
    }

    #[test]
    fn a_rule_may_choose_status_and_body() {
        let block = |text: &str| toml::from_str::<Block>(text).unwrap();
        let own = block("status = 451\nbody = 'no'");
        assert_eq!(answer(&[], &own), (451, "content-type: text/plain; charset=utf-8".into(), "no".into()));
        let html = block("body = '<p>'\ncontent_type = 'text/html'");
        assert_eq!(answer(&[], &html), (403, "content-type: text/html".into(), "<p>".into()));
        let late = block("status = 503\nbody = 'no'");
        let grpc = answer(&[("content-type", "application/grpc")], &late);
        assert!(grpc.0 == 200 && grpc.1.contains("grpc-status: 14") && grpc.2.is_empty(), "{grpc:?}");
    }
}
