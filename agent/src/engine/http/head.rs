//! The head of a request in one form for every HTTP version. It changes nothing of what is forwarded.

use http::header::HOST;
use http::{Method, Request, Version};

/// What is judged: method and full URL.
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
}

impl RequestHead {
    /// The head of `request`, which came over a connection with `scheme` to `fallback` (used if it names no host).
    /// The authority of the target comes before the Host header (RFC 9112 section 3.3, RFC 9113 section 8.3.1).
    #[must_use]
    pub fn of<B>(request: &Request<B>, scheme: &str, fallback: &str) -> Self {
        let uri = request.uri();
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
        let authority = uri.authority().map(http::uri::Authority::as_str).or(host).filter(|name| !name.is_empty());
        Self {
            version: version_name(request.version()),
            method: request.method().clone(),
            scheme: uri.scheme_str().unwrap_or(scheme).to_owned(),
            authority: authority.unwrap_or(fallback).to_owned(),
            path: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
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
            let head = RequestHead::of(&request.body(()).unwrap(), "https", "192.0.2.1:443");
            assert_eq!((head.url().as_str(), head.host()), (url, name));
        }
    }
}
