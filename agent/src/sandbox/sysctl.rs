//! Settings of the two namespaces, every one explicit: a new namespace inherits the host's IPv4 settings, and what a VPN
//! or a hardened host sets there would break it.

use std::fs;
use std::io;
use std::path::Path;

use super::Error;

/// Whole-namespace settings of the gateway. AnyIP makes every address local there; nothing is ever forwarded.
const GATEWAY: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/tcp_syncookies", "1"),
    // No server-side TCP fast open: a connection is accepted only after `steer` saw its SYN recorded.
    ("net/ipv4/tcp_fastopen", "1"),
    // The child's programs must learn of every refusal, not of the first few each second.
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv6/icmp/ratelimit", "0"),
    ("net/core/somaxconn", "4096"),
    // Replies of the DNS forwarder leave from whatever address was asked.
    ("net/ipv6/ip_nonlocal_bind", "1"),
];

/// Per-device settings of the gateway, written to `all` and `default` before the device exists.
const GATEWAY_V4: &[(&str, &str)] = &[
    ("rp_filter", "1"),
    ("accept_local", "0"),
    ("route_localnet", "0"),
    ("src_valid_mark", "0"),
    ("arp_ignore", "0"),
    ("arp_filter", "0"),
    ("accept_redirects", "0"),
    ("send_redirects", "0"),
    ("accept_source_route", "0"),
    ("log_martians", "0"),
    ("disable_policy", "0"),
    ("disable_xfrm", "0"),
];

const GATEWAY_V6: &[(&str, &str)] = &[
    ("forwarding", "0"),
    ("accept_ra", "0"),
    ("autoconf", "0"),
    ("accept_dad", "0"),
    ("accept_redirects", "0"),
    // No link-local address of its own making: nothing is sent that was not asked for.
    ("addr_gen_mode", "1"),
    ("disable_ipv6", "0"),
];

/// Per-device settings of the client namespace. The host's own choice of `rp_filter` would hold there too.
const CLIENT_V4: &[(&str, &str)] =
    &[("rp_filter", "0"), ("arp_ignore", "0"), ("arp_filter", "0"), ("src_valid_mark", "0")];

const CLIENT_V6: &[(&str, &str)] = &[
    ("accept_ra", "0"),
    ("autoconf", "0"),
    ("accept_dad", "0"),
    ("addr_gen_mode", "1"),
    ("router_solicitations", "0"),
    ("disable_ipv6", "0"),
];

/// Sets up the calling thread's namespace as the gateway.
///
/// # Errors
/// If a setting that exists cannot be written.
pub fn gateway() -> Result<(), Error> {
    for (name, value) in GATEWAY {
        write(name, value)?;
    }
    devices(GATEWAY_V4, GATEWAY_V6)
}

/// Sets up the calling thread's namespace as the client's.
///
/// # Errors
/// If a setting that exists cannot be written.
pub fn client() -> Result<(), Error> {
    // Programs in the namespace may ping and may bind any port, as on a desktop.
    write("net/ipv4/ping_group_range", "0 2147483647")?;
    devices(CLIENT_V4, CLIENT_V6)
}

fn devices(v4: &[(&str, &str)], v6: &[(&str, &str)]) -> Result<(), Error> {
    for device in ["all", "default"] {
        for (name, value) in v4 {
            write(&format!("net/ipv4/conf/{device}/{name}"), value)?;
        }
        for (name, value) in v6 {
            write(&format!("net/ipv6/conf/{device}/{name}"), value)?;
        }
    }
    Ok(())
}

/// `/proc/sys/net` shows the calling thread's namespace. A setting that this kernel does not have needs no value.
fn write(name: &str, value: &str) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(name);
    match fs::write(&path, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::file("write", &path)),
    }
}
