//! What `PORT_POLICY`, `CIDR4` and `CIDR6` say in the kernel, for those who ask about a packet elsewhere. The supervisor
//! fills the maps from the same tables.

use std::net::{Ipv4Addr, Ipv6Addr};

use agent_common::decide;
use agent_common::maps::{Address, IPV4, PortAction};

use super::READ_PORTS;
use super::destination::{REFUSED_V4, REFUSED_V6};

/// The rules of every session.
pub struct Rules;

impl decide::Policy for Rules {
    fn port(&self, port: u16) -> PortAction {
        if READ_PORTS.contains(&port) { PortAction::Intercept } else { PortAction::Default }
    }

    fn refuses_network(&self, family: u8, dst: &Address) -> bool {
        let [a, b, c, d] = dst.map(u32::from_be);
        if family == IPV4 {
            let has = |(network, prefix): &(Ipv4Addr, u8)| (network.to_bits() ^ d).leading_zeros() >= (*prefix).into();
            return REFUSED_V4.iter().any(has);
        }
        let dst = [a, b, c, d].into_iter().fold(0_u128, |bits, word| bits << 32 | u128::from(word));
        let has = |(network, prefix): &(Ipv6Addr, u8)| (network.to_bits() ^ dst).leading_zeros() >= (*prefix).into();
        REFUSED_V6.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use agent_common::decide::Policy as _;
    use agent_common::maps::{IPV4, IPV6, PortAction, address};

    use super::Rules;

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
            assert_eq!(Rules.refuses_network(family, &address(ip)), refused, "{ip}");
        }
        // A mapped address in an IPv6 packet is an IPv6 address.
        assert!(!Rules.refuses_network(IPV6, &address("127.0.0.1".parse().unwrap())));
    }

    #[test]
    fn the_ports_that_are_read_are_intercepted() {
        assert_eq!(
            [80, 443, 8080].map(|port| Rules.port(port)),
            [PortAction::Intercept, PortAction::Intercept, PortAction::Default]
        );
    }
}
