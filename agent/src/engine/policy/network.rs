//! What the file says of TCP below HTTP, as the kernel is told it: networks that nothing may go to, and what is done with
//! single ports.

use std::collections::BTreeMap;

use agent_common::maps::PortAction;
use serde::{Deserialize, Serialize};

use super::READ_PORTS;
use super::rules::place::{Network, Ports};

/// Most networks that can be refused.
pub const MAX_NETWORKS: usize = 512;

/// `[network]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRules {
    /// Networks that no connection may go to.
    #[serde(default)]
    pub refuse: Vec<Network>,
    /// What becomes of connections to a port, or to a range of ports.
    #[serde(default)]
    pub ports: BTreeMap<String, Treatment>,
}

/// What becomes of connections to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// They are read, and rules decide about what is in them.
    Intercept,
    /// They are forwarded unread.
    Relay,
    /// They are refused.
    Refuse,
}

/// Why the table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// A key names no ports.
    #[error("`{0}` names no port: write 8443, or \"8000-8999\" for a range")]
    Ports(String),
    /// DNS is the agent's own.
    #[error("port 53 is that of DNS, which the session answers itself: leave it out of `{0}`")]
    Dns(String),
    /// Two keys name the same port.
    #[error("port {0} has two meanings: name it once")]
    Twice(u16),
    /// There are too many networks.
    #[error("{0} networks, where at most {MAX_NETWORKS} can be refused")]
    TooMany(usize),
}

impl Treatment {
    const fn action(self) -> PortAction {
        match self {
            Self::Intercept => PortAction::Intercept,
            Self::Relay => PortAction::Relay,
            Self::Refuse => PortAction::Refuse,
        }
    }
}

impl NetworkRules {
    /// Whether it can be used.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut seen: BTreeMap<u16, ()> = BTreeMap::new();
        for key in self.ports.keys() {
            let ports: Ports = key.parse().map_err(|_invalid| Invalid::Ports(key.clone()))?;
            if ports.contain(53) {
                return Err(Invalid::Dns(key.clone()));
            }
            for port in ports.range().clone() {
                if seen.insert(port, ()).is_some() {
                    return Err(Invalid::Twice(port));
                }
            }
        }
        if self.refuse.len() > MAX_NETWORKS { Err(Invalid::TooMany(self.refuse.len())) } else { Ok(()) }
    }

    /// What becomes of connections to `port`.
    #[must_use]
    pub fn port(&self, port: u16) -> PortAction {
        let said = self.ports.iter().find(|(ports, _)| ports.parse::<Ports>().is_ok_and(|ports| ports.contain(port)));
        match said {
            Some((_, treatment)) => treatment.action(),
            None if READ_PORTS.contains(&port) => PortAction::Intercept,
            None => PortAction::Default,
        }
    }

    /// All ports that are not left to the mode.
    #[must_use]
    pub fn all_ports(&self) -> BTreeMap<u16, PortAction> {
        let mut all: BTreeMap<u16, PortAction> = READ_PORTS.iter().map(|port| (*port, PortAction::Intercept)).collect();
        for (ports, treatment) in &self.ports {
            let range = ports.parse::<Ports>().map(|ports| ports.range().clone());
            all.extend(range.into_iter().flatten().map(|port| (port, treatment.action())));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> NetworkRules {
        toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn each_port_is_treated_as_the_table_says() {
        let rules = parse("ports = { 8443 = 'intercept', '5000-5001' = 'relay', 80 = 'refuse' }");
        rules.check().unwrap();
        for (port, expect) in [
            (8443, PortAction::Intercept),
            (5000, PortAction::Relay),
            (5001, PortAction::Relay),
            (5002, PortAction::Default),
            (80, PortAction::Refuse),
            (443, PortAction::Intercept),
        ] {
            assert_eq!(rules.port(port), expect, "{port}");
            assert_eq!(rules.all_ports().get(&port).copied().unwrap_or(PortAction::Default), expect, "{port}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (text, expect) in [
            ("ports = { http = 'relay' }", "`http` names no port"),
            ("ports = { '50-60' = 'relay' }", "port 53 is that of DNS"),
            ("ports = { 90 = 'relay', '80-100' = 'refuse' }", "port 90 has two meanings"),
        ] {
            assert!(parse(text).check().unwrap_err().to_string().starts_with(expect), "{text}");
        }
        let many: Vec<String> = (0..=MAX_NETWORKS).map(|n| format!("'10.{}.{}.0/24'", n / 256, n % 256)).collect();
        assert!(parse(&format!("refuse = [{}]", many.join(","))).check().is_err());
    }
}
