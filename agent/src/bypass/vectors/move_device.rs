//! The session's device moved to the host's namespace, and a device made with its peer there.

use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "move-device",
    what: "moving eth0 to the host's namespace; a veth with its other end there",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "capabilities", errors: &["EPERM", "EACCES", "ESRCH"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let outsider = target.outsider.unsigned_abs();
    let moved = netlink::request(target, async |links, device| {
        let link = LinkMessageBuilder::<LinkUnspec>::new().index(device).setns_by_pid(outsider).build();
        links.link().set(link).execute().await
    });
    let made = netlink::request(target, async |links, _| {
        let peer = LinkMessageBuilder::<LinkUnspec>::new().name("out1").setns_by_pid(outsider).build();
        let link = LinkVeth::new("out0", "out1").set_info_data(InfoData::Veth(InfoVeth::Peer(peer))).build();
        links.link().add(link).execute().await
    });
    vec![Step::of("eth0 moved", moved), Step::of("a veth made", made)]
}
