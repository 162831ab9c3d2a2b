//! What a rule is about: conditions that must all hold, each by any of its values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::any_of::AnyOf;
use super::content::Content;
use super::moment::Span;
use super::pattern::{PathPattern, TextPattern};
use super::place::{Hosts, Network, Ports};
use super::status::StatusRange;
use super::subject::{Certainty, ConnFacts, Subject};
use crate::engine::decode::stream::Kind;
use crate::engine::http::values;
use crate::engine::process::Process;

/// Conditions; a key that is left out holds always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Host that the request names.
    pub host: Option<AnyOf<Hosts>>,
    /// Port that was dialled.
    pub port: Option<AnyOf<Ports>>,
    /// Network of the address that was dialled.
    pub cidr: Option<AnyOf<Network>>,
    /// What the request speaks.
    pub protocol: Option<AnyOf<Protocol>>,
    /// Method.
    pub method: Option<AnyOf<TextPattern>>,
    /// Path without query, as [`Subject::path`] gives it.
    pub path: Option<AnyOf<PathPattern>>,
    /// Fields of the request by name: one of that name has such a value.
    pub header: Option<BTreeMap<String, AnyOf<TextPattern>>>,
    /// Parts of the query by name: one of that name has such a value.
    pub query: Option<BTreeMap<String, AnyOf<TextPattern>>>,
    /// `service/method` of a call of gRPC, gRPC-Web or Connect.
    pub grpc: Option<AnyOf<PathPattern>>,
    /// The program that connected: its name, or its whole path.
    pub process: Option<AnyOf<TextPattern>>,
    /// The user that connected, by number.
    pub user: Option<AnyOf<u32>>,
    /// Media type of the request's body, without parameters.
    pub content_type: Option<AnyOf<TextPattern>>,
    /// Parts of the body by JSON pointer, the whole by the empty one: each has such a value, as text.
    pub body: Option<BTreeMap<String, AnyOf<TextPattern>>>,
    /// Name of an operation of GraphQL that the body asks for.
    pub graphql: Option<AnyOf<TextPattern>>,
    /// Method of JSON-RPC that the body calls.
    pub jsonrpc: Option<AnyOf<TextPattern>>,
    /// Tool of MCP that the body calls.
    pub mcp: Option<AnyOf<TextPattern>>,
    /// When the request comes.
    pub time: Option<AnyOf<Span>>,
    /// Status of the response: for what is changed in responses.
    pub status: Option<AnyOf<StatusRange>>,
}

/// What a request speaks. One may be of several: gRPC is HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
    /// gRPC-Web, binary or as text.
    GrpcWeb,
    /// Connect, as one call or as a stream.
    Connect,
    /// A connection that is to become a WebSocket.
    Websocket,
    /// A connection that is to become anything else.
    Tunnel,
}

/// One key of [`Match`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `host`
    Host,
    /// `port`
    Port,
    /// `cidr`
    Cidr,
    /// `protocol`
    Protocol,
    /// `method`
    Method,
    /// `path`
    Path,
    /// `header`
    Header,
    /// `query`
    Query,
    /// `grpc`
    Grpc,
    /// `process`
    Process,
    /// `user`
    User,
    /// `content_type`
    ContentType,
    /// `body`
    Body,
    /// `graphql`
    Graphql,
    /// `jsonrpc`
    Jsonrpc,
    /// `mcp`
    Mcp,
    /// `time`
    Time,
    /// `status`
    Status,
}

impl Key {
    /// All, in the order in which they are looked at.
    pub const ALL: [Self; 18] = [
        Self::Host,
        Self::Port,
        Self::Cidr,
        Self::Protocol,
        Self::Method,
        Self::Path,
        Self::Grpc,
        Self::Process,
        Self::User,
        Self::ContentType,
        Self::Header,
        Self::Query,
        Self::Time,
        Self::Body,
        Self::Graphql,
        Self::Jsonrpc,
        Self::Mcp,
        Self::Status,
    ];

    /// Those that look at the body.
    const OF_BODY: [Self; 4] = [Self::Body, Self::Graphql, Self::Jsonrpc, Self::Mcp];

    /// The key as rules write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Port => "port",
            Self::Cidr => "cidr",
            Self::Protocol => "protocol",
            Self::Method => "method",
            Self::Path => "path",
            Self::Header => "header",
            Self::Query => "query",
            Self::Grpc => "grpc",
            Self::Process => "process",
            Self::User => "user",
            Self::ContentType => "content_type",
            Self::Body => "body",
            Self::Graphql => "graphql",
            Self::Jsonrpc => "jsonrpc",
            Self::Mcp => "mcp",
            Self::Time => "time",
            Self::Status => "status",
        }
    }
}

