//! Frames that end before their headers do, or lie about their version.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-malformed",
    what: "truncated headers, wrong IP versions",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::Malformed),
};

fn attempt(target: &Target) -> Vec<Step> {
    let token = target.token.as_bytes();
    let lie = [&[0x75][..], &[0; 19], token].concat();
    let short = frame::V4::to(target, 6).packet(&frame::syn(443, b"")[..12]);
    frame::send(
        target,
        [
            ("IP version 7", frame::ethernet(target, frame::IPV4, &lie)),
            ("IPv4 as IPv6", frame::ethernet(target, frame::IPV6, &[&[0x45][..], &[0; 39], token].concat())),
            ("half a TCP header", frame::ethernet(target, frame::IPV4, &short)),
            ("no IP header", frame::ethernet(target, frame::IPV4, b"")),
        ],
    )
}
