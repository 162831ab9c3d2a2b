//! Datagrams that expire at the gateway or never.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-ttl",
    what: "TTL games: 0, 1 and 255",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::Udp),
};

fn attempt(target: &Target) -> Vec<Step> {
    let datagram = frame::udp(9999, target.token.as_bytes());
    let frames = [("0", 0), ("1", 1), ("255", 255)].map(|(what, ttl)| {
        (what, frame::ethernet(target, frame::IPV4, &frame::V4 { ttl, ..frame::V4::to(target, 17) }.packet(&datagram)))
    });
    frame::send(target, frames)
}
