//! The head of a request in one form for every HTTP version. It changes nothing of what is forwarded.

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Version};

use super::{Field, elements, values};
use crate::engine::wire::{Invalid, http1};

/// Where the requests of a connection go, for those that do not say so themselves.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The address that was dialled, with its port.
    pub address: String,
}

/// What is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
    /// The method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port as the request names them, or the address that was dialled.
    pub authority: String,
    /// Path and query; empty for CONNECT.
    pub path: String,
    /// What the connection, or the stream, is to speak if the server agrees: the value of Upgrade or of `:protocol`
    /// (RFC 8441); empty for plain CONNECT.
    pub tunnel: Option<String>,
    /// The pseudo-headers as they were sent, where the carrier sees them (RFC 9113 section 8.3.1).
    pub pseudo: Vec<Field>,
    /// The fields as they were sent, without pseudo-headers.
    pub fields: Vec<Field>,
    /// The body, without content codings, where a rule wants to see it and it was read.
    pub content: Option<Bytes>,
}

impl RequestHead {
    /// The head of a request that a library has read, on a connection to `origin`. The authority of the target comes
    /// before the Host header (RFC 9112 section 3.3, RFC 9113 section 8.3.1).
    #[must_use]
    pub fn of<B>(request: &Request<B>, origin: &Origin) -> Self {
        let uri = request.uri();
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
        let authority = uri.authority().map(http::uri::Authority::as_str).or(host).filter(|name| !name.is_empty());
        let fields = Field::all(request.headers());
        Self {
            version: version_name(request.version()),
            tunnel: tunnel1(request.method(), &fields),
            method: request.method().clone(),
            scheme: uri.scheme_str().unwrap_or(origin.scheme).to_owned(),
            authority: authority.unwrap_or(&origin.address).to_owned(),
            path: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            pseudo: Vec::new(),
            fields,
            content: None,
        }
    }

    /// The head of an HTTP/1 request (RFC 9112 section 3.2) on a connection to `origin`.
    #[must_use]
    pub fn of_http1(request: http1::Request, origin: &Origin) -> Self {
        let target = Target::of(&request);
        let host = values(&request.fields, "host").next().and_then(|value| std::str::from_utf8(value).ok());
        let authority = target.authority.or(host).filter(|name| !name.is_empty());
        Self {
            version: if request.minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" },
            tunnel: tunnel1(&request.method, &request.fields),
            scheme: target.scheme.unwrap_or(origin.scheme).to_owned(),
            authority: authority.unwrap_or(&origin.address).to_owned(),
            path: target.path.to_owned(),
            method: request.method,
            pseudo: Vec::new(),
            fields: request.fields,
            content: None,
        }
    }

    /// The head of an HTTP/2 request (RFC 9113 section 8.3.1) on a connection to `origin`.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn of_http2(fields: &[Field], origin: &Origin) -> Result<Self, Invalid> {
        let pseudo = fields.iter().take_while(|field| field.name.starts_with(b":")).count();
        let (pseudo, fields) = fields.split_at(pseudo);
        regular(fields)?;
        let one = |name: &str| match pseudo.iter().filter(|field| field.name == name).collect::<Vec<_>>()[..] {
            [] => Ok(None),
            [field] => field.text().map(Some).ok_or(Invalid("a pseudo-header that is no text")),
            [..] => Err(Invalid("a pseudo-header that is there twice")),
        };
        let known = [":method", ":scheme", ":authority", ":path", ":protocol"];
        if !pseudo.iter().all(|field| known.iter().any(|name| field.name == name)) {
            return Err(Invalid("a pseudo-header that is unknown"));
        }
        let method = one(":method")?.ok_or(Invalid("no :method"))?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_invalid| Invalid("a method that is none"))?;
        let (scheme, path, protocol) = (one(":scheme")?, one(":path")?, one(":protocol")?);
        let plain_connect = method == Method::CONNECT && protocol.is_none();
        if plain_connect == (scheme.is_some() || path.is_some()) || scheme.is_some() != path.is_some() {
            return Err(Invalid(":scheme and :path where they do not belong, or missing"));
        }
        let host = values(fields, "host").next().and_then(|value| std::str::from_utf8(value).ok());
        let authority = one(":authority")?.or(host).filter(|name| !name.is_empty());
        Ok(Self {
            version: "HTTP/2",
            tunnel: (method == Method::CONNECT).then(|| protocol.unwrap_or_default().to_owned()),
            method,
            scheme: scheme.unwrap_or(origin.scheme).to_owned(),
            authority: authority.unwrap_or(&origin.address).to_owned(),
            path: path.unwrap_or_default().to_owned(),
            pseudo: pseudo.to_vec(),
            fields: fields.to_vec(),
            content: None,
        })
    }

    /// A head that was put together or written down: the URL by its parts, and its fields, pseudo-headers first.
    #[must_use]
    pub fn assembled(version: &'static str, method: Method, url: (&str, &str, &str), fields: &[Field]) -> Self {
        let (scheme, authority, path) = url;
        let pseudo = fields.iter().take_while(|field| field.name.starts_with(b":")).count();
        let (pseudo, fields) = fields.split_at(pseudo);
        let protocol = values(pseudo, ":protocol").next().map(|value| String::from_utf8_lossy(value).into_owned());
        Self {
            version,
            tunnel: protocol.or_else(|| tunnel1(&method, fields)),
            method,
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path: path.to_owned(),
            pseudo: pseudo.to_vec(),
            fields: fields.to_vec(),
            content: None,
        }
    }

    /// The full URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path)
    }

    /// The host without port, user or brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.authority.rsplit_once('@').map_or(self.authority.as_str(), |(_, host)| host);
        match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((literal, _)) => literal,
            None => host.split_once(':').map_or(host, |(name, _)| name),
        }
    }
}

