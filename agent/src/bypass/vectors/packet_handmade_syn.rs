//! A connection opened by hand, past the socket layer, with data in its SYN.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-handmade-syn",
    what: "TCP SYN with data, made by hand",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    let syn = frame::syn(9999, target.token.as_bytes());
    let v4 = frame::ethernet(target, frame::IPV4, &frame::V4::to(target, 6).packet(&syn));
    let v6 = frame::ethernet(target, frame::IPV6, &frame::v6(target, target.child.1, 6, &syn));
    frame::send(target, [("IPv4", v4), ("IPv6", v6)])
}