/// How many must fit of what a request has several of: fields and parts of the query of one name, calls in one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// One of them.
    One,
    /// All of them: what lets a request pass must know all of it.
    All,
}

impl Needed {
    /// What is needed of the exceptions of a rule for its conditions to need this.
    #[must_use]
    pub const fn of_exceptions(self) -> Self {
        match self {
            Self::One => Self::All,
            Self::All => Self::One,
        }
    }

    /// Whether as many fit; nothing does not.
    fn of<T>(self, found: impl Iterator<Item = T>, fits: impl FnMut(T) -> bool) -> bool {
        let mut judged = found.map(fits).peekable();
        match self {
            Self::One => judged.any(|fits| fits),
            Self::All => judged.peek().is_some() && judged.all(|fits| fits),
        }
    }
}

impl Match {
    /// Whether all conditions hold.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>, needed: Needed) -> bool {
        Key::ALL.iter().all(|key| self.condition(*key, subject, needed).unwrap_or(true))
    }

    /// Whether all conditions hold that are not about the response.
    #[must_use]
    pub fn may_hold(&self, subject: &Subject<'_>, needed: Needed) -> bool {
        let mut known = Key::ALL.iter().filter(|key| **key != Key::Status);
        known.all(|key| self.condition(*key, subject, needed).unwrap_or(true))
    }

    /// Whether a condition is about the body.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        Key::OF_BODY.iter().any(|key| self.has(*key))
    }

    /// Whether all conditions hold that are about neither the body nor the response.
    #[must_use]
    pub fn may_hold_by_head(&self, subject: &Subject<'_>, needed: Needed) -> bool {
        let is_known = |key: &&Key| **key != Key::Status && !Key::OF_BODY.contains(key);
        Key::ALL.iter().filter(is_known).all(|key| self.condition(*key, subject, needed).unwrap_or(true))
    }

    /// Whether a condition is about the response.
    #[must_use]
    pub const fn is_late(&self) -> bool {
        self.status.is_some()
    }

    /// What can be said of the conditions before a request is there, as far as its host and connection are known.
    #[must_use]
    pub fn foresee(&self, host: Option<&str>, connection: Option<ConnFacts<'_>>) -> Certainty {
        let foreseen = Key::ALL.iter().map(|key| match (key, self.on_connection(*key, host, connection)) {
            (_, Some(true)) => Certainty::Yes,
            (_, Some(false)) => Certainty::No,
            (key, None) if self.has(*key) => Certainty::Perhaps,
            (_, None) => Certainty::Yes,
        });
        foreseen.fold(Certainty::Yes, Certainty::and)
    }

    /// Whether the condition of one key holds for a connection; none if a request must be asked.
    fn on_connection(&self, key: Key, host: Option<&str>, connection: Option<ConnFacts<'_>>) -> Option<bool> {
        if key == Key::Host {
            return host.and_then(|host| any(&self.host, |hosts| hosts.contain(host)));
        }
        let connection = connection?;
        match key {
            Key::Port => any(&self.port, |ports| ports.contain(connection.orig_dst.port())),
            Key::Cidr => any(&self.cidr, |network| network.contains(connection.orig_dst.ip())),
            Key::Process => any(&self.process, |name| is_named(connection.process, name)),
            Key::User => any(&self.user, |uid| connection.process.is_some_and(|process| process.uid == *uid)),
            _ => None,
        }
    }

    /// Whether there is a condition of this key.
    const fn has(&self, key: Key) -> bool {
        match key {
            Key::Host => self.host.is_some(),
            Key::Port => self.port.is_some(),
            Key::Cidr => self.cidr.is_some(),
            Key::Protocol => self.protocol.is_some(),
            Key::Method => self.method.is_some(),
            Key::Path => self.path.is_some(),
            Key::Header => self.header.is_some(),
            Key::Query => self.query.is_some(),
            Key::Grpc => self.grpc.is_some(),
            Key::Process => self.process.is_some(),
            Key::User => self.user.is_some(),
            Key::ContentType => self.content_type.is_some(),
            Key::Body => self.body.is_some(),
            Key::Graphql => self.graphql.is_some(),
            Key::Jsonrpc => self.jsonrpc.is_some(),
            Key::Mcp => self.mcp.is_some(),
            Key::Time => self.time.is_some(),
            Key::Status => self.status.is_some(),
        }
    }

    /// Whether the condition of one key holds; none if there is no such condition. What is not known fits nothing.
    #[must_use]
    pub fn condition(&self, key: Key, subject: &Subject<'_>, needed: Needed) -> Option<bool> {
        match key {
            Key::Host | Key::Port | Key::Cidr | Key::Process | Key::User => {
                self.on_connection(key, Some(subject.host()), Some(subject.connection))
            }
            Key::Protocol => any(&self.protocol, |protocol| protocol.is_of(subject)),
            Key::Method => any(&self.method, |method| method.matches(subject.head.method.as_str().as_bytes())),
            Key::Path => any(&self.path, |path| path.matches(subject.path().as_bytes())),
            Key::Grpc => any(&self.grpc, |call| subject.call().is_some_and(|found| call.matches(found.as_bytes()))),
            Key::ContentType => {
                any(&self.content_type, |media| subject.content_type().is_some_and(|found| media.matches(found)))
            }
            Key::Body => all_of(&self.body, |pointer, value| {
                let found = subject.content().and_then(|content| content.at(pointer));
                found.is_some_and(|found| value.any(|value| value.matches(&found)))
            }),
            Key::Graphql => called(&self.graphql, subject.content().map(Content::operations), needed),
            Key::Jsonrpc => called(&self.jsonrpc, subject.content().map(Content::methods), needed),
            Key::Mcp => called(&self.mcp, subject.content().map(Content::tools), needed),
            Key::Time => any(&self.time, |span| subject.connection.now.is_some_and(|now| span.contains(now))),
            Key::Status => any(&self.status, |range| subject.status.is_some_and(|status| range.contains(status))),
            Key::Header => all_of(&self.header, |name, value| {
                needed.of(values(&subject.head.fields, name), |found| value.any(|value| value.matches(found)))
            }),
            Key::Query => all_of(&self.query, |name, value| {
                let found = subject.query().filter(|(key, _)| key == name);
                needed.of(found, |(_, found)| value.any(|value| value.matches(found.as_bytes())))
            }),
        }
    }
}

