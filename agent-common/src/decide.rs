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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::mapped_word;

    const CHILD: Address = mapped_word(u32::from_ne_bytes([10, 200, 1, 2]));
    const CONFIG: Config = Config { child4: CHILD, child6: [1, 2, 3, 4], child_mac: [2, 0, 2], ..Config::UNSET };

    struct Frame<'a>(&'a [u8]);

    impl Packet for Frame<'_> {
        fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
            let words = self.0.get(offset..offset + 2 * N)?.as_chunks().0;
            Some(core::array::from_fn(|at| u16::from_ne_bytes(words[at])))
        }

        fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
            let words = self.0.get(offset..offset + 4 * N)?.as_chunks().0;
            Some(core::array::from_fn(|at| u32::from_ne_bytes(words[at])))
        }

        fn has_vlan_tag(&self) -> bool {
            false
        }
    }

    struct Maps;

    impl Policy for Maps {
        fn port(&self, port: u16) -> PortAction {
            PortAction::from_u8((port & 3) as u8)
        }

        fn refuses_network(&self, _: u8, dst: &Address) -> bool {
            dst[3] & 1 == 1
        }
    }

    /// A SYN of the child's, over IPv4.
    fn syn() -> [u8; 54] {
        let mut frame = [0; 54];
        let [a, b, c] = CONFIG.child_mac.map(u16::to_ne_bytes);
        let parts: [(usize, &[u8]); 6] = [
            (6, &[a[0], a[1], b[0], b[1], c[0], c[1], 8, 0, 0x45]),
            (23, &[6]),
            (26, &[10, 200, 1, 2, 192, 0, 2, 1]),
            (34, &[0x10, 0, 0, 1]),
            (46, &[0x50, SYN]),
            (48, &[1, 0]),
        ];
        for (at, bytes) in parts {
            frame[at..at + bytes.len()].copy_from_slice(bytes);
        }
        frame
    }

    #[test]
    fn only_what_comes_from_the_child_is_let_in_to_stay() {
        let (mut state, mut let_in) = (1_u64, 0);
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        for _ in 0..100_000 {
            let mut frame = syn();
            for _ in 0..below(4) {
                frame[below(54)] ^= 1 << below(8);
            }
            let frame = Frame(&frame[..if below(4) == 0 { below(55) } else { 54 }]);
            let mut headers = Headers::new(1);
            match decide(&frame, &CONFIG, &Maps, &mut headers) {
                Action::Open(_) | Action::Continue | Action::Dns | Action::Answer(_) => {
                    let child = if headers.key.family == IPV4 { CONFIG.child4 } else { CONFIG.child6 };
                    assert_eq!((headers.key.child, headers.src_mac), (child, CONFIG.child_mac));
                    assert!(matches!(headers.key.protocol, crate::maps::TCP | UDP));
                    let_in += 1;
                }
                Action::Drop(reason) => assert!(!matches!(reason, Reason::Udp | Reason::Port | Reason::Network)),
            }
        }
        assert!((10_000..100_000).contains(&let_in), "{let_in} frames were let in");
    }
}
