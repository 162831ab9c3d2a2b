//! Frames with VLAN tags, one and two.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-vlan",
    what: "802.1Q tags, and QinQ",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::Vlan),
};

fn attempt(target: &Target) -> Vec<Step> {
    let inner = frame::V4::to(target, 17).packet(&frame::udp(9999, target.token.as_bytes()));
    let tagged = |tag: &[u8], ether_type| frame::ethernet(target, ether_type, &[tag, &inner].concat());
    frame::send(
        target,
        [
            ("802.1Q", tagged(&[0, 7, 8, 0], 0x8100)),
            ("802.1ad", tagged(&[0, 7, 8, 0], 0x88a8)),
            ("QinQ", tagged(&[0, 7, 0x81, 0, 0, 8, 8, 0], 0x88a8)),
        ],
    )
}
