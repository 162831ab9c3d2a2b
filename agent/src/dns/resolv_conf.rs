//! The resolvers that a `resolv.conf` names. Reads no file; search lists and options are the child's own business.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

const PORT: u16 = 53;

/// The addresses of the `nameserver` lines of a `resolv.conf`, in order. A zone that is no number is looked up with
/// the kernel; lines that cannot be understood are left out, as resolvers do.
#[must_use]
pub fn host_resolvers(resolv_conf: &str) -> Vec<SocketAddr> {
    resolv_conf.lines().filter_map(resolver).collect()
}

fn resolver(line: &str) -> Option<SocketAddr> {
    let mut words = line.split_whitespace();
    let address = words.next().filter(|keyword| *keyword == "nameserver").and_then(|_| words.next())?;
    match address.split_once('%') {
        None => address.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT)),
        Some((ip, zone)) => Some(SocketAddrV6::new(ip.parse::<Ipv6Addr>().ok()?, PORT, 0, scope(zone)?).into()),
    }
}

fn scope(zone: &str) -> Option<u32> {
    zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nameserver_lines_become_addresses() {
        for (text, expect) in [
            ("nameserver 192.0.2.1\nnameserver 2001:db8::1 # b\n", &["192.0.2.1:53", "[2001:db8::1]:53"][..]),
            ("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nsearch nameserver\n", &[]),
            ("  nameserver\t192.0.2.1\r\nnameserver\nnameserver x\n", &["192.0.2.1:53"]),
            (
                "nameserver fe80::1%3\nnameserver fe80::1%lo\nnameserver fe80::1%none-such\n",
                &["[fe80::1%3]:53", "[fe80::1%1]:53"],
            ),
            ("nameserver 192.0.2.1%3\n", &[]),
        ] {
            let found: Vec<String> = host_resolvers(text).iter().map(ToString::to_string).collect();
            assert_eq!(found, expect, "{text:?}");
        }
    }
}
