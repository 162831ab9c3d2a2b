//! What happens to a packet that the child sent. One pure function, run by `client_in` in the kernel and by tests.

use crate::maps::{Address, Config, FlowKey, IPV4, PortAction, Reason, UDP, Verdict};
use crate::packet::{ACK, Direction, Headers, Packet, SYN, parse};

/// What the policy maps say.
pub trait Policy {
    /// The entry of `PORT_POLICY`.
    fn port(&self, port: u16) -> PortAction;
    /// Whether `CIDR4` or `CIDR6` refuses this address.
    fn refuses_network(&self, family: u8, dst: &Address) -> bool;
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The child opens a TCP connection: record the flow with its verdict and let it in.
    Open(Verdict),
    /// A later packet of a TCP connection: count it and let it in. If the flow is unknown, the gateway has no socket
    /// for it and answers with RST.
    Continue,
    /// A DNS query over UDP.
    Dns,
    /// Refuse it, but let it in: the gateway has no socket for it and answers with RST or port unreachable, so that
    /// the program falls back at once.
    Answer(Reason),
    /// Refuse it in silence.
    Drop(Reason),
}

/// Refuses what plain TCP or UDP could be: with an answer, unless the session gives none.
#[inline(always)]
#[must_use]
pub const fn refuse(config: &Config, reason: Reason) -> Action {
    if config.silent == 0 { Action::Answer(reason) } else { Action::Drop(reason) }
}

/// Decides about one frame that arrived from the child, and leaves what it read in `headers`.
#[inline(always)]
pub fn decide(packet: &impl Packet, config: &Config, policy: &impl Policy, headers: &mut Headers) -> Action {
    if let Err(reason) = parse(packet, Direction::Out, headers) {
        return Action::Drop(reason);
    }
    if !comes_from_child(headers, config) {
        return Action::Drop(Reason::Spoofed);
    }
    let key = &headers.key;
    match (key.protocol, key.dst_port) {
        (UDP, 53) => Action::Dns,
        (UDP, _) => refuse(config, Reason::Udp),
        _ if headers.flags & (SYN | ACK) != SYN => Action::Continue,
        _ => verdict(key, config, policy),
    }
}

#[inline(always)]
fn comes_from_child(headers: &Headers, config: &Config) -> bool {
    let child = if headers.key.family == IPV4 { &config.child4 } else { &config.child6 };
    headers.src_mac == config.child_mac && headers.key.child == *child
}

/// What a new TCP connection gets. DNS comes first: port 53 of any address is the forwarder's.
#[inline(always)]
fn verdict(key: &FlowKey, config: &Config, policy: &impl Policy) -> Action {
    if key.dst_port == 53 {
        return Action::Open(Verdict::Dns);
    }
    let gateway = if key.family == IPV4 { &config.gateway4 } else { &config.gateway6 };
    if key.dst == *gateway {
        return refuse(config, Reason::Gateway);
    }
    if policy.refuses_network(key.family, &key.dst) {
        return refuse(config, Reason::Network);
    }
    let action = match policy.port(key.dst_port) {
        PortAction::Default => PortAction::from_u8(config.default_port),
        action => action,
    };
    match action {
        PortAction::Intercept => Action::Open(Verdict::Intercept),
        PortAction::Relay => Action::Open(Verdict::Relay),
        PortAction::Default | PortAction::Refuse => refuse(config, Reason::Port),
    }
}
