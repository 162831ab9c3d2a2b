//! A datagram in pieces, so that no piece shows its port, or each another.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-fragments",
    what: "IPv4 fragments: first, later, tiny and overlapping",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::Fragment),
};

fn attempt(target: &Target) -> Vec<Step> {
    const MORE: u16 = 0x2000;
    let whole = frame::udp(53, target.token.as_bytes());
    let piece = |fragment, bytes: &[u8]| {
        frame::ethernet(target, frame::IPV4, &frame::V4 { fragment, ..frame::V4::to(target, 17) }.packet(bytes))
    };
    frame::send(
        target,
        [
            ("first", piece(MORE, &whole[..16])),
            ("later", piece(2, &whole[16..])),
            ("tiny", piece(MORE, &whole[..8])),
            ("overlapping", piece(MORE | 1, &whole[8..])),
        ],
    )
}
