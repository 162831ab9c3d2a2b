//! A device above eth0 with a hardware address of its own.

use agent_common::maps::Reason;
use rtnetlink::LinkMacVlan;
use rtnetlink::packet_route::link::MacVlanMode;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame, netlink, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "macvlan",
    what: "a macvlan above eth0, and a frame through it",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Spoofed)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let made = netlink::request(target, async |links, device| {
        let link = LinkMacVlan::new("mv0", device, MacVlanMode::Bridge).up().build();
        links.link().add(link).execute().await
    });
    let send = || {
        made?;
        let datagram = frame::udp(9999, target.token.as_bytes());
        let mut forged = frame::ethernet(target, frame::IPV4, &frame::V4::to(target, 17).packet(&datagram));
        forged[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0x11]);
        raw::send_frame(netlink::index("mv0")?, &forged)
    };
    vec![Step::of("a frame through it", send())]
}
