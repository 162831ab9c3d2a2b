//! What an answer in `mockResponses` is for: a URL, a host, a path, or a host and a path, and a method if it says one.

use http::Method;

use super::hosts::Hosts;
use crate::engine::http::RequestHead;

/// The requests that one answer is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    method: Option<Method>,
    scheme: Option<String>,
    host: Option<Hosts>,
    port: Option<u16>,
    path: Option<String>,
    query: Option<String>,
}

impl Target {
    /// Reads `GET https://host:443/path?query`, of which only the host or the path must be there.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (method, place) = match text.trim().split_once(' ') {
            Some((method, place)) => (Some(method), place.trim_start()),
            None => (None, text.trim()),
        };
        let method = method.map(|name| Method::from_bytes(name.to_ascii_uppercase().as_bytes()));
        let method = method.transpose().map_err(|error| error.to_string())?;
        let (scheme, place) = match place.split_once("://") {
            Some((scheme @ ("http" | "https"), place)) => (Some(scheme.to_owned()), place),
            Some((scheme, _)) => return Err(format!("`{scheme}` is neither http nor https")),
            None => (None, place),
        };
        if place.is_empty() || place.contains([' ', '#']) {
            return Err("write a URL, `host/path`, `host` or `/path`, after a method if you like".to_owned());
        }
        let (authority, rest) = place.split_at(place.find(['/', '?']).unwrap_or(place.len()));
        let (host, port) = if authority.is_empty() { (None, None) } else { host_and_port(authority)? };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let path = (!path.is_empty()).then(|| path.to_owned());
        Ok(Self { method, scheme, host, port, path, query })
    }

    /// Whether it is for `head`. A query counts only where the target has one.
    pub(super) fn matches(&self, head: &RequestHead) -> bool {
        let (path, query) = head.path.split_once('?').unwrap_or((&head.path, ""));
        self.method.as_ref().is_none_or(|method| *method == head.method)
            && self.scheme.as_ref().is_none_or(|scheme| head.scheme.eq_ignore_ascii_case(scheme))
            && self.host.as_ref().is_none_or(|hosts| hosts.matches(head.host()))
            && self.port.is_none_or(|port| port_of(head) == Some(port))
            && self.path.as_ref().is_none_or(|wanted| wanted == path)
            && self.query.as_ref().is_none_or(|wanted| wanted == query)
    }

    /// The host that it names, if it names one.
    pub(super) const fn host(&self) -> Option<&Hosts> {
        self.host.as_ref()
    }

    /// How much it says: of several that fit, the one that says most counts.
    pub(super) fn weight(&self) -> usize {
        let parts = [self.method.is_some(), self.scheme.is_some(), self.port.is_some(), self.query.is_some()];
        let path = if self.path.is_some() { 4 } else { 0 };
        let host = self.host.as_ref().map_or(0, Hosts::weight);
        path + host + parts.into_iter().filter(|is_there| *is_there).count()
    }
}

fn host_and_port(authority: &str) -> Result<(Option<Hosts>, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(|port| port.parse().map_err(|_invalid| format!("`{port}` is no port"))).transpose()?;
    Ok((Some(host.parse().map_err(|error: crate::engine::policy::host::Invalid| error.to_string())?), port))
}

/// The port that a request names, or that of its scheme.
fn port_of(head: &RequestHead) -> Option<u16> {
    let named = head.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    named.or(match head.scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, url: (&str, &str, &str)) -> RequestHead {
        RequestHead::assembled("HTTP/1.1", method.parse().unwrap(), url, &[])
    }

    #[test]
    fn a_target_is_a_url_a_host_a_path_or_both_after_a_method() {
        let url = ("https", "api.example.com", "/v1/x?q=1");
        for (target, expect) in [
            ("https://api.example.com/v1/x", true),
            ("http://api.example.com/v1/x", false),
            ("https://api.example.com", true),
            ("api.example.com", true),
            ("API.example.com:443", true),
            ("api.example.com:8443", false),
            ("*.example.com/v1/x", true),
            ("*", true),
            ("api.example.com/v1/x", true),
            ("api.example.com/v1/x?q=1", true),
            ("api.example.com/v1/x?q=2", false),
            ("api.example.com/v1", false),
            ("/v1/x", true),
            ("GET /v1/x", true),
            ("get  api.example.com", true),
            ("POST https://api.example.com/v1/x", false),
        ] {
            assert_eq!(Target::parse(target).unwrap().matches(&head("GET", url)), expect, "{target}");
        }
        let address = head("GET", ("http", "[2001:db8::1]:81", "/"));
        assert!(Target::parse("[2001:db8::1]:81/").unwrap().matches(&address));
        assert!(!Target::parse("[2001:db8::1]/x").unwrap().matches(&address));
    }

    #[test]
    fn what_says_most_weighs_most() {
        let targets = ["*", "*.a.example", "a.example", "GET a.example", "/x", "a.example/x", "GET a.example/x?y"];
        let weights = targets.map(|target| Target::parse(target).unwrap().weight());
        assert!(weights.is_sorted_by(|a, b| a < b), "{weights:?}");
    }

    #[test]
    fn what_is_no_target_is_said() {
        for text in
            ["", "GET /a b", "ftp://a.example", "a b c", "a..example/x", "a.example:http", "a.example#x", "https://"]
        {
            if let Ok(target) = Target::parse(text) {
                panic!("{text}: {target:?}");
            }
        }
    }
}
