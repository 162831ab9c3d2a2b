//! What `PORT_POLICY`, `CIDR4` and `CIDR6` say in the kernel, for those who ask about a packet elsewhere. The supervisor
//! fills the maps from the same tables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_common::decide;
use agent_common::maps::{Address, IPV4, PortAction};

use super::destination::{REFUSED_V4, REFUSED_V6};
use super::network::NetworkRules;

/// The rules of every session, and those of one.
pub struct Rules<'a>(pub &'a NetworkRules);

impl decide::Policy for Rules<'_> {
    fn port(&self, port: u16) -> PortAction {
        self.0.port(port)
    }

    fn refuses_network(&self, family: u8, dst: &Address) -> bool {
        let [a, b, c, d] = dst.map(u32::from_be);
        let bits = [a, b, c, d].into_iter().fold(0_u128, |bits, word| bits << 32 | u128::from(word));
        let ip =
            if family == IPV4 { IpAddr::V4(Ipv4Addr::from_bits(d)) } else { IpAddr::V6(Ipv6Addr::from_bits(bits)) };
        let in_v4 = |(network, prefix): &(Ipv4Addr, u8)| (network.to_bits() ^ d).leading_zeros() >= (*prefix).into();
        let in_v6 = |(network, prefix): &(Ipv6Addr, u8)| (network.to_bits() ^ bits).leading_zeros() >= (*prefix).into();
        match ip {
            IpAddr::V4(_) if REFUSED_V4.iter().any(in_v4) => true,
            IpAddr::V6(_) if REFUSED_V6.iter().any(in_v6) => true,
            ip => self.0.refuse.iter().any(|network| network.holds(ip)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use agent_common::decide::Policy as _;
    use agent_common::maps::{IPV4, IPV6, PortAction, address};

    use super::Rules;
    use crate::engine::policy::network::NetworkRules;

    const NONE: Rules<'static> = Rules(&NetworkRules { refuse: Vec::new(), ports: std::collections::BTreeMap::new() });

    #[test]
    fn networks_are_refused_as_a_trie_of_prefixes_would() {
        for (ip, refused) in [
            ("0.1.2.3", true),
            ("1.0.0.0", false),
            ("127.255.0.1", true),
            ("169.254.169.254", true),
            ("169.255.0.0", false),
            ("100.100.100.200", true),
            ("100.100.100.201", false),
            ("239.255.255.255", true),
            ("240.0.0.1", false),
            ("255.255.255.255", true),
            ("::1", true),
            ("::2", false),
            ("febf::1", true),
            ("fec0::1", false),
            ("ff02::1", true),
            ("2001:db8::1", false),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            let family = if ip.is_ipv4() { IPV4 } else { IPV6 };
            assert_eq!(NONE.refuses_network(family, &address(ip)), refused, "{ip}");
        }
        // A mapped address in an IPv6 packet is an IPv6 address.
        assert!(!NONE.refuses_network(IPV6, &address("127.0.0.1".parse().unwrap())));
    }

    #[test]
    fn the_ports_that_are_read_are_intercepted() {
        assert_eq!(
            [80, 443, 8080].map(|port| NONE.port(port)),
            [PortAction::Intercept, PortAction::Intercept, PortAction::Default]
        );
    }
}
