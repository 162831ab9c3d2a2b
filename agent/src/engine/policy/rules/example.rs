//! Requests that are written down: to ask what rules make of them, and as examples beside the rules, with the verdict that
//! they must get.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Method, Uri};
use serde::Deserialize;

use super::any_of::AnyOf;
use super::rule::Word;
use super::subject::ConnFacts;
use crate::engine::http::{Field, RequestHead};
use crate::engine::process::Process;

/// A request, and what must become of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The request.
    pub request: Asked,
    /// Its verdict.
    pub verdict: Word,
    /// The rule that gives it, if that matters.
    pub rule: Option<String>,
}

/// A request and its connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Form")]
pub struct Asked {
    /// The request's head.
    pub head: RequestHead,
    /// The address that was dialled; 0.0.0.0 if it is not known.
    pub address: SocketAddr,
    /// The host that was named in TLS, if it is not that of the request.
    pub server_name: Option<String>,
    /// Who sends it, if that is known.
    pub process: Option<Process>,
}

/// How a request is written down.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its URL, with scheme and host.
    pub url: String,
    /// Its method; GET if nothing is said.
    pub method: Option<String>,
    /// Its fields.
    #[serde(default)]
    pub header: BTreeMap<String, AnyOf<String>>,
    /// Its body; empty if nothing is said.
    #[serde(default)]
    pub body: String,
    /// Whether it is HTTP/2, not HTTP/1.1.
    #[serde(default)]
    pub http2: bool,
    /// The address that it goes to, with an optional port.
    pub address: Option<String>,
    /// The host that is named in TLS, if it is another than the request's.
    pub server_name: Option<String>,
    /// The program that sends it: its path, or its name.
    pub process: Option<String>,
    /// The user that sends it, by number.
    pub user: Option<u32>,
}

/// Why what is written down is no request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The URL has no scheme or host, or is none.
    #[error("`{0}` is no whole URL: write it with scheme and host, as in https://api.example/v1")]
    Url(String),
    /// The method is none.
    #[error("`{0}` is no method")]
    Method(String),
    /// The address is none.
    #[error("`{0}` is no address: write 192.0.2.1, or 192.0.2.1:443")]
    Address(String),
}

impl TryFrom<Form> for Asked {
    type Error = Invalid;

    fn try_from(form: Form) -> Result<Self, Invalid> {
        let no_url = || Invalid::Url(form.url.clone());
        let uri: Uri = form.url.parse().map_err(|_invalid| no_url())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(no_url)?;
        let port = authority.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        let method = form.method.as_deref().unwrap_or("GET");
        let method = Method::from_bytes(method.as_bytes()).map_err(|_invalid| Invalid::Method(method.to_owned()))?;
        let one = |(name, values): (&String, &AnyOf<String>)| {
            values.iter().map(|value| Field::new(name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let fields: Vec<Field> = form.header.iter().flat_map(one).collect();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let version = if form.http2 { "HTTP/2" } else { "HTTP/1.1" };
        let mut head = RequestHead::assembled(version, method, (scheme, authority.as_str(), path), &fields);
        head.content = Some(form.body.clone().into());
        let address = match &form.address {
            Some(text) => address(text, port).ok_or_else(|| Invalid::Address(text.clone()))?,
            None => SocketAddr::new(head.host().parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port),
        };
        let is_known = form.process.is_some() || form.user.is_some();
        let process =
            is_known.then(|| sender(form.process.as_deref().unwrap_or_default(), form.user.unwrap_or_default()));
        Ok(Self { head, address, server_name: form.server_name, process })
    }
}

impl Asked {
    /// What is known of its connection.
    #[must_use]
    pub fn connection(&self) -> ConnFacts<'_> {
        let (server_name, process) = (self.server_name.as_deref(), self.process.as_ref());
        ConnFacts { orig_dst: self.address, server_name, process, is_elsewhere: false, now: None }
    }
}

fn address(text: &str, port: u16) -> Option<SocketAddr> {
    text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, port))).ok()
}

/// A process of which no more is known than its program, by path or name, and its user.
#[must_use]
pub fn sender(program: &str, uid: u32) -> Process {
    let file = program.rsplit('/').next().unwrap_or(program);
    Process {
        pid: 0,
        tgid: 0,
        executable: program.contains('/').then(|| program.to_owned()),
        comm: file.to_owned(),
        uid,
        user: None,
        cgroup: 0,
        cgroup_path: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let text = "url = 'https://a.example:8443/p?q'\nmethod = 'PUT'\nheader = { x = ['1', '2'] }\nhttp2 = true\n\
                    address = '192.0.2.1'\nserver_name = 'b.example'\nprocess = '/usr/bin/curl'\nuser = 7\n";
        let asked: Asked = toml::from_str(text).unwrap();
        assert_eq!((asked.head.url().as_str(), asked.head.method.as_str()), ("https://a.example:8443/p?q", "PUT"));
        assert_eq!(asked.head.fields, [Field::new("x", "1"), Field::new("x", "2")]);
        assert_eq!(asked.connection().orig_dst.to_string(), "192.0.2.1:8443");
        assert_eq!(asked.connection().server_name, Some("b.example"));
        assert_eq!(asked.process.map(|process| (process.label(), process.uid)), Some(("curl[0]".into(), 7)));
        let asked: Asked = toml::from_str("url = 'http://[2001:db8::1]'").unwrap();
        assert_eq!((asked.head.path.as_str(), asked.address.to_string().as_str()), ("/", "[2001:db8::1]:80"));
        assert!(asked.process.is_none());
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (text, expect) in [
            ("url = 'a.example'", "`a.example` is no whole URL"),
            ("url = '/p'", "`/p` is no whole URL"),
            ("url = 'https://a'\nmethod = 'A B'", "`A B` is no method"),
            ("url = 'https://a'\naddress = 'b'", "`b` is no address"),
            ("method = 'GET'", "missing field `url`"),
        ] {
            let error = toml::from_str::<Asked>(text).unwrap_err();
            assert!(error.message().starts_with(expect), "{error}");
        }
    }
}
