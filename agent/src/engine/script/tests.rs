//! Scripts as a whole: what they say of requests, responses and messages, what stops them, and what they do not get.

use std::cell::Cell;
use std::time::Duration;

use http::{Method, StatusCode};

use super::*;
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, RequestHead};

/// A clock that goes on by a millisecond whenever it is looked at.
fn clock() -> impl Fn() -> Duration + 'static {
    let looks = Cell::new(0);
    move || {
        looks.set(looks.get() + 1);
        Duration::from_millis(looks.get())
    }
}

fn script(source: &str) -> Script {
    Script::new("script.js", source, clock()).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn engine(source: &str) -> Engine {
    Engine::new(&script(source), clock()).unwrap()
}

fn fields(fields: &[(&'static str, &'static str)]) -> Vec<Field> {
    fields.iter().map(|&(name, value)| Field::new(name, value)).collect()
}

fn head(method: &str, url: (&str, &str, &str)) -> RequestHead {
    let sent =
        [("Host", "api.example.com"), ("Accept", "*/*"), ("X-Tag", "a"), ("x-tag", "b"), ("Content-Length", "2")];
    RequestHead::assembled("HTTP/1.1", method.parse().unwrap(), url, &fields(&sent))
}

fn request(body: Option<&'static [u8]>) -> Request {
    let head = head("POST", ("https", "api.example.com", "/v1/charges?limit=3"));
    Request { head, body: body.map(Into::into) }
}

/// The fields, a line each.
fn lines(fields: &[Field]) -> Vec<String> {
    fields.iter().map(|field| format!("{field:?}")).collect()
}

/// What an action says, on a line.
fn told(action: Action) -> String {
    match action {
        Action::Pass => "pass".to_owned(),
        Action::Change(request) => {
            let body = request.body.map(|body| body.escape_ascii().to_string());
            format!("{} {} {} {body:?}", request.head.method, request.head.path, lines(&request.head.fields).join("; "))
        }
        Action::Block(block) => {
            let status = block.status.map(|status| status.code().as_u16());
            format!("block {status:?} {:?} {:?}", block.reason, block.body)
        }
        Action::Respond(reply) => {
            format!("{} {} {}", reply.status.as_u16(), lines(&reply.fields).join("; "), reply.body.escape_ascii())
        }
    }
}

/// What a call says, or why it says nothing.
fn outcome<T>(result: Result<T, Error>, told: impl Fn(T) -> String) -> String {
    result.map_or_else(|error| error.to_string(), told)
}

const UNCHANGED: &str = "Host: api.example.com; Accept: */*; X-Tag: a; x-tag: b; Content-Length: 2";

#[test]
fn on_request_passes_changes_blocks_and_responds() {
    let same = format!("POST /v1/charges?limit=3 {UNCHANGED}");
    for (body, expect) in [
        ("", "pass".to_owned()),
        ("return request", "pass".to_owned()),
        ("return null", "pass".to_owned()),
        ("return { block: false }", "pass".to_owned()),
        ("return { headers: request.headers }", "pass".to_owned()),
        ("request.method = 'PUT'", format!("PUT /v1/charges?limit=3 {UNCHANGED} Some(\"{{}}\")")),
        ("request.path = '/v2'", format!("POST /v2 {UNCHANGED} Some(\"{{}}\")")),
        ("request.url = 'https://api.example.com/v2?a'", format!("POST /v2?a {UNCHANGED} Some(\"{{}}\")")),
        ("return { path: '/v2' }", format!("POST /v2 {UNCHANGED} Some(\"{{}}\")")),
        ("request.body = 'é'", format!("{same} Some(\"\\\\xc3\\\\xa9\")")),
        ("return { body: { a: 1 } }", format!("{same} Some(\"{{\\\\\\\"a\\\\\\\":1}}\")")),
        ("request.body = new Uint8Array([0, 255])", format!("{same} Some(\"\\\\x00\\\\xff\")")),
        ("request.body = new Uint8Array([1, 2]).buffer", format!("{same} Some(\"\\\\x01\\\\x02\")")),
        ("request.body = null", format!("{same} Some(\"\")")),
        ("return { block: true }", "block None None None".to_owned()),
        ("return { block: 'why' }", "block None Some(\"why\") None".to_owned()),
        (
            "request.block = { status: 402, reason: 'r', body: 'b' }",
            "block Some(402) Some(\"r\") Some(\"b\")".to_owned(),
        ),
        ("return { block: { body: { a: 1 } } }", r#"block None None Some("{\"a\":1}")"#.to_owned()),
        ("return { respond: {} }", "200  ".to_owned()),
        ("return { respond: { body: 'x' } }", "200 content-type: text/plain; charset=utf-8 x".to_owned()),
        (
            "return { respond: { status: 201, headers: { 'X-A': 1, b: ['c', 'd'], 'content-length': 9 }, body: [1] } }",
            "201 x-a: 1; b: c; b: d; content-type: application/json [1]".to_owned(),
        ),
        (
            "return { respond: { headers: { 'Content-Type': 'text/html' }, body: '<p>' } }",
            "200 content-type: text/html <p>".to_owned(),
        ),
    ] {
        for source in [
            format!("module.exports = {{ onRequest(request) {{ {body} }} }}"),
            format!("exports.onRequest = async (request) => {{ {body} }}"),
            format!("export default {{ onRequest(request) {{ {body} }} }}"),
            format!("export async function onRequest(request) {{ await null; {body} }}"),
        ] {
            let action = engine(&source).on_request(&request(Some(b"{}")));
            assert_eq!(outcome(action, told), expect, "{source}");
        }
    }
}

#[test]
fn headers_that_stay_keep_their_place_case_and_bytes() {
    for (change, expect) in [
        ("h.accept = 'text/html'", "Host: api.example.com; Accept: text/html; X-Tag: a; x-tag: b; Content-Length: 2"),
        ("h['ACCEPT'] = 'a/b'", "Host: api.example.com; Accept: a/b; X-Tag: a; x-tag: b; Content-Length: 2"),
        ("delete h.accept", "Host: api.example.com; X-Tag: a; x-tag: b; Content-Length: 2"),
        ("h.accept = undefined", "Host: api.example.com; X-Tag: a; x-tag: b; Content-Length: 2"),
        ("h['x-tag'] = 'c'", "Host: api.example.com; Accept: */*; X-Tag: c; Content-Length: 2"),
        ("h['x-tag'].push('c')", "Host: api.example.com; Accept: */*; X-Tag: a; X-Tag: b; X-Tag: c; Content-Length: 2"),
        ("h['X-New'] = 1", "Host: api.example.com; Accept: */*; X-Tag: a; x-tag: b; Content-Length: 2; x-new: 1"),
        ("request.headers = { accept: 'b' }", "Host: api.example.com; Accept: b; Content-Length: 2"),
    ] {
        let source = format!("exports.onRequest = (request) => {{ const h = request.headers; {change} }}");
        let Action::Change(changed) = engine(&source).on_request(&request(None)).unwrap() else { panic!("{change}") };
        assert_eq!(lines(&changed.head.fields).join("; "), expect, "{change}");
    }
    let latin1 = Field { value: b"\xe9t\xe9".as_slice().into(), ..Field::new("x-name", "") };
    let mut sent = request(None);
    sent.head.fields.push(latin1.clone());
    let source = "exports.onRequest = (r) => { r.headers.seen = r.headers['x-name'] === '\u{e9}t\u{e9}' }";
    let Action::Change(changed) = engine(source).on_request(&sent).unwrap() else { panic!() };
    assert!(changed.head.fields.contains(&latin1) && changed.head.fields.contains(&Field::new("seen", "true")));
}

#[test]
fn pseudo_headers_say_what_the_head_says() {
    let sent = fields(&[(":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/")]);
    let head = RequestHead::assembled("HTTP/2", Method::GET, ("https", "a.example", "/"), &sent);
    let engine = engine("exports.onRequest = (r) => ({ method: 'HEAD', path: '/x' })");
    let Action::Change(changed) = engine.on_request(&Request { head, body: None }).unwrap() else { panic!() };
    assert_eq!(
        lines(&changed.head.pseudo).join("; "),
        ":method: HEAD; :scheme: https; :authority: a.example; :path: /x"
    );
}

#[test]
fn what_cannot_be_used_is_an_error_that_says_why() {
    for (body, expect) in [
        ("return 'x'", "onRequest returned a string"),
        ("return { blocked: true }", "nothing that is known"),
        ("return { block: 1 }", "block is neither"),
        ("return { block: { status: 100 } }", "block.status: 100 is no status"),
        ("return { block: { body: new Uint8Array([255]) } }", "block.body is no text"),
        ("return { respond: 'x' }", "respond is no object"),
        ("return { respond: { status: '200' } }", "respond.status is no number"),
        ("return { respond: { status: 600 } }", "respond.status: 600 is no status"),
        ("return { respond: { status: 1e9 } }", "respond.status is no number"),
        ("return { respond: { headers: { 'a b': 'c' } } }", "a b: c, which is no field"),
        ("return { respond: { headers: { ':path': 'c' } } }", "which is no field"),
        ("return { respond: { headers: { a: 'b\\r\\nc: d' } } }", "which is no field"),
        ("return { respond: { headers: [['a', 'b']] } }", "headers is no plain object"),
        ("return { respond: { headers: new Map([['a', 'b']]) } }", "headers is no plain object"),
        ("return { respond: { headers: { a: {} } } }", "headers[\"a\"] is a object"),
        ("return { respond: { headers: { a: 'x'.repeat(300000) } } }", "headers has more than"),
        ("return { respond: { body: () => 1 } }", "respond.body is a function"),
        ("return { respond: { body: 'x'.repeat(4194305) } }", "a body of 4194305 bytes"),
        ("return { body: Promise.resolve('x') }", "body is a promise"),
        ("return { body: '\\ud800' }", "lone surrogate"),
        ("request.host = 'b.example'", "host has changed"),
        ("request.headers.host = 'b.example'", "headers.host has changed"),
        ("request.url = 'https://b.example/'", "url has another host"),
        ("request.url = 'https://api.example.com.b.example/'", "url has another host"),
        ("request.path = 'v1'", "path is none"),
        ("request.path = '/a b'", "path is none"),
        ("request.path = '/a\\r\\nb'", "path is none"),
        ("request.path = 1", "path is no string"),
        ("request.method = 'A B'", "method: invalid HTTP method"),
        ("request.method = 'CONNECT'", "from or to CONNECT"),
        ("throw new TypeError('bad')", "script.js:1: TypeError: bad (at onRequest (script.js:1:"),
        ("throw 'text'", "script.js: threw text"),
        ("throw { toString() { throw 1 } }", "script.js: threw a value"),
        (
            "return { get path() { throw new Error('getter') } }",
            "script.js:1: Error: getter (at get path (script.js:1:",
        ),
        ("\n\n request.no.such = 1", "script.js:3: TypeError: cannot set property 'such' of undefined (at "),
        ("return Promise.reject(new Error('late'))", "script.js:1: Error: late"),
        ("return JSON.parse('{')", "SyntaxError: "),
    ] {
        let engine = engine(&format!("module.exports = {{ onRequest(request) {{ {body} }} }}"));
        let error = engine.on_request(&request(Some(b"{}"))).unwrap_err();
        assert!(error.to_string().contains(expect) && !error.ends_engine(), "{body}: {error}");
        assert!(engine.on_request(&request(None)).is_err(), "the engine can be used again");
    }
}

#[test]
fn a_connect_is_never_answered_with_a_success() {
    let connect = Request { head: head("CONNECT", ("https", "api.example.com:443", "")), body: None };
    let answers = engine("module.exports = { mockResponses: { 'api.example.com': {} } }");
    assert_eq!(answers.on_request(&connect).unwrap(), Action::Pass);
    let responds = engine("exports.onRequest = () => ({ respond: {} })");
    assert!(responds.on_request(&connect).unwrap_err().to_string().contains("CONNECT"));
}

const LISTS: &str = "
    let calls = 0;
    module.exports = {
        blockedDomains: ['api.stripe.com', '*.tracker.example'],
        mockResponses: {
            'https://api.example.com/v1/x': { status: 201, body: { id: 1 } },
            'api.example.com': { status: 404, headers: { 'X-Mock': 'host' }, body: 'no' },
            'GET api.example.com/v1/y': { status: 202 },
            '/health': { body: 'ok' },
        },
        modifyResponses: {
            'api.example.com': (body, headers) => { headers['x-seen'] = headers['content-type']; body.calls = ++calls; },
            '*.example.com': (body) => body.toUpperCase(),
            '*': (body) => body,
        },
        logRequests: true,
    };
";

#[test]
fn lists_block_answer_and_log_requests() {
    let engine = engine(LISTS);
    for (method, (host, path), expect) in [
        (
            "GET",
            ("api.stripe.com", "/v1"),
            "block None Some(\"`api.stripe.com` is in blockedDomains of the script\") None",
        ),
        ("GET", ("a.b.Tracker.example", "/"), "block None Some(\"`*.tracker.example` is in blockedDomains"),
        ("GET", ("tracker.example", "/"), "pass"),
        ("GET", ("api.example.com", "/v1/x?q"), "201 content-type: application/json {\\\"id\\\":1}"),
        ("GET", ("api.example.com", "/v1/y"), "202  "),
        ("POST", ("api.example.com", "/v1/y"), "404 x-mock: host; content-type: text/plain; charset=utf-8 no"),
        ("GET", ("other.example", "/health"), "200 content-type: text/plain; charset=utf-8 ok"),
        ("GET", ("other.example", "/"), "pass"),
    ] {
        let action = engine.on_request(&Request { head: head(method, ("https", host, path)), body: None });
        assert!(outcome(action, told).starts_with(expect), "{method} {host}{path}");
        let line = LogLine { level: Level::Log, text: format!("{method} https://{host}{path}") };
        assert_eq!(engine.take_log(), [line]);
    }
}

#[test]
fn allowed_domains_block_all_others_unless_there_are_none() {
    for (list, host, passes) in [
        ("['a.example', '*.b.example']", "a.example", true),
        ("['a.example', '*.b.example']", "c.b.example", true),
        ("['a.example', '*.b.example']", "c.example", false),
        ("['*']", "c.example", true),
        ("[]", "c.example", true),
        ("null", "c.example", true),
    ] {
        let engine = engine(&format!("export default {{ allowedDomains: {list}, onRequest() {{}} }}"));
        let action = engine.on_request(&Request { head: head("GET", ("https", host, "/")), body: None }).unwrap();
        assert_eq!(action == Action::Pass, passes, "{list} {host}");
    }
}

#[test]
fn functions_of_hosts_modify_bodies_as_what_they_are() {
    let engine = engine(LISTS);
    for (host, (media, body), expect) in [
        ("api.example.com", ("application/json", "{\"a\": 1}"), Some("{\"a\":1,\"calls\":1} application/json")),
        (
            "api.example.com",
            ("application/problem+json; charset=utf-8", "{}"),
            Some("{\"calls\":2} application/problem+json; charset=utf-8"),
        ),
        ("b.example.com", ("text/plain", "abc"), Some("ABC None")),
        ("c.example", ("text/plain", "abc"), None),
        ("c.example", ("application/json", "{\"a\":1}"), None),
        ("c.example", ("application/json", "no json"), None),
    ] {
        let response =
            Response { status: StatusCode::OK, fields: fields(&[("content-type", media)]), body: Some(body.into()) };
        let changed = engine.on_response(&response, &head("GET", ("https", host, "/"))).unwrap();
        let told = changed.map(|response| {
            let seen = response.fields.iter().find(|field| field.is("x-seen")).and_then(Field::text);
            format!("{} {}", response.body.unwrap().escape_ascii(), seen.unwrap_or("None")).replace('\\', "")
        });
        assert_eq!(told.as_deref(), expect, "{host} {media}");
        let stream = Response { body: None, ..response };
        assert_eq!(engine.on_response(&stream, &head("GET", ("https", host, "/"))), Ok(None));
    }
    let quoted = self::engine("module.exports = { modifyResponses: { '*': () => 'text' } }");
    for (media, expect) in [("application/json", "\"text\""), ("text/html", "text")] {
        let fields = fields(&[("content-type", media)]);
        let response = Response { status: StatusCode::OK, fields, body: Some("1".into()) };
        let changed = quoted.on_response(&response, &request(None).head).unwrap().unwrap();
        assert_eq!(changed.body.unwrap(), expect, "{media}");
    }
}

#[test]
fn on_response_changes_status_headers_and_body() {
    let told = |response: Option<Response>| {
        response.map_or("same".to_owned(), |response| {
            let body = response.body.map(|body| body.escape_ascii().to_string()).unwrap_or_default();
            format!("{} {} {body}", response.status.as_u16(), lines(&response.fields).join("; "))
        })
    };
    for (body, expect) in [
        ("", "same"),
        ("return response", "same"),
        ("return null", "same"),
        ("response.status = 418", "418 A: b hi"),
        ("response.headers.a = request.path + request.method", "200 A: /v1/charges?limit=3POST hi"),
        ("response.body += '!'", "200 A: b hi!"),
        ("return { status: 500, headers: {}, body: { e: 1 } }", "500  {\\\"e\\\":1}"),
        ("response.status = 101", "script.js: status: 101 is no status of an answer: write one from 200 to 599"),
        (
            "return 1",
            "script.js: onResponse returned what is no response: return nothing, or { status, headers, body }",
        ),
    ] {
        let engine = engine(&format!("exports.onResponse = async (response, request) => {{ {body} }}"));
        let response = Response { status: StatusCode::OK, fields: fields(&[("A", "b")]), body: Some("hi".into()) };
        assert_eq!(outcome(engine.on_response(&response, &request(None).head), told), expect, "{body}");
    }
}

#[test]
fn on_message_changes_and_drops_messages() {
    use MessageKind::{Binary, Event, Message as Call, Ping, Text};
    for (body, kind, expect) in [
        ("", Text, "Pass"),
        ("return message", Text, "Pass"),
        ("return 'x'", Text, "Change(b\"x\")"),
        ("return 'x'", Ping, "Pass"),
        ("return null", Event, "Drop"),
        ("message.data += '!'", Event, "Change(b\"hi!\")"),
        ("return { data: { a: 1 } }", Text, "Change(b\"{\\\"a\\\":1}\")"),
        ("message.data[0] = 255", Binary, "Change(b\"\\xffi\")"),
        ("return message.data.slice(1)", Call, "Change(b\"i\")"),
        (
            "return new Uint8Array([255])",
            Text,
            "script.js: the data of this message, which is of kind text, must be text",
        ),
        ("return 1", Text, "script.js: onMessage returned what is no message: "),
        ("return {}", Text, "script.js: onMessage returned what is no message: "),
        (
            "return `${message.direction} ${message.kind} ${request.host}`",
            Event,
            "Change(b\"response event api.example.com\")",
        ),
    ] {
        let engine = engine(&format!("export function onMessage(message, request) {{ {body} }}"));
        let message = Message { direction: Direction::Response, kind, payload: b"hi" };
        let fate = outcome(engine.on_message(&message, &request(None).head), |fate| format!("{fate:?}"));
        assert!(fate.starts_with(expect), "{body}: {fate}");
    }
}

#[test]
fn a_body_is_a_string_if_it_is_text_and_bytes_otherwise() {
    let engine = engine("exports.onRequest = ({ body }) => ({ block: body?.constructor?.name + ' ' + body?.length })");
    for (body, expect) in
        [(Some(b"\xc3\xa9".as_slice()), "String 1"), (Some(b"\xff\xfe"), "Uint8Array 2"), (None, "undefined undefined")]
    {
        let Action::Block(block) = engine.on_request(&request(body)).unwrap() else { panic!() };
        assert_eq!(block.reason.as_deref(), Some(expect));
    }
}

#[test]
fn promises_are_those_of_the_language() {
    for (body, expect) in [
        ("return (await Promise.all([1, Promise.resolve(2)])).join()", "1,2"),
        ("return await new Promise((keep) => queueMicrotask(() => keep('kept')))", "kept"),
        ("return await Promise.any([Promise.reject(1), (async () => 'any')()])", "any"),
        (
            "return JSON.stringify(await Promise.allSettled([Promise.reject(1)]))",
            "[{\"status\":\"rejected\",\"reason\":1}]",
        ),
        ("return [(async () => {})() instanceof Promise, Promise.name, Promise.length].join()", "true,Promise,1"),
        ("class Mine extends Promise {} return Mine.resolve(1).then() instanceof Mine ? 'mine' : 'not'", "mine"),
        ("const { promise, resolve } = Promise.withResolvers(); resolve('w'); return promise", "w"),
        ("try { Promise() } catch (error) { return error.name }", "TypeError"),
        ("return new Promise((_, fail) => fail('no')).catch((why) => why).finally(() => {})", "no"),
    ] {
        let source = format!("exports.onRequest = async () => ({{ block: await (async () => {{ {body} }})() }})");
        let Action::Block(block) = engine(&source).on_request(&request(None)).unwrap() else { panic!("{body}") };
        assert_eq!(block.reason.as_deref(), Some(expect), "{body}");
    }
}

#[test]
fn variables_stay_from_call_to_call() {
    for source in [
        "let n = 0; exports.onRequest = () => ({ block: String(++n) })",
        "globalThis.n = 0; exports.onRequest = () => ({ block: String(++globalThis.n) })",
        "n = 0; exports.onRequest = () => ({ block: String(++n) })",
        "module.exports = { n: 0, onRequest() { return { block: String(++this.n) } } }",
        "export let n = 0; export function onRequest() { return { block: String(++n) } }",
        "const n = [await 0]; export const onRequest = () => ({ block: String(++n[0]) })",
        "#!/usr/bin/env node\nlet n = 0; exports.onRequest = () => ({ block: String(++n) })",
    ] {
        let engine = engine(source);
        for count in ["1", "2", "3"] {
            let Action::Block(block) = engine.on_request(&request(None)).unwrap() else { panic!("{source}") };
            assert_eq!(block.reason.as_deref(), Some(count), "{source}");
        }
        assert_eq!(engine.take_log(), []);
    }
}

#[test]
fn what_a_script_wants_is_known_without_an_engine() {
    const fn is_shared<T: Clone + Send + Sync>() {}
    is_shared::<Script>();
    for (source, requests, bodies, responses, messages) in [
        ("exports.onRequest = () => {}", true, true, false, false),
        ("exports.onResponse = () => {}", false, false, true, false),
        ("exports.onMessage = () => {}", false, false, false, true),
        ("exports.blockedDomains = ['a.example']", true, false, false, false),
        ("exports.logRequests = true", true, false, false, false),
        ("exports.modifyResponses = { 'a.example': (body) => body }", false, false, true, false),
        ("exports.modifyResponses = { 'b.example': (body) => body }", false, false, false, false),
        ("exports.mockResponses = { '/': {} }", true, false, false, false),
    ] {
        let script = script(source);
        let wants = (script.wants_requests(), script.wants_request_bodies());
        assert_eq!(wants, (requests, bodies), "{source}");
        assert_eq!((script.wants_responses("a.example"), script.wants_messages()), (responses, messages), "{source}");
        let sent = serde_json::to_string(&script).unwrap();
        assert_eq!(serde_json::from_str::<Script>(&sent).unwrap(), script, "it goes from one process to another");
    }
}

#[test]
fn a_script_that_is_none_is_refused_with_its_place() {
    for (source, expect) in [
        ("module.exports = {", "script.js:1: SyntaxError: "),
        ("export default {\n  onRequest( {} }", "script.js:2: SyntaxError: "),
        ("\nthrow new Error('no')", "script.js:2: Error: no"),
        ("await new Promise(() => {})", "script.js: waits for a promise that nothing keeps"),
        ("export default await Promise.reject(new Error('no'))", "script.js:1: Error: no"),
        ("const x = 1", "script.js: exports none of onRequest, "),
        ("module.exports = { blockDomains: [] }", "script.js: exports none of onRequest, "),
        ("module.exports = 1", "script.js: module.exports is no object"),
        ("exports.onRequest = 1", "script.js: `onRequest` is no function"),
        ("exports.blockedDomains = 'a.example'", "script.js: blockedDomains is no array"),
        ("exports.blockedDomains = ['a.example', 1]", "script.js: blockedDomains[1] is no string"),
        (
            "exports.allowedDomains = ['https://a.example']",
            "script.js: allowedDomains[0]: `https://a.example` names no host",
        ),
        (
            "exports.mockResponses = { 'ftp://a.example': {} }",
            "script.js: mockResponses[\"ftp://a.example\"]: `ftp` is ",
        ),
        ("exports.mockResponses = { '/': { status: 99 } }", "script.js: mockResponses[\"/\"].status: 99 is no status"),
        ("exports.mockResponses = { '/': 'x' }", "script.js: mockResponses[\"/\"] is no object"),
        ("exports.modifyResponses = { '*': 1 }", "script.js: modifyResponses[\"*\"] is no function"),
        ("exports.modifyResponses = []", "script.js: modifyResponses is no object"),
        ("exports.logRequests = 'yes'", "script.js: logRequests is neither true nor false"),
        ("for (;;);", "script.js:1: took longer than 1000 ms"),
        ("\0", "script.js: "),
    ] {
        let error = Script::new("script.js", source, clock()).unwrap_err();
        assert!(error.to_string().starts_with(expect), "{source}: {error}");
    }
    let long = Script::new("script.js", &" ".repeat(MAX_SOURCE + 1), clock()).unwrap_err();
    assert!(long.to_string().contains("longer than"), "{long}");
}

#[test]
fn what_does_not_end_is_stopped() {
    for (body, expect) in [
        ("for (;;);", What::Late(MAX_CALL)),
        ("try { for (;;); } finally { return }", What::Late(MAX_CALL)),
        ("for (;;) try { for (;;); } catch {}", What::Late(MAX_CALL)),
        ("/^(a+)+$/.test('a'.repeat(40) + 'b')", What::Late(MAX_CALL)),
        ("return (async () => { for (;;) await null })()", What::Late(MAX_CALL)),
        ("(async () => { for (;;) await null })()", What::Late(MAX_CALL)),
        ("for (;;) new Promise(() => { for (let n = 0; n < 1e5; n++); })", What::Late(MAX_CALL)),
        ("for (;;) Promise.try(() => { for (let n = 0; n < 1e5; n++); })", What::Late(MAX_CALL)),
        ("for (;;) (async () => { for (let n = 0; n < 1e5; n++); })()", What::Late(MAX_CALL)),
        ("const again = () => queueMicrotask(again); again()", What::Late(MAX_CALL)),
        ("return { get path() { for (;;); } }", What::Late(MAX_CALL)),
        ("throw { toString() { for (;;); } }", What::Late(MAX_CALL)),
        ("const a = []; for (;;) a.push(new Array(1e5).fill(0))", What::Memory),
        ("return new Promise(() => {})", What::Waiting),
        ("return (async () => { const a = []; for (;;) a.push(await [a.length]) })()", What::Late(MAX_CALL)),
        ("new Uint8Array(1e9)", What::Memory),
        ("const a = []; for (;;) a.push((a.length + 'x'.repeat(1e5)).toUpperCase())", What::Memory),
        ("'x'.repeat(1e8)", What::Memory),
    ] {
        let engine = engine(&format!("exports.onRequest = () => {{ {body} }}"));
        let error = engine.on_request(&request(None)).unwrap_err();
        assert!(error.what == expect && error.ends_engine(), "{body}: {error}");
    }
}

#[test]
fn deep_recursion_is_an_error_and_no_crash() {
    for body in [
        "const deeper = () => deeper() + 1; deeper()",
        "let a = []; for (let n = 0; n < 1e5; n++) a = [a]; return { body: a }",
        "JSON.parse('['.repeat(1e5))",
        "new RegExp('('.repeat(1e5) + ')'.repeat(1e5))",
        "return { body: { toJSON() { return JSON.stringify(this) } } }",
    ] {
        let engine = engine(&format!("exports.onRequest = () => {{ {body} }}"));
        let error = engine.on_request(&request(None)).unwrap_err();
        assert!(matches!(error.what, What::Thrown { .. }), "{body}: {error}");
    }
}

#[test]
fn nothing_of_the_machine_can_be_reached() {
    let names = [
        "require",
        "fetch",
        "process",
        "std",
        "os",
        "Deno",
        "Bun",
        "setTimeout",
        "setInterval",
        "XMLHttpRequest",
        "WebSocket",
        "performance",
        "navigator",
        "eval",
        "gc",
        "print",
        "load",
        "scriptArgs",
        "Worker",
        "bjson",
    ];
    for name in names {
        let source = format!("exports.onRequest = () => ({{ block: typeof {name} }})");
        assert_eq!(
            outcome(engine(&source).on_request(&request(None)), told),
            "block None Some(\"undefined\") None",
            "{name}"
        );
    }
    for body in [
        "return import('fs')",
        "return import('/etc/passwd')",
        "new Function('return 1')()",
        "(() => {}).constructor('return 1')()",
        "(async () => {}).constructor('return 1')()",
        "(function* () {}).constructor('return 1')()",
        "(async function* () {}).constructor('return 1')()",
        "Reflect.construct(Function, ['return 1'])",
    ] {
        let engine = engine(&format!("exports.onRequest = () => {{ {body} }}"));
        let error = engine.on_request(&request(None)).unwrap_err();
        assert!(matches!(error.what, What::Thrown { .. }), "{body}: {error}");
    }
    for source in ["import 'fs'; export const logRequests = true", "import x from '/etc/passwd'; export default x"] {
        assert!(Script::new("script.js", source, clock()).is_err(), "{source}");
    }
}

#[test]
fn the_console_keeps_lines_and_not_too_many() {
    let source = "
        console.log('loaded');
        exports.onRequest = ({ path }) => {
            console.log('a', 1, { b: [null] }, undefined, Symbol('s'), 10n, '\\ud800');
            console.warn();
            console.error(new RangeError('bad'));
            if (path === '/many') for (let n = 0; n < 1000; n++) console.log('x'.repeat(1e5));
            throw new Error('after');
        };
        exports.blockDomains = ['a.example'];
        exports.other = 1;
    ";
    let engine = engine(source);
    assert!(engine.on_request(&request(None)).is_err());
    let lines = engine.take_log();
    let told: Vec<_> = lines.iter().map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(told[0], (Level::Log, "loaded"));
    assert_eq!(told[1], (Level::Warn, "what is exported as blockDomains means nothing here"));
    assert_eq!(told[2], (Level::Log, "a 1 {\"b\":[null]} undefined Symbol(s) 10 \u{fffd}"));
    assert_eq!(told[3], (Level::Warn, ""));
    assert!(told[4].0 == Level::Error && told[4].1.starts_with("RangeError: bad\n    at "), "{told:?}");
    assert_eq!((told.len(), engine.take_log()), (5, Vec::new()));

    let many = Request { head: head("GET", ("https", "api.example.com", "/many")), body: None };
    assert!(engine.on_request(&many).is_err());
    let lines = engine.take_log();
    assert_eq!((lines.len(), lines[MAX_LINES - 1].text.len()), (MAX_LINES + 1, MAX_LINE));
    assert_eq!(lines[MAX_LINES].text, "903 more lines are left out");
}
