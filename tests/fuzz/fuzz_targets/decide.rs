//! Frames from the child, as the kernel half reads and judges them.

#![no_main]

use agent_common::decide::{Action, Policy, decide};
use agent_common::maps::{Address, Config, IPV4, PortAction, UDP, Verdict, mac, mapped_word};
use agent_common::packet::{ACK, Direction, Headers, Packet, SYN, parse};
use libfuzzer_sys::fuzz_target;

/// A frame, and what the kernel keeps beside it.
struct Frame<'a> {
    bytes: &'a [u8],
    has_vlan_tag: bool,
}

impl Packet for Frame<'_> {
    fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(self.bytes.get(offset..offset + 2 * N)?.as_chunks().0) {
            *word = u16::from_ne_bytes(*bytes);
        }
        Some(words)
    }

    fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(self.bytes.get(offset..offset + 4 * N)?.as_chunks().0) {
            *word = u32::from_ne_bytes(*bytes);
        }
        Some(words)
    }

    fn has_vlan_tag(&self) -> bool {
        self.has_vlan_tag
    }
}

/// Ports below 8 each have their own action; networks are refused by the first bit of their last byte.
struct Maps;

impl Policy for Maps {
    fn port(&self, port: u16) -> PortAction {
        PortAction::from_u8(u8::try_from(port).unwrap_or_default())
    }

    fn refuses_network(&self, _: u8, dst: &Address) -> bool {
        dst[3].to_ne_bytes()[3] & 0x80 != 0
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, frame)) = bytes.split_first() else { return };
    let frame = Frame { bytes: frame, has_vlan_tag: first & 0x80 != 0 };
    let v4 = |last| mapped_word(u32::from_ne_bytes([10, 200, 1, last]));
    let v6 = |last: u8| [0xfd00_u32.to_be() >> 16, 0, 0, u32::from(last).to_be()];
    let config = Config {
        child4: v4(2),
        child6: v6(2),
        gateway4: v4(1),
        gateway6: v6(1),
        child_mac: mac([2, 0, 0, 0, 0, 2]),
        default_port: first & 3,
        silent: first >> 2 & 1,
        ..Config::UNSET
    };
    let (mut headers, mut parsed, mut mirrored) = (Headers::new(7), Headers::new(7), Headers::new(7));
    let action = decide(&frame, &config, &Maps, &mut headers);
    let read = parse(&frame, Direction::Out, &mut parsed);
    assert_eq!(headers, parsed, "it was read twice");
    assert_eq!(read, parse(&frame, Direction::In, &mut mirrored));
    let (out, back) = (parsed.key, mirrored.key);
    assert_eq!(
        (out.child, out.dst, out.child_port, out.dst_port),
        (back.dst, back.child, back.dst_port, back.child_port)
    );
    check(read.is_ok(), action, &headers, &config);
});

fn check(is_read: bool, action: Action, headers: &Headers, config: &Config) {
    let key = &headers.key;
    let child = if key.family == IPV4 { config.child4 } else { config.child6 };
    let is_from_child = is_read && headers.src_mac == config.child_mac && key.child == child;
    let opens = key.protocol != UDP && headers.flags & (SYN | ACK) == SYN;
    match action {
        Action::Drop(reason) => assert!(!is_from_child || config.silent != 0, "{reason:?}"),
        Action::Answer(reason) => assert!(is_from_child && config.silent == 0, "{reason:?}"),
        Action::Dns => assert!(is_from_child && key.protocol == UDP && key.dst_port == 53),
        Action::Continue => assert!(is_from_child && key.protocol != UDP && !opens),
        Action::Open(Verdict::Dns) => assert!(is_from_child && opens && key.dst_port == 53),
        Action::Open(Verdict::Intercept | Verdict::Relay) => {
            let gateway = if key.family == IPV4 { config.gateway4 } else { config.gateway6 };
            assert!(is_from_child && opens && key.dst_port != 53 && key.dst != gateway);
            assert!(!Maps.refuses_network(key.family, &key.dst));
        }
    }
}
