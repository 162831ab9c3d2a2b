//! Answers that rules give as if they were the server's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::any_of::AnyOf;
use super::call::{self, Ending};
use super::rule::{MediaType, Status};
use super::subject::Subject;
use super::template::fill;
use crate::engine::decode::protobuf::schema::Schema;
use crate::engine::http::reply::Piece;
use crate::engine::http::{CARRIED, Field, Reply};

/// Most bytes of a file that is an answer.
pub const MAX_FILE: usize = 2 << 20;

/// An answer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Mock {
    status: Option<Status>,
    headers: BTreeMap<String, AnyOf<String>>,
    content_type: Option<MediaType>,
    content: Content,
    template: bool,
}

/// What its body is.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    None,
    Text(String),
    Json(Value),
    File { path: PathBuf, content: Option<Vec<u8>> },
    Events(Vec<Event>),
    Call { messages: Vec<Value>, ending: Ending },
}

/// A server-sent event, and when it is sent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What it says: text, or anything else as JSON.
    data: Value,
    /// Its type; `message` if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// Its identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Milliseconds after the one before it.
    #[serde(default)]
    after_ms: u64,
}

/// An answer as the file writes it.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    status: Option<Status>,
    #[serde(default)]
    headers: BTreeMap<String, AnyOf<String>>,
    content_type: Option<MediaType>,
    body: Option<String>,
    json: Option<Value>,
    file: Option<PathBuf>,
    /// What is in the file: for those who cannot read it themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_content: Option<Vec<u8>>,
    events: Option<Vec<Event>>,
    messages: Option<Vec<Value>>,
    grpc: Option<Ending>,
    #[serde(default)]
    template: bool,
}

/// Why a table is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoMock {
    /// It has several bodies.
    #[error("an answer has one of `body`, `json`, `file`, `events`, and `messages` with `grpc`")]
    Several,
    /// A field cannot be sent.
    #[error("`{0}` is no header field that an answer may have")]
    Field(String),
}

impl TryFrom<Written> for Mock {
    type Error = NoMock;

    fn try_from(written: Written) -> Result<Self, NoMock> {
        let Written { status, headers, content_type, template, file_content, grpc, .. } = written;
        let Written { body, json, file, events, messages, .. } = written;
        let wrong = headers.iter().find(|(name, values)| {
            let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !CARRIED.contains(&name.as_str()));
            !is_name || values.any(|value| HeaderValue::from_str(value).is_err())
        });
        if let Some((name, _)) = wrong {
            return Err(NoMock::Field(name.clone()));
        }
        let is_call = messages.is_some() || grpc.is_some();
        let kinds = [
            body.map(Content::Text),
            json.map(Content::Json),
            file.map(|path| Content::File { path, content: file_content }),
            events.map(Content::Events),
            is_call.then(|| Content::Call { messages: messages.unwrap_or_default(), ending: grpc.unwrap_or_default() }),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let content = kinds.next().unwrap_or(Content::None);
        if kinds.next().is_some() {
            return Err(NoMock::Several);
        }
        Ok(Self { status, headers, content_type, content, template })
    }
}

impl From<Mock> for Written {
    fn from(mock: Mock) -> Self {
        let Mock { status, headers, content_type, content, template } = mock;
        let mut written = Self { status, headers, content_type, template, ..Self::default() };
        match content {
            Content::None => {}
            Content::Text(text) => written.body = Some(text),
            Content::Json(json) => written.json = Some(json),
            Content::File { path, content } => (written.file, written.file_content) = (Some(path), content),
            Content::Events(events) => written.events = Some(events),
            Content::Call { messages, ending } => (written.messages, written.grpc) = (Some(messages), Some(ending)),
        }
        written
    }
}

impl Mock {
    /// The file that has the body, and where what is in it belongs.
    pub fn file(&mut self) -> Option<(&PathBuf, &mut Option<Vec<u8>>)> {
        match &mut self.content {
            Content::File { path, content } => Some((path, content)),
            _ => None,
        }
    }

    /// The answer to `subject`. Messages of protocol buffers are made as `schema` says.
    #[must_use]
    pub fn reply(&self, subject: &Subject<'_>, schema: &Schema) -> Reply {
        let filled = |text: &str| if self.template { fill(text, subject) } else { text.to_owned() };
        let (media, body) = match &self.content {
            Content::None => (None, Bytes::new()),
            Content::Text(text) => (Some("text/plain; charset=utf-8"), filled(text).into()),
            Content::Json(json) => {
                let mut json = json.clone();
                each_text(&mut json, &mut |text| *text = filled(text));
                (Some("application/json"), json.to_string().into())
            }
            Content::File { content, .. } => {
                let content = content.as_deref().unwrap_or_default();
                let text = std::str::from_utf8(content).ok().filter(|_| self.template);
                (None, text.map_or_else(|| content.to_vec(), |text| filled(text).into_bytes()).into())
            }
            Content::Events(_) => (Some("text/event-stream"), Bytes::new()),
            Content::Call { messages, ending } => {
                let mut messages = messages.clone();
                messages.iter_mut().for_each(|message| each_text(message, &mut |text| *text = filled(text)));
                return call::answer(subject, schema, &messages, ending).unwrap_or_else(|why| {
                    Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &format!("this answer cannot be made: {why}"))
                });
            }
        };
        let media = self.content_type.as_ref().map(MediaType::as_str).or(media);
        let mut fields: Vec<Field> =
            media.map(|media| Field::new("content-type", media.to_owned())).into_iter().collect();
        for (name, values) in &self.headers {
            fields.retain(|field| !field.is(name));
            fields.extend(values.iter().map(|value| Field::new(name.to_ascii_lowercase(), filled(value))));
        }
        let status = self.status.map_or(StatusCode::OK, Status::code);
        Reply { status, fields, body, pieces: self.pieces(&filled), trailers: Vec::new() }
    }

    fn pieces(&self, filled: &dyn Fn(&str) -> String) -> Vec<Piece> {
        let Content::Events(events) = &self.content else { return Vec::new() };
        let piece =
            |event: &Event| Piece { after: Duration::from_millis(event.after_ms), bytes: event.text(filled).into() };
        events.iter().map(piece).collect()
    }
}

