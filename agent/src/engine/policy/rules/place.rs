//! Where something goes: hosts, ports and networks as rules write them.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::pattern::{self, TextPattern};
use crate::engine::policy::host::{self, HostPattern};

/// Hosts: one by name or address, all below a domain, or after `~` those that an expression fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Hosts {
    /// One, or all below a domain.
    Named(HostPattern),
    /// Those that fit.
    Fitting(TextPattern),
}

/// TCP ports: one, or a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Ports(RangeInclusive<u16>);

/// A network in CIDR notation (RFC 4632, RFC 4291 section 2.3), or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// Why a text names no place.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// It names no host.
    #[error(transparent)]
    Host(#[from] host::Invalid),
    /// It is no expression.
    #[error(transparent)]
    Pattern(#[from] pattern::Invalid),
    /// It names no ports.
    #[error("`{0}` names no port: write 443, or \"8000-8999\" for a range")]
    Ports(String),
    /// It names no network.
    #[error("`{0}` names no network: write `192.0.2.0/24`, `2001:db8::/32`, or an address")]
    Network(String),
    /// It names a host in a network.
    #[error("`{0}` has bits set behind its prefix: write `{1}`")]
    HostBits(String, Network),
}

impl Hosts {
    /// Whether `host`, in lower case and without a final dot, is one of them.
    #[must_use]
    pub fn contain(&self, host: &str) -> bool {
        match self {
            Self::Named(pattern) => pattern.matches(host),
            Self::Fitting(pattern) => pattern.matches(host.as_bytes()),
        }
    }
}

impl FromStr for Hosts {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(if text.starts_with('~') { Self::Fitting(text.parse()?) } else { Self::Named(text.parse()?) })
    }
}

impl TryFrom<String> for Hosts {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Hosts> for String {
    fn from(hosts: Hosts) -> Self {
        hosts.to_string()
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(pattern) => pattern.fmt(f),
            Self::Fitting(pattern) => pattern.fmt(f),
        }
    }
}

/// A port as a number, ports as text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write 443, or \"8000-8999\" for a range")]
enum Written {
    Number(u64),
    Text(String),
}

impl Ports {
    /// Whether `port` is one of them.
    #[must_use]
    pub fn contain(&self, port: u16) -> bool {
        self.0.contains(&port)
    }

    /// From the first to the last.
    #[must_use]
    pub const fn range(&self) -> &RangeInclusive<u16> {
        &self.0
    }
}

impl FromStr for Ports {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse().ok().filter(|port| *port != 0);
        let range = port(first).zip(port(last)).filter(|(first, last)| first <= last);
        range.map(|(first, last)| Self(first..=last)).ok_or_else(|| Invalid::Ports(text.to_owned()))
    }
}

impl TryFrom<Written> for Ports {
    type Error = Invalid;

    fn try_from(written: Written) -> Result<Self, Invalid> {
        match written {
            Written::Number(port) => port.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        ports.to_string()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => first.fmt(f),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl Network {
    /// Whether `address` is in it. An IPv4 address written as IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.holds(address.to_canonical())
    }

    /// Whether `address`, as it is written, is in it: what the kernel asks.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.length) == self.address
    }

    /// Its first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits of an address say that it is in it.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }
}

/// `address` with all bits behind the first `length` zero.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - length).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - length).unwrap_or(0)).into()),
    }
}

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let none = || Invalid::Network(text.to_owned());
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_invalid| none())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().ok().filter(|length| *length <= bits).ok_or_else(none)?,
            None => bits,
        };
        let network = Self { address: masked(address, length), length };
        if network.address == address { Ok(network) } else { Err(Invalid::HostBits(text.to_owned(), network)) }
    }
}

impl TryFrom<String> for Network {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_one_those_below_a_domain_or_those_that_fit() {
        for (hosts, host, expect) in [
            ("a.example", "a.example", true),
            ("*.example", "a.example", true),
            ("*.example", "example", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("~^api[0-9]+[.]example$", "api7.example", true),
            ("~^api[0-9]+[.]example$", "api.example", false),
        ] {
            assert_eq!(hosts.parse::<Hosts>().unwrap().contain(host), expect, "{hosts} {host}");
        }
        assert!("a b".parse::<Hosts>().is_err() && "~(".parse::<Hosts>().is_err());
    }

    #[test]
    fn ports_are_one_or_a_range() {
        for (ports, port, expect) in
            [("443", 443, true), ("443", 444, false), ("8000-8999", 8999, true), ("1 - 2", 3, false)]
        {
            assert_eq!(ports.parse::<Ports>().unwrap().contain(port), expect, "{ports} {port}");
        }
        for text in ["", "0", "65536", "2-1", "-1", "a", "1-", "1-2-3"] {
            assert_eq!(text.parse::<Ports>(), Err(Invalid::Ports(text.to_owned())));
        }
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        for (network, address, expect) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("192.0.2.0/24", "2001:db8::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("::/0", "198.51.100.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/33", "2001:db8:ffff::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expect, "{network} {address}");
        }
        for text in ["", "192.0.2.0/33", "192.0.2/24", "192.0.2.0/", "2001:db8::/129", "host"] {
            assert_eq!(text.parse::<Network>(), Err(Invalid::Network(text.to_owned())));
        }
        let error = "192.0.2.1/24".parse::<Network>().unwrap_err().to_string();
        assert_eq!(error, "`192.0.2.1/24` has bits set behind its prefix: write `192.0.2.0/24`");
    }
}
