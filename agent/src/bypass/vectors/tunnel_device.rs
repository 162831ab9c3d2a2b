//! A tunnel device: what is sent through it leaves eth0 in a datagram.

use agent_common::maps::Reason;
use rtnetlink::LinkVxlan;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame, netlink, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "tunnel-device",
    what: "a VXLAN device, and a frame through it",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Udp)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let made = netlink::request(target, async |links, device| {
        let link = LinkVxlan::new("vx0", 7).remote(target.v4).dev(device).port(4789).up().build();
        links.link().add(link).execute().await
    });
    let send = || {
        made?;
        let datagram = frame::udp(9999, target.token.as_bytes());
        raw::send_frame(
            netlink::index("vx0")?,
            &frame::ethernet(target, frame::IPV4, &frame::V4::to(target, 17).packet(&datagram)),
        )
    };
    vec![Step::of("a frame through it", send())]
}
