//! IPv6 extension headers before the transport.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-extension-headers",
    what: "IPv6 extension headers: hop-by-hop, routing, fragment, destination options",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::ExtensionHeader),
};

fn attempt(target: &Target) -> Vec<Step> {
    const UDP: u8 = 17;
    let datagram = frame::udp(53, target.token.as_bytes());
    let headers =
        [("hop-by-hop", 0), ("routing", 43), ("fragment", 44), ("authentication", 51), ("destination options", 60)];
    let frames = headers.map(|(what, header)| {
        let payload = [&[UDP, 0, 1, 4, 0, 0, 0, 0][..], &datagram].concat();
        (what, frame::ethernet(target, frame::IPV6, &frame::v6(target, target.child.1, header, &payload)))
    });
    frame::send(target, frames)
}
