//! What rules look at: a request's head and its connection, in the form in which names and paths can be compared.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::SocketAddr;

use http::StatusCode;
use serde_json::{Value, json};

use super::content::Content;
use super::moment::Moment;
use crate::engine::decode::stream::Kind;
use crate::engine::http::exchange::Direction;
use crate::engine::http::{RequestHead, values};
use crate::engine::policy::host::comparable;
use crate::engine::process::Process;

/// What is known of a connection before it says anything.
#[derive(Clone, Copy, Debug)]
pub struct ConnFacts<'a> {
    /// The address that the child dialled.
    pub orig_dst: SocketAddr,
    /// The host that TLS named, if it did (RFC 6066 section 3).
    pub server_name: Option<&'a str>,
    /// Who dialled it, if the kernel says so.
    pub process: Option<&'a Process>,
    /// The address is not one that DNS gave for the host.
    pub is_elsewhere: bool,
    /// What time it is, if that is known.
    pub now: Option<Moment>,
}

impl ConnFacts<'_> {
    /// A connection of which only the destination is known.
    #[must_use]
    pub const fn to(orig_dst: SocketAddr) -> Self {
        Self { orig_dst, server_name: None, process: None, is_elsewhere: false, now: None }
    }
}

/// Whether a rule will be about what comes on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It will be about nothing of it.
    No,
    /// It depends on the request.
    Perhaps,
    /// It will be about all of it.
    Yes,
}

impl Certainty {
    /// Whether both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether it does not hold.
    #[must_use]
    pub const fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
            Self::Yes => Self::No,
        }
    }
}

/// A request that is judged.
pub struct Subject<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// Its connection.
    pub connection: ConnFacts<'a>,
    /// The status of the response, once there is one.
    pub status: Option<u16>,
    host: String,
    path: Cow<'a, str>,
    content: OnceCell<Option<Content<'a>>>,
}

impl<'a> Subject<'a> {
    /// A request on a connection.
    #[must_use]
    pub fn new(head: &'a RequestHead, connection: ConnFacts<'a>) -> Self {
        let path = head.path.split(['?', '#']).next().unwrap_or_default();
        Self {
            head,
            connection,
            status: None,
            host: comparable(head.host()),
            path: comparable_path(path),
            content: OnceCell::new(),
        }
    }

    /// The same, with its response's status.
    #[must_use]
    pub fn answered(self, status: StatusCode) -> Self {
        Self { status: Some(status.as_u16()), ..self }
    }

    /// The body, if it is known.
    pub(super) fn content(&self) -> Option<&Content<'a>> {
        let read = || self.head.content.as_deref().map(|text| Content::new(text, self.graphql(text)));
        self.content.get_or_init(read).as_ref()
    }

    /// Requests of GraphQL that are no JSON: one in the URL (GraphQL over HTTP, section 6.1), which some servers prefer to
    /// the body, and a body that is the document itself.
    fn graphql(&self, text: &[u8]) -> Vec<Value> {
        let named = |wanted: &str| self.query().filter(|(name, _)| name == wanted).map(|(_, value)| value).collect();
        let (mut queries, operations): (Vec<Cow<'_, str>>, Vec<Cow<'_, str>>) =
            (named("query"), named("operationName"));
        if queries.is_empty() && !operations.is_empty() {
            queries.push(Cow::Borrowed(""));
        }
        // Which of several counts, servers do not agree on.
        let operation = operations.first().filter(|_| operations.len() == 1);
        let in_url = queries.iter().map(|query| json!({ "query": query, "operationName": operation }));
        let is_document = self.content_type().is_some_and(|media| media.eq_ignore_ascii_case(b"application/graphql"));
        let document = is_document.then(|| json!({ "query": String::from_utf8_lossy(text) }));
        in_url.chain(document).collect()
    }

    /// Whether it has a body that is one document, and no stream of messages.
    #[must_use]
    pub fn is_document(&self) -> bool {
        self.head.tunnel.is_none() && self.messages().is_none()
    }

    /// The host that it names, in lower case and without a final dot.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the request names another host than TLS did. CONNECT names where it wants to go.
    #[must_use]
    pub fn is_misdirected(&self) -> bool {
        let is_connect = self.head.tunnel.as_deref() == Some("");
        let named = self.connection.server_name.filter(|_| !is_connect);
        named.is_some_and(|named| comparable(named) != self.host)
    }

    /// The path, without what servers read as if it were not there: escapes of characters that need none, `.` and `..`,
    /// repeated slashes (RFC 3986 section 6.2.2).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Names and values of the query, decoded (WHATWG URL, section 5.1).
    pub fn query(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let query = self.head.path.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.split('#').next().unwrap_or_default().as_bytes())
    }

    /// The media type that the request says its body has, without parameters.
    #[must_use]
    pub fn content_type(&self) -> Option<&'a [u8]> {
        let value = values(&self.head.fields, "content-type").next()?;
        Some(value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
    }

    /// The kind of messages that the request carries, if it says so.
    #[must_use]
    pub fn messages(&self) -> Option<Kind> {
        Kind::of(Direction::Request, &self.head.fields, None, None)
    }

    /// Service and method, if it is a call of gRPC, gRPC-Web or Connect.
    #[must_use]
    pub fn call(&self) -> Option<&str> {
        let unary = || values(&self.head.fields, "connect-protocol-version").next().is_some();
        let is_call = self.messages().is_some() || unary();
        self.path.strip_prefix('/').filter(|_| is_call)
    }
}

