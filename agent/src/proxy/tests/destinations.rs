//! Which addresses are never dialled because they are the host's.

use std::net::IpAddr;

use crate::proxy::Destinations;

struct Host;

impl Destinations for Host {
    fn is_host_local(&self, ip: IpAddr) -> bool {
        ip == IpAddr::from([192, 0, 2, 1])
    }
}

#[test]
fn an_address_of_the_host_is_not_dialled_in_whatever_form() {
    for (ip, expected) in [
        ("192.0.2.1", Some("host-local")),
        ("::ffff:192.0.2.1", Some("host-local")),
        ("64:ff9b::192.0.2.1", Some("host-local")),
        ("64:ff9b:1::192.0.2.1", Some("host-local")),
        ("2002:c000:201::1", Some("host-local")),
        ("64:ff9b::192.0.2.2", None),
        ("2001:db8::c000:201", None),
    ] {
        assert_eq!(Host.forbidden(ip.parse().unwrap()), expected, "{ip}");
    }
}
