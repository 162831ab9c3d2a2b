//! IPv4 options, source routes among them.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-ip-options",
    what: "IPv4 options: loose and strict source route, router alert, timestamp",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::IpOptions),
};

fn attempt(target: &Target) -> Vec<Step> {
    let [a, b, c, d] = target.v4.octets();
    let route = |kind| [kind, 7, 4, a, b, c, d, 0];
    let datagram = frame::udp(53, target.token.as_bytes());
    let with = |options: &[u8]| {
        let packet = frame::V4 { options, ..frame::V4::to(target, 17) }.packet(&datagram);
        frame::ethernet(target, frame::IPV4, &packet)
    };
    frame::send(
        target,
        [
            ("loose source route", with(&route(131))),
            ("strict source route", with(&route(137))),
            ("router alert", with(&[148, 4, 0, 0])),
            ("timestamp", with(&[68, 8, 5, 0, 0, 0, 0, 0])),
        ],
    )
}