/// A path that has nothing to undo stays where it is.
fn comparable_path(path: &str) -> Cow<'_, str> {
    let decoded = decode_unreserved(path);
    let is_plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    let Some(below) = decoded.strip_prefix('/') else { return decoded };
    let (inner, last) = below.rsplit_once('/').unwrap_or(("", below));
    if (below.len() == last.len() || inner.split('/').all(is_plain)) && last != "." && last != ".." {
        return decoded;
    }
    Cow::Owned(without_dots(below))
}

/// RFC 3986 section 5.2.4, and one slash for several.
fn without_dots(below: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in below.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let is_folder = matches!(below.rsplit('/').next(), Some("" | "." | ".."));
    let end = if is_folder && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// RFC 3986 section 6.2.2.2: letters, digits, `-`, `.`, `_` and `~` mean the same with and without an escape.
fn decode_unreserved(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut pieces = path.split('%');
    let mut decoded = String::from(pieces.next().unwrap_or_default());
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.map(char::from).filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c)) {
            Some(plain) => {
                decoded.push(plain);
                decoded.push_str(&piece[2..]);
            }
            None => {
                decoded.push('%');
                decoded.push_str(piece);
            }
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
pub(in crate::engine) mod tests {
    use std::sync::LazyLock;

    use http::Method;

    use super::*;
    use crate::engine::http::Field;
    use crate::engine::policy::rules::example::sender;

    /// A connection to 192.0.2.1:443 by curl.
    pub(in crate::engine) fn connection() -> ConnFacts<'static> {
        static CURL: LazyLock<Process> = LazyLock::new(|| sender("/usr/bin/curl", 1000));
        ConnFacts {
            orig_dst: "192.0.2.1:443".parse().unwrap(),
            server_name: None,
            process: Some(&CURL),
            is_elsewhere: false,
            now: Some(Moment::at(1_795_901_760)),
        }
    }

    /// A request of `method` to `https://AUTHORITY/PATH`.
    pub(in crate::engine) fn head(method: &str, url: &str, fields: &[(&'static str, &'static str)]) -> RequestHead {
        let (authority, path) = url.split_once('/').map_or((url, ""), |(authority, path)| (authority, path));
        RequestHead {
            version: "HTTP/2",
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            scheme: "https".into(),
            authority: authority.into(),
            path: format!("/{path}"),
            tunnel: None,
            pseudo: Vec::new(),
            content: None,
            fields: fields.iter().map(|(name, value)| Field::new(*name, *value)).collect(),
        }
    }

    #[test]
    fn paths_that_servers_read_alike_are_alike() {
        for (path, expect) in [
            ("/", "/"),
            ("", ""),
            ("*", "*"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/%61/%7Eb", "/a/~b"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2", "/a%2"),
            ("/%zz%", "/%zz%"),
            ("/%é", "/%é"),
            ("//a///b", "/a/b"),
            ("/./a/./b/.", "/a/b/"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a//", "/a/"),
        ] {
            assert_eq!(comparable_path(path), expect, "{path}");
        }
    }

    #[test]
    fn hosts_queries_and_calls_are_read_from_the_head() {
        let connection = connection();
        let request =
            head("POST", "API.Example.:443/p.S/M?a=1&b=%20x+y#z", &[("content-type", "application/grpc+proto; a=b")]);
        let subject = Subject::new(&request, connection);
        assert_eq!((subject.host(), subject.path(), subject.call()), ("api.example", "/p.S/M", Some("p.S/M")));
        assert_eq!(subject.content_type(), Some(&b"application/grpc+proto"[..]));
        let query: Vec<_> = subject.query().collect();
        assert_eq!(query, [("a".into(), "1".into()), ("b".into(), " x y".into())]);
        for (fields, expect) in [(&[][..], None), (&[("connect-protocol-version", "1")][..], Some("p.S/M"))] {
            let request = head("POST", "a/p.S/M", fields);
            assert_eq!(Subject::new(&request, connection).call(), expect);
        }
    }
}
