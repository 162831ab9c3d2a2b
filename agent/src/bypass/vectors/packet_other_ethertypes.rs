//! Frames that are not IP.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-other-ethertypes",
    what: "MPLS, LLDP, ARP, PPPoE, 802.3 and unknown EtherTypes",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::EtherType),
};

fn attempt(target: &Target) -> Vec<Step> {
    let payload = [&[0; 28], target.token.as_bytes()].concat();
    let types = [
        ("MPLS", 0x8847),
        ("LLDP", 0x88cc),
        ("ARP", 0x0806),
        ("RARP", 0x8035),
        ("PPPoE", 0x8864),
        ("EAPOL", 0x888e),
        ("a length", 60),
        ("experiment", 0x88b5),
    ];
    frame::send(target, types.map(|(what, ether_type)| (what, frame::ethernet(target, ether_type, &payload))))
}
