//! Addresses that are never dialled on a child's behalf: the worker dials from the host, and the child must not reach
//! the host or its infrastructure through it. Which addresses are the host's own it cannot know; its caller adds them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const METADATA4: [Ipv4Addr; 2] = [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(100, 100, 100, 200)];
const METADATA6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The IPv4 networks among them, for the kernel to refuse at once.
pub const REFUSED_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (METADATA4[1], 32),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::BROADCAST, 32),
];

/// The IPv6 networks among them, for the kernel to refuse at once. Forms that embed an IPv4 address are left to
/// [`forbidden`].
pub const REFUSED_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    (METADATA6, 128),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// Why `ip` is never dialled, or `None` if it may be. An IPv6 address that embeds an IPv4 one is as forbidden as that:
/// mapped (RFC 4291 section 2.5.5), translated (RFC 2765 section 2.1), 6to4 (RFC 3056), NAT64 (RFC 6052, and RFC 8215 as
/// far as the address is at the end).
#[must_use]
pub fn forbidden(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) => forbidden4(v4),
        IpAddr::V6(v6) => forbidden6(v6).or_else(|| embedded(v6).and_then(forbidden4)),
    }
}

fn forbidden4(ip: Ipv4Addr) -> Option<&'static str> {
    match ip {
        _ if METADATA4.contains(&ip) => Some("metadata"),
        _ if ip.is_loopback() => Some("loopback"),
        STAND_IN => Some("stand-in"),
        // All of 0.0.0.0/8: Linux dials the host itself for the first, and the rest is "this network" (RFC 1122).
        _ if ip.octets()[0] == 0 => Some("unspecified"),
        _ if ip.is_link_local() => Some("link-local"),
        _ if ip.is_multicast() => Some("multicast"),
        _ if ip.is_broadcast() => Some("broadcast"),
        _ => None,
    }
}

fn forbidden6(ip: Ipv6Addr) -> Option<&'static str> {
    match ip {
        METADATA6 => Some("metadata"),
        _ if ip.is_loopback() => Some("loopback"),
        _ if ip.is_unspecified() => Some("unspecified"),
        _ if ip.is_unicast_link_local() => Some("link-local"),
        _ if ip.is_multicast() => Some("multicast"),
        _ => None,
    }
}

/// The address that DNS gives for names that nothing may go to: one of a network for benchmarks (RFC 2544), where nobody
/// is.
pub const STAND_IN: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// The IPv4 address that an IPv6 one embeds, in one of the forms that [`forbidden`] names.
#[must_use]
pub fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let word = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => Some(word(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(word(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(word(high, low)),
        [0x2002, high, low, ..] => Some(word(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_forbidden_here_as_well() {
        for (ip, _) in REFUSED_V4 {
            assert!(forbidden((*ip).into()).is_some(), "{ip}");
        }
        for (ip, _) in REFUSED_V6 {
            assert!(forbidden((*ip).into()).is_some(), "{ip}");
        }
    }

    #[test]
    fn the_host_and_its_infrastructure_are_never_dialled() {
        let table = [
            ("127.0.0.1", Some("loopback")),
            ("127.255.0.9", Some("loopback")),
            ("0.0.0.0", Some("unspecified")),
            ("0.1.2.3", Some("unspecified")),
            ("169.254.1.1", Some("link-local")),
            ("169.254.169.254", Some("metadata")),
            ("100.100.100.200", Some("metadata")),
            ("224.0.0.1", Some("multicast")),
            ("255.255.255.255", Some("broadcast")),
            ("192.0.2.1", None),
            ("10.1.2.3", None),
            ("192.168.1.1", None),
            ("100.100.100.201", None),
            ("::1", Some("loopback")),
            ("::", Some("unspecified")),
            ("fe80::1", Some("link-local")),
            ("febf::1", Some("link-local")),
            ("ff02::1", Some("multicast")),
            ("fd00:ec2::254", Some("metadata")),
            ("2001:db8::1", None),
            ("fd00::1", None),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::127.0.0.1", Some("loopback")),
            ("::ffff:169.254.169.254", Some("metadata")),
            ("::ffff:192.0.2.1", None),
            ("64:ff9b::127.0.0.1", Some("loopback")),
            ("64:ff9b::169.254.169.254", Some("metadata")),
            ("64:ff9b::192.0.2.1", None),
            ("64:ff9b:1::127.0.0.1", Some("loopback")),
            ("64:ff9b:1:2:3:4:a9fe:a9fe", Some("metadata")),
            ("64:ff9b:1::192.0.2.1", None),
            ("::ffff:0:127.0.0.1", Some("loopback")),
            ("::ffff:0:192.0.2.1", None),
            ("2002:7f00:1::", Some("loopback")),
            ("2002:a9fe:a9fe::1", Some("metadata")),
            ("2002:c000:201::", None),
        ];
        for (ip, expected) in table {
            assert_eq!(forbidden(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