impl Event {
    /// The event as it is sent (WHATWG HTML, section 9.2.5).
    fn text(&self, filled: &dyn Fn(&str) -> String) -> String {
        let mut data = self.data.clone();
        each_text(&mut data, &mut |text| *text = filled(text));
        let data = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
        let named = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{name}: {}\n", filled(value).replace(['\r', '\n'], " ")))
        };
        let (event, id) = (named("event", &self.event), named("id", &self.id));
        let data: String = data.split('\n').map(|line| format!("data: {line}\n")).collect();
        format!("{}{}{data}\n", event.unwrap_or_default(), id.unwrap_or_default())
    }
}

/// Gives every text in `json` to `act`.
fn each_text(json: &mut Value, act: &mut dyn FnMut(&mut String)) {
    match json {
        Value::String(text) => act(text),
        Value::Array(elements) => elements.iter_mut().for_each(|element| each_text(element, act)),
        Value::Object(members) => members.values_mut().for_each(|member| each_text(member, act)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::subject::tests::{connection, head};
    use super::*;

    fn reply(text: &str) -> Reply {
        let mock: Mock = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let json = serde_json::to_string(&mock).unwrap();
        assert_eq!(serde_json::from_str::<Mock>(&json).unwrap(), mock, "{json}");
        let request = head("POST", "a.example/v1/x?id=7&n=%22", &[("x-who", "me")]);
        mock.reply(&Subject::new(&request, connection()), &Schema::default())
    }

    #[test]
    fn an_answer_is_what_the_rule_says() {
        for (text, status, head, body) in [
            ("", 200, "", ""),
            ("status = 404\nbody = 'no'", 404, "content-type: text/plain; charset=utf-8", "no"),
            ("json = { b = 1, a = [true] }", 200, "content-type: application/json", "{\"a\":[true],\"b\":1}"),
            ("body = '<p>'\ncontent_type = 'text/html'", 200, "content-type: text/html", "<p>"),
            (
                "body = 'x'\nheaders = { Content-Type = 'a/b', X-Y = ['1', '2'] }",
                200,
                "content-type: a/b\nx-y: 1\nx-y: 2",
                "x",
            ),
            ("body = '{{query.id}} {{path}}'", 200, "content-type: text/plain; charset=utf-8", "{{query.id}} {{path}}"),
            (
                "template = true\nbody = '{{method}} {{host}}{{path}} {{ query.id }} {{header.X-Who}} {{query.z}} {{ {{z}}'",
                200,
                "content-type: text/plain; charset=utf-8",
                "POST a.example/v1/x 7 me  {{ {{z}}",
            ),
            (
                "template = true\njson = { n = '{{query.n}}' }",
                200,
                "content-type: application/json",
                "{\"n\":\"\\\"\"}",
            ),
        ] {
            let reply = reply(text);
            let fields: Vec<String> = reply.fields.iter().map(|field| format!("{field:?}")).collect();
            let found = (reply.status.as_u16(), fields.join("\n"), String::from_utf8(reply.body.to_vec()).unwrap());
            assert_eq!(found, (status, head.to_owned(), body.to_owned()), "{text}");
        }
    }

    #[test]
    fn events_are_sent_one_after_the_other() {
        let reply = reply(
            "template = true\n[[events]]\ndata = { a = '{{query.id}}' }\n[[events]]\nevent = 'e'\nid = '1'\ndata = \"a\\nb\"\nafter_ms = 20\n",
        );
        let piece = |after, text: &'static str| Piece { after: Duration::from_millis(after), bytes: text.into() };
        let expect = [piece(0, "data: {\"a\":\"7\"}\n\n"), piece(20, "event: e\nid: 1\ndata: a\ndata: b\n\n")];
        assert_eq!(reply.pieces, expect);
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (text, expect) in [
            ("body = 'a'\njson = 1", "an answer has one of"),
            ("headers = { Content-Length = '3' }", "`Content-Length` is no header field that an answer may have"),
            ("headers = { keep-alive = 'timeout=5' }", "`keep-alive` is no header field that an answer may have"),
            ("headers = { a = \"x\\ny\" }", "`a` is no header field"),
            ("status = 99", "99 is no status"),
            ("bodies = 1", "unknown field `bodies`"),
        ] {
            let error = toml::from_str::<Mock>(text).unwrap_err();
            assert!(error.message().starts_with(expect), "{text}: {error}");
        }
    }
}