/// Whether a program is called so; what is not known is called nothing.
fn is_named(process: Option<&Process>, name: &TextPattern) -> bool {
    process.is_some_and(|process| names(process).any(|found| name.matches(found.as_bytes())))
}

/// Whether what a body calls is what is wanted; what is not known is nothing.
fn called<'a>(
    wanted: &Option<AnyOf<TextPattern>>,
    found: Option<impl Iterator<Item = Option<&'a str>>>,
    needed: Needed,
) -> Option<bool> {
    let is_wanted = |wanted: &AnyOf<TextPattern>, name: &str| wanted.any(|wanted| wanted.matches(name.as_bytes()));
    let wanted = wanted.as_ref()?;
    Some(found.is_some_and(|found| needed.of(found, |name| name.is_some_and(|name| is_wanted(wanted, name)))))
}

fn any<T>(wanted: &Option<AnyOf<T>>, fits: impl FnMut(&T) -> bool) -> Option<bool> {
    wanted.as_ref().map(|wanted| wanted.any(fits))
}

fn all_of<T>(wanted: &Option<BTreeMap<String, T>>, fits: impl Fn(&str, &T) -> bool) -> Option<bool> {
    wanted.as_ref().map(|wanted| wanted.iter().all(|(name, value)| fits(name, value)))
}

/// What a program may be called: its path, the last part of it, or its thread's name where there is no path.
fn names(process: &Process) -> impl Iterator<Item = &str> {
    let path = process.executable.as_deref();
    let file = path.and_then(|path| path.rsplit('/').next());
    [path, file.or(Some(&process.comm))].into_iter().flatten()
}

