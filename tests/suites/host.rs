//! The host's network is the same before, during and after, and however it is set up, sessions work on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{HostState, Lab};

#[test]
fn the_host_is_the_same_before_during_and_after() {
    let lab = Lab::new();
    let before = HostState::of(&lab.host);
    let session = lab.agent().up();
    session.exec(&["curl", "-sS", "https://origin.test/hello", "http://[2001:db8:1::10]/hello"]).ok();
    before.assert_same(&HostState::of(&lab.host));
    session.down();
    before.assert_same(&HostState::of(&lab.host));
}

/// What a host may have: sysctls below `net/`, links and addresses, and rules of nftables.
struct Hostile {
    what: &'static str,
    sysctls: &'static [(&'static str, &'static str)],
    ip: &'static [&'static str],
    nft: &'static str,
}

impl Hostile {
    const fn sysctls(what: &'static str, sysctls: &'static [(&'static str, &'static str)]) -> Self {
        Self { what, sysctls, ip: &[], nft: "" }
    }

    const fn nft(what: &'static str, nft: &'static str) -> Self {
        Self { what, sysctls: &[], ip: &[], nft }
    }
}

const HOSTILE: [Hostile; 13] = [
    Hostile::sysctls("nothing", &[]),
    Hostile::nft(
        "only what the host asked for comes in",
        "chain input { type filter hook input priority 0; policy drop; ct state established accept; }",
    ),
    Hostile::nft("nothing is forwarded", "chain forward { type filter hook forward priority 0; policy drop; }"),
    Hostile::nft(
        "only the worker's user may send",
        "chain output { type filter hook output priority 0; policy drop; meta skuid 65534 accept; }",
    ),
    Hostile::sysctls("rp_filter strict", &[("ipv4/conf/all/rp_filter", "1"), ("ipv4/conf/default/rp_filter", "1")]),
    Hostile::sysctls("rp_filter loose", &[("ipv4/conf/all/rp_filter", "2"), ("ipv4/conf/default/rp_filter", "2")]),
    Hostile::sysctls(
        "src_valid_mark",
        &[("ipv4/conf/all/src_valid_mark", "1"), ("ipv4/conf/default/src_valid_mark", "1")],
    ),
    Hostile::sysctls("arp_ignore", &[("ipv4/conf/all/arp_ignore", "2"), ("ipv4/conf/default/arp_ignore", "2")]),
    Hostile::sysctls("ip_forward", &[("ipv4/ip_forward", "1"), ("ipv4/conf/default/forwarding", "1")]),
    Hostile::sysctls("no ip_forward", &[("ipv4/ip_forward", "0"), ("ipv4/conf/default/forwarding", "0")]),
    Hostile::sysctls("no source of the host's own", &[("ipv4/conf/default/accept_local", "0")]),
    Hostile::sysctls("no IPv6", &[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")]),
    Hostile {
        what: "a bridge of containers that has the session's addresses",
        sysctls: &[("ipv4/ip_forward", "1")],
        ip: &[
            "link add docker0 type bridge",
            "addr add 10.200.0.1/16 dev docker0",
            "link add veth0 type veth peer name veth1",
            "link set veth0 master docker0",
            "link set veth0 up",
            "link set veth1 up",
            "link set docker0 up",
            "route add 10.200.1.0/24 dev docker0",
        ],
        nft: "chain postrouting { type nat hook postrouting priority srcnat; \
                ip saddr 10.200.0.0/16 oifname != \"docker0\" masquerade; }
              chain prerouting { type nat hook prerouting priority dstnat; \
                fib daddr type local tcp dport 443 redirect to :8443; }
              chain forward { type filter hook forward priority 0; policy drop; }",
    },
];

/// What a command in the session sees: all that differs is the time.
const SEEN: &str = "for url in https://origin.test/hello http://origin.test/hello; do \
    curl -sSv --no-progress-meter -w '%{http_code} %{http_version} %{ssl_verify_result} %{remote_ip}\\n' $url 2>/dev/null; \
    done; getent ahosts other.test; ip -o addr show dev eth0 scope global | tr -s ' '";

#[test]
fn on_a_hostile_host_a_session_is_as_on_any_other_and_changes_nothing() {
    let mut expect = None;
    for hostile in HOSTILE {
        let lab = Lab::new();
        lab.host.ip(hostile.ip);
        for (key, value) in hostile.sysctls {
            lab.host.sysctl(&format!("net/{key}"), value);
        }
        let rules = format!("table inet wall {{\n{}\n}}\n", hostile.nft);
        let rules = lab.scratch.write("rules.nft", rules);
        tests::process::run(lab.host.command("nft").args(["-f", &rules])).ok();
        let before = HostState::of(&lab.host);
        let session = lab.agent().up();
        let seen = session.shell(SEEN).ok().to_owned();
        assert!(seen.contains("hello from origin.test"), "{}: {seen}", hostile.what);
        assert_eq!(&seen, expect.get_or_insert_with(|| seen.clone()), "{}", hostile.what);
        before.assert_same(&HostState::of(&lab.host));
        session.down();
        before.assert_same(&HostState::of(&lab.host));
    }
}

#[test]
fn a_host_that_uses_the_sessions_addresses_does_not_collide() {
    let lab = Lab::new();
    lab.host.ip(&["addr add 10.200.1.1/24 dev wire0", "addr add 10.200.1.2/24 dev lo"]);
    let output = lab.agent().run(&["curl", "-sS", "https://origin.test/hello"]);
    assert_eq!(output.ok(), "hello from origin.test\n");
}

#[test]
fn two_sessions_at_once_do_not_see_each_other() {
    let lab = Lab::new();
    let (one, two) = (lab.agent().up(), lab.agent().up());
    for session in [&one, &two] {
        assert_eq!(session.exec(&["curl", "-sS", "https://origin.test/hello"]).ok(), "hello from origin.test\n");
        assert_eq!(session.stats()["opened"], 1);
    }
    one.down();
    // Nor does the end of one disturb the other.
    assert_eq!(two.exec(&["curl", "-sS", "https://other.test/hello"]).ok(), "hello from other.test\n");
    two.down();
}
