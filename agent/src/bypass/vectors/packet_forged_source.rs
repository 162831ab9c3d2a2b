//! Frames with hardware and IP addresses of others.

use std::net::Ipv4Addr;

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-forged-source",
    what: "AF_PACKET frames with forged hardware and IP addresses",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_packets(level, Reason::Spoofed),
};

fn attempt(target: &Target) -> Vec<Step> {
    let datagram = frame::udp(9999, target.token.as_bytes());
    let mut forged_mac = frame::ethernet(target, frame::IPV4, &frame::V4::to(target, 17).packet(&datagram));
    forged_mac[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    let forged_ip = frame::V4 { src: Ipv4Addr::new(203, 0, 113, 9), ..frame::V4::to(target, 17) }.packet(&datagram);
    let forged_v6 = frame::v6(target, target.v6, 17, &datagram);
    let frames = [
        ("hardware address", forged_mac),
        ("IPv4 address", frame::ethernet(target, frame::IPV4, &forged_ip)),
        ("IPv6 address", frame::ethernet(target, frame::IPV6, &forged_v6)),
    ];
    let device = nix::net::if_::if_nametoindex(target.device.as_str()).unwrap_or(0);
    frames.map(|(what, frame)| Step::of(what, raw::send_frame(device, &frame))).into()
}