impl Protocol {
    fn is_of(self, subject: &Subject<'_>) -> bool {
        let head = subject.head;
        let is_websocket = head.tunnel.as_deref().is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
        match self {
            Self::Http1 => head.version.starts_with("HTTP/1"),
            Self::Http2 => head.version == "HTTP/2",
            Self::Grpc => subject.messages() == Some(Kind::Grpc),
            Self::GrpcWeb => matches!(subject.messages(), Some(Kind::GrpcWeb | Kind::GrpcWebText)),
            Self::Connect => match subject.messages() {
                Some(kind) => kind == Kind::Connect,
                None => subject.call().is_some(),
            },
            Self::Websocket => is_websocket,
            Self::Tunnel => head.tunnel.is_some() && !is_websocket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::subject::tests::{connection, head};
    use super::*;

    fn parse(text: &str) -> Match {
        toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn each_condition_holds_for_what_it_names_and_nothing_else() {
        let connection = connection();
        let fields = [("content-type", "application/json; charset=utf-8"), ("X-Team", "blue"), ("x-team", "red")];
        let request = head("POST", "api.example/v1/charges?amount=200&live", &fields);
        let subject = Subject::new(&request, connection);
        for (conditions, expect) in [
            ("", true),
            ("host = 'api.example'", true),
            ("host = ['b.example', '*.example']", true),
            ("host = '~^api'", true),
            ("host = 'example'", false),
            ("port = 443", true),
            ("port = [80, '8000-9000']", false),
            ("cidr = '192.0.2.0/24'", true),
            ("cidr = ['198.51.100.0/24', '2001:db8::/32']", false),
            ("protocol = 'http2'", true),
            ("protocol = ['http1', 'grpc', 'grpc-web', 'connect', 'websocket', 'tunnel']", false),
            ("method = 'POST'", true),
            ("method = 'post'", false),
            ("method = '{PUT,POST}'", true),
            ("path = '/v1/*'", true),
            ("path = '/v1'", false),
            ("path = '~charges$'", true),
            ("header = { X-TEAM = 'red' }", true),
            ("header = { x-team = 'green' }", false),
            ("header = { x-team = 'blue', x-other = '*' }", false),
            ("header = { x-team = '*', content-type = '*json*' }", true),
            ("query = { amount = '~^[0-9]+$', live = '' }", true),
            ("query = { amount = ['1', '2'] }", false),
            ("query = { none = '*' }", false),
            ("time = 'sat'", true),
            ("time = ['mon-fri', '00:00-12:00']", false),
            ("grpc = '**'", false),
            ("process = 'curl'", true),
            ("process = '/usr/bin/*'", true),
            ("process = ['wget', 'bin/curl']", false),
            ("user = [0, 1000]", true),
            ("user = 0", false),
            ("content_type = 'application/json'", true),
            ("content_type = 'text/*'", false),
            ("host = 'api.example'\nmethod = 'GET'", false),
            ("host = 'api.example'\nmethod = 'POST'\nport = 443", true),
        ] {
            assert_eq!(parse(conditions).holds(&subject, Needed::One), expect, "{conditions}");
        }
    }

    #[test]
    fn what_lets_pass_must_know_all_that_there_are_several_of() {
        let connection = connection();
        let fields = [("x-team", "blue"), ("x-team", "red"), ("x-one", "blue")];
        let mut request = head("POST", "a.example/?amount=1&amount=999&one=1", &fields);
        let calls = r#"[{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read"}},
                        {"jsonrpc":"2.0","method":"tools/call","params":{"name":"rm"}}]"#;
        let mixed = r#"[{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read"}},{"method":"x"}]"#;
        let queries = r#"{"query":"query Get { a } mutation Pay { b }"}"#;
        for (body, conditions, one, all) in [
            ("", "header = { x-team = 'red' }", true, false),
            ("", "header = { x-team = ['red', 'blue'] }", true, true),
            ("", "header = { x-one = 'blue' }", true, true),
            ("", "header = { x-none = '*' }", false, false),
            ("", "query = { amount = '1' }", true, false),
            ("", "query = { one = '1' }", true, true),
            (calls, "mcp = 'read'", true, false),
            (calls, "mcp = ['read', 'rm']", true, true),
            (calls, "jsonrpc = 'tools/call'", true, true),
            (mixed, "mcp = 'read'", true, false),
            (mixed, "jsonrpc = '*'", true, false),
            (queries, "graphql = 'Get'", true, false),
            (queries, "graphql = ['Get', 'Pay']", true, true),
            ("[]", "graphql = '*'", false, false),
        ] {
            request.content = Some(body.into());
            let subject = Subject::new(&request, connection);
            let matches = parse(conditions);
            let held = [Needed::One, Needed::All].map(|needed| matches.holds(&subject, needed));
            assert_eq!(held, [one, all], "{conditions} {body}");
        }
    }

    #[test]
    fn operations_of_graphql_are_found_wherever_servers_look() {
        let connection = connection();
        let plain: &[(&'static str, &'static str)] = &[];
        let document: &[(&'static str, &'static str)] = &[("content-type", "application/graphql; charset=utf-8")];
        for (url, fields, body, conditions, one, all) in [
            ("a.example/?query=mutation%20Pay%7Ba%7D", plain, "", "graphql = 'Pay'", true, true),
            ("a.example/?query=%7Ba%7D&query=mutation%20Pay%7Ba%7D", plain, "", "graphql = 'Pay'", true, false),
            ("a.example/?operationName=Pay&extensions=%7B%7D", plain, "", "graphql = 'Pay'", true, true),
            (
                "a.example/?query=mutation%20Pay%7Ba%7D",
                plain,
                r#"{"query":"query Get{a}"}"#,
                "graphql = 'Get'",
                true,
                false,
            ),
            ("a.example/?operationName=Get", plain, r#"{"query":"mutation Pay{a}"}"#, "graphql = 'Get'", true, false),
            (
                "a.example/",
                plain,
                r#"{"query":"mutation Pay{a}","operationName":"Get"}"#,
                "graphql = 'Pay'",
                true,
                false,
            ),
            (
                "a.example/",
                plain,
                r#"{"query":"query Get{a} mutation Pay{a}","operationName":"Get"}"#,
                "graphql = 'Get'",
                true,
                true,
            ),
            ("a.example/", document, "mutation Pay { a }", "graphql = 'Pay'", true, true),
            ("a.example/", plain, "mutation Pay { a }", "graphql = 'Pay'", false, false),
        ] {
            let mut request = head("POST", url, fields);
            request.content = Some(body.into());
            let subject = Subject::new(&request, connection);
            let held = [Needed::One, Needed::All].map(|needed| parse(conditions).holds(&subject, needed));
            assert_eq!(held, [one, all], "{url} {conditions} {body}");
        }
    }

    #[test]
    fn protocols_are_told_from_the_head() {
        let connection = connection();
        let of = |version, tunnel: Option<&str>, fields: &[(&'static str, &'static str)]| {
            let mut request = head("POST", "a.example/pkg.Svc/Do", fields);
            request.version = version;
            request.tunnel = tunnel.map(str::to_owned);
            let all = ["http1", "http2", "grpc", "grpc-web", "connect", "websocket", "tunnel"];
            let subject = Subject::new(&request, connection);
            let is = |name: &&&str| parse(&format!("protocol = '{name}'")).holds(&subject, Needed::One);
            all.iter().filter(is).copied().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("HTTP/1.1", None, &[]), "http1");
        assert_eq!(of("HTTP/1.1", Some("WebSocket"), &[]), "http1 websocket");
        assert_eq!(of("HTTP/2", Some(""), &[]), "http2 tunnel");
        assert_eq!(of("HTTP/2", None, &[("content-type", "application/grpc")]), "http2 grpc");
        assert_eq!(of("HTTP/1.1", None, &[("content-type", "application/grpc-web-text")]), "http1 grpc-web");
        assert_eq!(of("HTTP/2", None, &[("content-type", "application/connect+json")]), "http2 connect");
        assert_eq!(of("HTTP/2", None, &[("connect-protocol-version", "1")]), "http2 connect");
    }

    #[test]
    fn calls_are_named_by_service_and_method() {
        let connection = connection();
        let request = head("POST", "a.example/pkg.Svc/Do", &[("content-type", "application/grpc")]);
        for (call, expect) in
            [("pkg.Svc/Do", true), ("pkg.Svc/*", true), ("*/Do", true), ("pkg.*/Get", false), ("**", true)]
        {
            let conditions = parse(&format!("grpc = '{call}'"));
            assert_eq!(conditions.holds(&Subject::new(&request, connection), Needed::One), expect, "{call}");
        }
    }

    #[test]
    fn who_is_not_known_is_nobody() {
        let mut connection = connection();
        connection.process = None;
        let request = head("GET", "a.example/", &[]);
        for conditions in ["process = '*'", "user = 0"] {
            assert!(!parse(conditions).holds(&Subject::new(&request, connection), Needed::One), "{conditions}");
        }
    }

    #[test]
    fn a_condition_is_read_back_as_it_was_written() {
        let text = "host = ['a.example', '~b']\nport = '1-2'\ncidr = '192.0.2.1'\nuser = 3\n[header]\nx = 'y*'\n";
        let conditions = parse(text);
        let json = serde_json::to_string(&conditions).unwrap();
        assert_eq!(serde_json::from_str::<Match>(&json).unwrap(), conditions, "{json}");
    }
}
