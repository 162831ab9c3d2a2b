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

#[test]
fn a_hostile_host_does_not_keep_a_session_from_working() {
    let lab = Lab::new();
    for (key, value) in [
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/default/rp_filter", "1"),
        ("net/ipv4/conf/all/src_valid_mark", "1"),
        ("net/ipv4/conf/default/src_valid_mark", "1"),
        ("net/ipv4/conf/all/arp_ignore", "2"),
        ("net/ipv4/conf/default/arp_ignore", "2"),
        ("net/ipv4/conf/default/accept_local", "0"),
        ("net/ipv4/conf/default/forwarding", "1"),
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/disable_ipv6", "1"),
        ("net/ipv6/conf/default/disable_ipv6", "1"),
    ] {
        lab.host.sysctl(key, value);
    }
    // Only what the host itself asked for comes in; nothing is forwarded.
    let rules = "add table inet wall; \
        add chain inet wall input { type filter hook input priority 0; policy drop; }; \
        add rule inet wall input ct state established accept; \
        add chain inet wall forward { type filter hook forward priority 0; policy drop; }";
    tests::process::run(lab.host.command("nft").arg(rules)).ok();
    let before = HostState::of(&lab.host);
    let session = lab.agent().up();
    for url in ["https://origin.test/hello", "http://origin.test/hello"] {
        assert_eq!(session.exec(&["curl", "-sS", url]).ok(), "hello from origin.test\n", "{url}");
    }
    before.assert_same(&HostState::of(&lab.host));
    session.down();
    before.assert_same(&HostState::of(&lab.host));
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
