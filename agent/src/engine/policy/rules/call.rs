//! The answer to a call of gRPC, gRPC-Web or Connect: its messages, and how it ends.

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::subject::Subject;
use crate::engine::decode::protobuf::schema::Schema;
use crate::engine::decode::stream::Kind;
use crate::engine::edit::enveloped;
use crate::engine::http::{Field, Reply, values};

/// What text of a grpc-message is escaped (gRPC over HTTP/2, "Responses").
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The errors of a call, by their number in gRPC less one: name and status of HTTP in Connect ("Error Codes").
const ERRORS: [(&str, u16); 16] = [
    ("canceled", 499),
    ("unknown", 500),
    ("invalid_argument", 400),
    ("deadline_exceeded", 504),
    ("not_found", 404),
    ("already_exists", 409),
    ("permission_denied", 403),
    ("resource_exhausted", 429),
    ("failed_precondition", 400),
    ("aborted", 409),
    ("out_of_range", 400),
    ("unimplemented", 501),
    ("internal", 500),
    ("unavailable", 503),
    ("data_loss", 500),
    ("unauthenticated", 401),
];

/// How a call ends.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// Its number in gRPC: 0 is success.
    #[serde(default)]
    status: Number,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
}

/// A status of gRPC, from 0 to 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u8", into = "u8")]
struct Number(u8);

impl TryFrom<u8> for Number {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        let is_known = usize::from(number) <= ERRORS.len();
        is_known.then_some(Self(number)).ok_or_else(|| format!("{number} is no status of gRPC: it has 0 to 16"))
    }
}

impl From<Number> for u8 {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl Ending {
    /// Its error, if it is one: name and status of HTTP in Connect.
    fn error(&self) -> Option<(&'static str, StatusCode)> {
        let (name, status) = ERRORS.get(usize::from(self.status.0).checked_sub(1)?)?;
        Some((name, StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)))
    }

    /// The error as Connect writes it ("Error").
    fn object(&self) -> Option<Value> {
        self.error().map(|(code, _)| json!({ "code": code, "message": self.message }))
    }
}

/// The fields that end a call of gRPC.
#[must_use]
pub(in super::super) fn ending(status: u8, message: &str) -> Vec<Field> {
    let message = (!message.is_empty()).then(|| utf8_percent_encode(message, ESCAPED).to_string());
    let status = Field::new("grpc-status", status.to_string());
    std::iter::once(status).chain(message.map(|message| Field::new("grpc-message", message))).collect()
}

/// The answer to the call `subject`, of `messages`, which end as `ending` says. Those of protocol buffers are made as
/// `schema` says.
///
/// # Errors
///
/// Why it cannot be made.
pub(super) fn answer(
    subject: &Subject<'_>,
    schema: &Schema,
    messages: &[Value],
    ending: &Ending,
) -> Result<Reply, String> {
    if subject.call().is_none() {
        return Err("`messages` answer a call of gRPC, gRPC-Web or Connect, which this is not".to_owned());
    }
    let sent = values(&subject.head.fields, "content-type").next().cloned().unwrap_or_default();
    let is_json = sent.split(|byte| *byte == b';').next().is_some_and(|media| media.ends_with(b"json"));
    let output = schema.method(subject.path()).map(|method| method.output);
    let payload = |message: &Value| match (&output, is_json) {
        (_, true) => Ok(message.to_string().into_bytes()),
        (Some(output), false) => output.of_json(message.to_string().as_bytes()).map_err(|error| error.to_string()),
        (None, false) => Err("what its messages are is unknown: name the `.proto` in `schema`".to_owned()),
    };
    let payloads = messages.iter().map(payload).collect::<Result<Vec<Vec<u8>>, String>>()?;
    let Some(kind) = subject.messages() else { return Ok(unary(sent, payloads, ending)) };
    let mut body = Vec::new();
    payloads.iter().for_each(|payload| enveloped(kind, 0, payload, &mut body));
    let fields = self::ending(ending.status.0, &ending.message);
    let mut trailers = Vec::new();
    match kind {
        Kind::Grpc => trailers = fields,
        Kind::Connect => {
            let last = ending.object().map_or_else(|| json!({}), |error| json!({ "error": error }));
            enveloped(kind, 2, last.to_string().as_bytes(), &mut body);
        }
        _ => {
            let line = |field: &Field| [&field.name[..], b": ", &field.value, b"\r\n"].concat();
            let lines: Vec<u8> = fields.iter().flat_map(line).collect();
            enveloped(kind, 0x80, &lines, &mut body);
        }
    }
    Ok(Reply { trailers, ..Reply::new(StatusCode::OK, sent, body) })
}

/// The answer to a unary call of Connect: its body is the message, or the error ("Unary-Response").
fn unary(media: bytes::Bytes, payloads: Vec<Vec<u8>>, ending: &Ending) -> Reply {
    match (ending.error(), ending.object()) {
        (Some((_, status)), Some(error)) => Reply::new(status, "application/json", error.to_string()),
        _ => Reply::new(StatusCode::OK, media, payloads.into_iter().next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::subject::tests::{connection, head};
    use super::*;

    fn answered(media: &'static str, messages: &[Value], ending: &str) -> Result<Reply, String> {
        let fields = [("content-type", media), ("connect-protocol-version", "1")];
        let request = head("POST", "a.example/p.S/M", &fields);
        let ending = serde_json::from_str(ending).unwrap();
        answer(&Subject::new(&request, connection()), &Schema::default(), messages, &ending)
    }

    #[test]
    fn calls_are_answered_in_the_way_of_what_they_speak() {
        let messages = [json!({ "a": 1 }), json!({})];
        let frames = b"\0\0\0\0\x07{\"a\":1}\0\0\0\0\x02{}";
        let failed = r#"{ "status": 5, "message": "n\n" }"#;
        let tail = b"grpc-status: 5\r\ngrpc-message: n%0A\r\n";
        let web = [&frames[..], &[0x80, 0, 0, 0, 36], tail].concat();
        let error = br#"{"code":"not_found","message":"n\n"}"#;
        let streamed = [&frames[..], &[2, 0, 0, 0, 46], br#"{"error":"#, error, b"}"].concat();
        for (media, ending, status, body, trailers) in [
            ("application/grpc+json", failed, 200, &frames[..], 2),
            ("application/grpc+json", "{}", 200, &frames[..], 1),
            ("application/grpc-web+json", failed, 200, &web, 0),
            ("application/connect+json", failed, 200, &streamed, 0),
            ("application/connect+json", "{}", 200, &[&frames[..], b"\x02\0\0\0\x02{}"].concat(), 0),
            ("application/json", failed, 404, error, 0),
            ("application/json", "{}", 200, b"{\"a\":1}", 0),
        ] {
            let reply = answered(media, &messages, ending).unwrap();
            let is = (reply.status.as_u16(), &reply.body[..], reply.trailers.len());
            assert_eq!(is, (status, body, trailers), "{media} {ending}: {:?}", String::from_utf8_lossy(&reply.body));
        }
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        let wrong = answered("application/grpc", &[json!({})], "{}").unwrap_err();
        assert!(wrong.contains("`schema`"), "{wrong}");
        let request = head("POST", "a.example/p.S/M", &[]);
        let subject = Subject::new(&request, connection());
        let wrong = answer(&subject, &Schema::default(), &[], &Ending::default()).unwrap_err();
        assert!(wrong.contains("is not"), "{wrong}");
        let wrong = serde_json::from_str::<Ending>(r#"{ "status": 17 }"#).unwrap_err();
        assert!(wrong.to_string().contains("0 to 16"), "{wrong}");
    }
}