/// The parts of an HTTP/1 request target.
struct Target<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
}

impl<'a> Target<'a> {
    fn of(request: &'a http1::Request) -> Self {
        let target = request.target.as_str();
        if request.method == Method::CONNECT {
            return Self { scheme: None, authority: Some(target), path: "" };
        }
        let Some((scheme, rest)) = target.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Self { scheme: None, authority: None, path: target };
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        Self { scheme: Some(scheme), authority: Some(&rest[..end]), path: &rest[end..] }
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// What an HTTP/1 request asks its connection to become.
fn tunnel1(method: &Method, fields: &[Field]) -> Option<String> {
    if method == Method::CONNECT {
        return Some(String::new());
    }
    let asked = elements(fields, "connection").any(|option| option.eq_ignore_ascii_case(b"upgrade"));
    let upgrade = values(fields, "upgrade").next().filter(|_| asked)?;
    Some(String::from_utf8_lossy(upgrade).into_owned())
}

/// What RFC 9113 section 8.2 forbids in the fields of a message: what one reader would take for something else.
fn regular(fields: &[Field]) -> Result<(), Invalid> {
    const OF_CONNECTIONS: [&str; 5] = ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"];
    for field in fields {
        if field.name.is_empty() || !field.name.iter().all(|byte| matches!(byte, 0x21..=0x40 | 0x5b..=0x7e)) {
            return Err(Invalid("a field name that is none"));
        }
        if field.name.contains(&b':') {
            return Err(Invalid("a pseudo-header after other fields, or a colon in a name"));
        }
        // gRPC sends binary metadata as it is where both ends have agreed to that (SETTINGS 0xfe03).
        if !field.name.ends_with(b"-bin") && field.value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(Invalid("a line end or NUL in a field value"));
        }
        let te = field.name == "te" && !field.value.eq_ignore_ascii_case(b"trailers");
        if te || OF_CONNECTIONS.iter().any(|name| field.name == name) {
            return Err(Invalid("a field that HTTP/2 forbids"));
        }
    }
    let lengths: Vec<&Bytes> = values(fields, "content-length").collect();
    if lengths.iter().any(|length| *length != lengths[0]) {
        return Err(Invalid("two Content-Length fields"));
    }
    Ok(())
}

/// The name of an HTTP version, as events carry it.
#[must_use]
pub fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_and_host_come_from_target_then_host_header_then_address() {
        let table = [
            ("/a?b", Some("h.example:81"), "https://h.example:81/a?b", "h.example"),
            ("http://t.example/", Some("h.example"), "http://t.example/", "t.example"),
            ("/", None, "https://192.0.2.1:443/", "192.0.2.1"),
            ("/", Some("[2001:db8::1]:8080"), "https://[2001:db8::1]:8080/", "2001:db8::1"),
            ("*", Some("h.example"), "https://h.example*", "h.example"),
        ];
        for (target, host, url, name) in table {
            let mut request = Request::get(target);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let origin = Origin { scheme: "https", address: "192.0.2.1:443".into() };
            let head = RequestHead::of(&request.body(()).unwrap(), &origin);
            assert_eq!((head.url().as_str(), head.host()), (url, name));
        }
    }
}
