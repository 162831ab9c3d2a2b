//! Tests of changes.

use std::sync::Arc;

use http::StatusCode;

use super::*;
use crate::engine::decode::stream::MessageKind;
use crate::engine::dice::Dice;
use crate::engine::http::exchange::Direction::{self, Request, Response};
use crate::engine::http::{Field, RequestHead};
use crate::engine::policy::rules::subject::tests::head;

fn body(text: &str) -> Arc<BodyEdits> {
    Arc::new(toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn changed(edits: &str, content: &str) -> Result<String, Failed> {
    let content = Content { payload: content.as_bytes(), direction: Response, message: None, is_json: false };
    body(edits).change(&content).map(|changed| String::from_utf8(changed.unwrap()).unwrap())
}

#[test]
fn heads_are_changed_as_rules_say() {
    for (edits, path, fields) in [
        ("", "/v1/a?x=1&y=%20", "a: 1|A: 2|cookie: c|connection: close"),
        ("headers.remove = ['c*']", "/v1/a?x=1&y=%20", "a: 1|A: 2|connection: close"),
        ("headers.set = { A = '3', b = '4' }", "/v1/a?x=1&y=%20", "cookie: c|connection: close|a: 3|b: 4"),
        ("headers.add = { a = ['3', '4'] }", "/v1/a?x=1&y=%20", "a: 1|A: 2|cookie: c|connection: close|a: 3|a: 4"),
        (
            "path = [{ pattern = '^/v1/(.*)', with = '/v2/$1' }]",
            "/v2/a?x=1&y=%20",
            "a: 1|A: 2|cookie: c|connection: close",
        ),
        ("query.remove = ['x']", "/v1/a?y=%20", "a: 1|A: 2|cookie: c|connection: close"),
        (
            "query = { remove = ['*'], set = { z = 'ü&' } }",
            "/v1/a?z=%C3%BC%26",
            "a: 1|A: 2|cookie: c|connection: close",
        ),
        ("query.remove = ['*']", "/v1/a", "a: 1|A: 2|cookie: c|connection: close"),
    ] {
        let edits: RequestEdits = toml::from_str(edits).unwrap_or_else(|error| panic!("{edits}: {error}"));
        let sent = [("a", "1"), ("A", "2"), ("cookie", "c"), ("connection", "close")];
        let mut request: RequestHead = head("GET", "a.example/v1/a?x=1&y=%20", &sent);
        edits.edit_head(&mut request).unwrap();
        let found: Vec<String> = request.fields.iter().map(|field| format!("{field:?}")).collect();
        assert_eq!((request.path.as_str(), found.join("|").as_str()), (path, fields), "{edits:?}");
        let json = serde_json::to_string(&edits).unwrap();
        assert_eq!(serde_json::from_str::<RequestEdits>(&json).unwrap(), edits, "{json}");
    }
    let edits: ResponseEdits = toml::from_str("status = 418\nheaders.set = { server = 'none' }").unwrap();
    let (mut status, mut fields) = (StatusCode::OK, vec![Field::new("Server", "nginx")]);
    edits.edit_head(&mut status, &mut fields).unwrap();
    assert_eq!((status.as_u16(), fields), (418, vec![Field::new("server", "none")]));
}

#[test]
fn secrets_come_from_where_the_rule_says_and_are_never_shown() {
    let text = "headers.set = { authorization = { env = 'TOKEN', format = 'Bearer {}' }, x = { file = 'key' } }";
    let mut edits: RequestEdits = toml::from_str(text).unwrap();
    let mut request = head("GET", "a.example/", &[("Authorization", "mine")]);
    assert_eq!(edits.edit_head(&mut request).unwrap_err().to_string(), "the variable `TOKEN` was not read");
    for (source, found) in edits.secrets() {
        *found = Some(if *source == Source::Env("TOKEN".into()) { "s3cret" } else { "k3y" }.into());
    }
    let sent: RequestEdits = serde_json::from_str(&serde_json::to_string(&edits).unwrap()).unwrap();
    let mut request = head("GET", "a.example/", &[("Authorization", "mine")]);
    sent.edit_head(&mut request).unwrap();
    assert_eq!(request.fields, [Field::new("authorization", "Bearer s3cret"), Field::new("x", "k3y")]);
    assert!(!format!("{sent:?}").contains("s3cret"));
}

#[test]
fn what_cannot_be_meant_is_named() {
    for (text, expect) in [
        ("headers.set = { Content-Length = '1' }", "`Content-Length` is no header field that may be changed"),
        ("headers.set = { a = \"x\\ny\" }", "`x\\ny` cannot stand in a header"),
        ("headers.set = { a = { env = 'A', file = 'b' } }", "a value comes from one of `env` and `file`"),
        ("headers.set = { a = { env = 'A', format = 'x' } }", "`x` has no `{}`"),
        ("headers.set = { a = 1 }", "write a text, { env"),
        ("path = [{ pattern = '(', with = '' }]", "`(` is no regular expression: unclosed group"),
        ("body.json = [{ set = '/a' }]", "write { set = \"/a\", to = 1 }"),
        ("body.json = [{ remove = 'a' }]", "`a` is no JSON pointer"),
        ("body.redact = ['cards']", "unknown variant `cards`"),
        ("body.max = '1 potato'", "`1 potato` is no number of bytes"),
        ("bodies = 1", "unknown field `bodies`"),
    ] {
        let error = toml::from_str::<RequestEdits>(text).unwrap_err();
        assert!(error.message().contains(expect), "{text}: {error}");
    }
    let edits: RequestEdits = toml::from_str("path = [{ pattern = '^/', with = '' }]").unwrap();
    assert!(edits.edit_head(&mut head("GET", "a.example/x", &[])).is_err());
}

#[test]
fn bodies_are_changed_as_rules_say() {
    let document = "{ \"a\" : [1, {\"b\": 1.0e3}, 3],\n \"c/d\": {}, \"e\":null }";
    for (edits, content, expect) in [
        ("", document, document),
        ("strip = true", document, ""),
        ("max = 3", "abcdef", "abc"),
        ("json = [{ set = '/a/0', to = 'x' }]", document, &document.replace("[1,", "[\"x\",")),
        ("json = [{ set = '/a/-', to = 4 }]", document, &document.replace(", 3]", ", 3,4]")),
        ("json = [{ set = '/a/9', to = 4 }]", document, document),
        ("json = [{ set = '/a/1/n', to = true }]", document, &document.replace("1.0e3}", "1.0e3,\"n\":true}")),
        ("json = [{ set = '/c~1d/x', to = { y = 1 } }]", document, &document.replace("{},", "{\"x\":{\"y\":1}},")),
        ("json = [{ set = '/none/x', to = 1 }]", document, document),
        ("json = [{ set = '', to = [] }]", document, "[]"),
        ("json = [{ remove = '/a/0' }]", document, &document.replace("1, {", "{")),
        ("json = [{ remove = '/a/2' }]", document, &document.replace(", 3]", "]")),
        ("json = [{ remove = '/a/*' }]", "{\"a\":[1,2,3]}", "{\"a\":[]}"),
        ("json = [{ remove = '/*' }]", "{\"a\":1 , \"b\":2}", "{}"),
        ("json = [{ remove = '/e' }]", document, &document.replace(", \"e\":null", "")),
        ("json = [{ set = '/*/x', to = 1 }]", "[{\"x\":0},{\"y\":0}]", "[{\"x\":1},{\"y\":0,\"x\":1}]"),
        (
            "json = [{ merge = '', with = { a = { b = 1, c = 2 } } }]",
            "{\"a\":{\"b\":0},\"z\":1}",
            "{\"a\":{\"b\":1,\"c\":2},\"z\":1}",
        ),
        ("json = [{ merge = '/a', with = 1 }]", "{\"a\":{}}", "{\"a\":1}"),
        ("json = [{ set = '/a', to = 1 }, { set = '/b', to = 2 }]", "{}", "{\"a\":1,\"b\":2}"),
        ("json = [{ set = '/a', to = 1 }]", "no json", "no json"),
        ("replace = [{ pattern = '(\\w+)@', with = '<$1>@' }]", "to me@here", "to <me>@here"),
        ("redact = ['card', 'email']", "4242424242424242 a@b.example", "[redacted card] [redacted email]"),
        ("json = [{ set = '/a', to = 'm@b.example' }]\nredact = ['email']", "{}", "{\"a\":\"[redacted email]\"}"),
    ] {
        assert_eq!(changed(edits, content).unwrap(), expect, "{edits}");
        let edits = body(edits);
        let json = serde_json::to_string(&*edits).unwrap();
        assert_eq!(serde_json::from_str::<BodyEdits>(&json).unwrap(), *edits, "{json}");
    }
    let lying = Content { payload: b"{", direction: Response, message: None, is_json: true };
    assert!(body("json = [{ remove = '/a' }]").change(&lying).is_err());
}

/// A document, at random.
fn document(dice: &mut Dice, depth: usize) -> String {
    let space = ["", " ", "\n\t"][dice.below(3)];
    match dice.below(if depth == 0 { 4 } else { 6 }) {
        0 => format!("{space}{}", dice.below(1000)),
        1 => format!("{space}\"s{}\\\"{{,\\\\\"", dice.below(10)),
        2 => format!("true{space}"),
        3 => "-1.50E+2".into(),
        4 => {
            let elements: Vec<String> = (0..dice.below(4)).map(|_| document(dice, depth - 1)).collect();
            format!("{space}[{}{space}]", elements.join(&format!(",{space}")))
        }
        _ => {
            let members = (0..dice.below(4))
                .map(|key| format!("{space}\"{}\"{space}:{}", ["a", "b", "c", "d"][key], document(dice, depth - 1)));
            format!("{{{}{space}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

#[test]
fn an_edit_never_changes_what_its_pointer_does_not_name() {
    let mut dice = Dice(6);
    for _ in 0..3000 {
        let before = document(&mut dice, 4);
        let key = ["a", "b", "0", "1"][dice.below(4)];
        let edit = [
            format!("json = [{{ set = '/{key}', to = 'new' }}]"),
            format!("json = [{{ remove = '/{key}' }}]"),
            format!("json = [{{ merge = '/{key}', with = {{ n = 1 }} }}]"),
        ][dice.below(3)]
        .clone();
        let after = changed(&edit, &before).unwrap();
        let (was, is): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(&before).unwrap(),
            serde_json::from_str(&after).unwrap_or_else(|_| panic!("{after}")),
        );
        if let (Some(was), Some(is)) = (was.as_object(), is.as_object()) {
            for other in was.keys().filter(|other| *other != key) {
                assert_eq!(was.get(other), is.get(other), "{edit} of {before}");
            }
            assert!(is.keys().all(|other| other == key || was.contains_key(other)), "{edit} of {before}");
            assert!(!edit.contains("set") || is[key] == "new", "{edit} of {before}: {after}");
            assert!(!edit.contains("remove") || !is.contains_key(key), "{edit} of {before}: {after}");
        }
        if !was.is_object() && !was.is_array() {
            assert_eq!(before, after);
        }
    }
}

struct Same;

impl Change for Same {
    fn change(&mut self, content: &Content<'_>) -> Result<Option<Vec<u8>>, Failed> {
        Ok(Some(content.payload.to_vec()))
    }
}

fn through(
    direction: Direction,
    fields: &[(&'static str, &'static str)],
    tunnel: Option<&str>,
    input: &[u8],
    cut: usize,
    change: impl Change + 'static,
) -> Result<Vec<u8>, Failed> {
    let fields: Vec<Field> = fields.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    let response = Some((if tunnel.is_some() { 101 } else { 200 }, &fields[..]));
    let mut transform = Transform::new(direction, &fields, tunnel, response, vec![Box::new(change)]);
    let mut out = Vec::new();
    for piece in input.chunks(cut) {
        transform.push(piece, &mut out)?;
    }
    transform.end(&mut out)?;
    Ok(out)
}

#[test]
fn streams_are_changed_message_by_message_however_they_are_cut() {
    let edits = "replace = [{ pattern = 'secret', with = 'XX' }]\njson = [{ set = '/n', to = 7 }]";
    let sse = ("content-type", "text/event-stream");
    let events = ": hi\n\nid: 1\nevent: t\ndata: {\"t\":\"secret\"}\n\ndata: plain\n\ndata: a secret\ndata: b\nretry: 5\n\ndata: [DONE]\n\n";
    let expect = ": hi\n\nid: 1\nevent: t\ndata: {\"t\":\"XX\",\"n\":7}\n\ndata: plain\n\ndata: a XX\ndata: b\nretry: 5\n\ndata: [DONE]\n\n";
    let grpc = ("content-type", "application/grpc+json");
    let messages = [&[0, 0, 0, 0, 2][..], b"{}", &[0, 0, 0, 0, 14], b"{\"t\":\"secret\"}"].concat();
    let answered = [&[0, 0, 0, 0, 7][..], b"{\"n\":7}", &[0, 0, 0, 0, 16], b"{\"t\":\"XX\",\"n\":7}"].concat();
    let upgrade = ("upgrade", "websocket");
    // A text in two frames with a ping between them.
    let frames = [&[0x01, 3][..], b"sec", &[0x89, 1], b"p", &[0x80, 3], b"ret"].concat();
    let framed = [&[0x89, 1][..], b"p", &[0x81, 2], b"XX"].concat();
    for cut in 1..40 {
        let sent = |fields: &[_], tunnel: Option<&str>, input: &[u8]| {
            through(Response, fields, tunnel, input, cut, body(edits)).unwrap()
        };
        assert_eq!(String::from_utf8(sent(&[sse], None, events.as_bytes())).unwrap(), expect, "{cut}");
        assert_eq!(sent(&[grpc], None, &messages), answered, "{cut}");
        assert_eq!(sent(&[upgrade], Some("websocket"), &frames), framed, "{cut}");
        assert_eq!(sent(&[], None, b"{\"a\":\"secret\"}"), b"{\"a\":\"XX\",\"n\":7}");
    }
    let masked =
        [&[0x81, 0x86, 1, 2, 3, 4][..], &[b's' ^ 1, b'e' ^ 2, b'c' ^ 3, b'r' ^ 4, b'e' ^ 1, b't' ^ 2]].concat();
    let sent = through(Request, &[upgrade], Some("websocket"), &masked, 3, body(edits)).unwrap();
    assert_eq!((sent.len(), &sent[..2]), (8, &[0x81, 0x82][..]));
    assert_eq!([sent[6] ^ sent[2], sent[7] ^ sent[3]], *b"XX");
}

#[test]
fn what_is_not_changed_comes_out_as_it_went_in() {
    let sse = ("content-type", "text/event-stream");
    let stream = "data: a\ndata: b\nid: 7\n\n: c\n\n";
    assert_eq!(through(Response, &[sse], None, stream.as_bytes(), 5, Same).unwrap(), stream.as_bytes());
    let packed = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"{\"k\":1}").unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(through(Response, &[("content-encoding", "gzip")], None, &packed, 4, Same).unwrap(), b"{\"k\":1}");
}

#[test]
fn what_cannot_be_changed_goes_no_further() {
    for (fields, input) in [
        (&[("content-encoding", "rot13")][..], &b"x"[..]),
        (&[("content-encoding", "gzip")], b"x"),
        (&[("content-type", "application/grpc")], &[0, 0, 0, 0, 1, 8]),
        (&[("content-type", "application/grpc+json")], &[0, 0, 0, 0, 9, 8]),
        (&[], &[b'x'; super::transform::MAX_BODY + 1]),
    ] {
        assert!(through(Response, fields, None, input, 1 << 20, Same).is_err(), "{fields:?}");
    }
}

#[test]
fn heads_say_what_is_true_of_a_changed_body() {
    let fields = |list: &[(&'static str, &'static str)]| -> Vec<Field> {
        list.iter().map(|(name, value)| Field::new(*name, *value)).collect()
    };
    let mut head = fields(&[("Content-Length", "3"), ("digest", "x"), ("content-encoding", "gzip"), ("etag", "e")]);
    Transform::new(Response, &[], None, Some((200, &head.clone())), Vec::new()).mend(&mut head);
    assert_eq!(head, fields(&[("etag", "e")]));
    let mut request = fields(&[("Range", "bytes=0-1"), ("accept-encoding", "gzip, sdch;q=1, br"), ("a", "b")]);
    prepare(&mut request);
    assert_eq!(request, fields(&[("a", "b"), ("accept-encoding", "gzip, br")]));
}

#[test]
fn messages_of_protocol_buffers_are_changed_by_their_fields() {
    let mut schema = crate::engine::decode::protobuf::schema::Schema::default();
    let source = "syntax = \"proto3\"; package p; message M { string text = 1; int64 n = 2; M inner = 3; } \
                  service S { rpc Do(stream M) returns (stream M); }";
    schema.add_sources(&[("m.proto".to_owned(), source.to_owned())]).unwrap();
    let of_type = schema.method("/p.S/Do").unwrap().input;
    let grpc = [Field::new("content-type", "application/grpc")];
    let edit = |edits: &str, message: &[u8]| {
        let mut transform =
            Transform::new(Request, &grpc, None, None, vec![Box::new(body(edits))]).of_type(Some(of_type.clone()));
        let mut out = Vec::new();
        let input = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()][..], message].concat();
        transform.push(&input, &mut out).map(|()| out)
    };
    let message =
        of_type.of_json(b"{\"text\":\"secret\",\"n\":\"9007199254740993\",\"inner\":{\"text\":\"x\"}}").unwrap();
    let out =
        edit("json = [{ set = '/inner/text', to = 'y' }]\nreplace = [{ pattern = 'secret', with = 'X' }]", &message)
            .unwrap();
    let json = of_type.to_json(&out[5..]).unwrap();
    assert_eq!(
        String::from_utf8(json).unwrap(),
        "{\"text\":\"X\",\"n\":\"9007199254740993\",\"inner\":{\"text\":\"y\"}}"
    );
    assert_eq!(edit("json = [{ remove = '/none' }]", &message).unwrap()[5..], message);
    assert!(edit("redact = ['card']", &[0x7a, 1, b'x']).is_err(), "a field that the type does not have would be lost");
    assert!(edit("json = [{ set = '/n', to = 'no number' }]", &message).is_err());
}

#[test]
fn content_says_what_it_is() {
    struct Told(Vec<Option<MessageKind>>);
    impl Change for Told {
        fn change(&mut self, content: &Content<'_>) -> Result<Option<Vec<u8>>, Failed> {
            self.0.push(content.message);
            Ok(Some(format!("{:?}", content.message).into_bytes()))
        }
    }
    let out =
        through(Response, &[("content-type", "text/event-stream")], None, b"data: x\n\n", 9, Told(Vec::new())).unwrap();
    assert_eq!(out, b"data: Some(Event)\n\n");
}
