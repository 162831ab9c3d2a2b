//! Another upstream in the place of the one that a request was to go to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::{Deserialize, Serialize};

/// Where a request goes instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The other upstream.
    pub to: Upstream,
    /// Whether the request goes on naming the host that it was for.
    #[serde(default)]
    pub keep_host: bool,
    /// Where the upstream is; what its name is resolved to when the file is read, if nothing is said.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

impl Redirect {
    /// Where it may be dialled, best first.
    pub fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|address| SocketAddr::new(*address, self.to.port()))
    }
}

/// A server as a URL of its scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upstream {
    secure: bool,
    authority: Authority,
}

/// The text names no server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no upstream: write one as `https://host` or `http://127.0.0.1:8080`; paths are changed by `request.path`"
)]
pub struct NoUpstream(String);

impl Upstream {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Its name or address, that of IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(default_port(self.secure))
    }

    /// What requests to it have before `://`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        if self.secure { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// How requests name it: without its port, if that is its scheme's (RFC 9110 section 4.2.3).
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl FromStr for Upstream {
    type Err = NoUpstream;

    fn from_str(text: &str) -> Result<Self, NoUpstream> {
        let wrong = || NoUpstream(text.to_owned());
        let uri: Uri = text.parse().map_err(|_invalid| wrong())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let has_path = uri.path() != "/" || uri.query().is_some() || text.contains('#');
        let authority = uri.authority().filter(|authority| !has_path && !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(wrong)?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => default_port(secure),
            port => {
                let port = port.and_then(|port| port.strip_prefix(':')?.parse().ok());
                port.filter(|port| *port > 0).ok_or_else(wrong)?
            }
        };
        let host = authority.host().to_ascii_lowercase();
        let named = if port == default_port(secure) { host } else { format!("{host}:{port}") };
        Ok(Self { secure, authority: named.parse().map_err(|_invalid| wrong())? })
    }
}

impl TryFrom<String> for Upstream {
    type Error = NoUpstream;

    fn try_from(text: String) -> Result<Self, NoUpstream> {
        text.parse()
    }
}

impl From<Upstream> for String {
    fn from(upstream: Upstream) -> Self {
        upstream.to_string()
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_scheme_a_host_and_a_port() {
        for (text, host, port, authority) in [
            ("https://Staging.example", "staging.example", 443, "staging.example"),
            ("https://staging.example:443/", "staging.example", 443, "staging.example"),
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
            ("http://[2001:db8::1]", "2001:db8::1", 80, "[2001:db8::1]"),
            ("https://[2001:db8::1]:80", "2001:db8::1", 80, "[2001:db8::1]:80"),
        ] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(
                (upstream.host(), upstream.port(), upstream.authority().as_str()),
                (host, port, authority),
                "{text}"
            );
            assert_eq!(upstream.is_secure(), text.starts_with("https:"));
            assert_eq!(upstream.to_string().parse(), Ok(upstream));
        }
    }

    #[test]
    fn what_names_more_or_less_than_a_server_is_no_upstream() {
        for text in [
            "",
            "staging.example",
            "staging.example:443",
            "ftp://staging.example",
            "https://",
            "https://user@staging.example",
            "https://staging.example/v1",
            "https://staging.example?v=1",
            "https://staging.example#v1",
            "https://staging.example:0",
            "https://staging.example:",
            "https://staging.example:65536",
            "https://a b",
        ] {
            assert_eq!(text.parse::<Upstream>(), Err(NoUpstream(text.into())));
        }
    }
}
