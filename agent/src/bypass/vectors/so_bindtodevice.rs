//! Sockets bound to a device, which some routes and firewalls do not look at.

use agent_common::maps::Reason;
use socket2::{Domain, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "so-bindtodevice",
    what: "SO_BINDTODEVICE",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    let connect = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind_device(Some(target.device.as_bytes()))?;
        socket.connect_timeout(&target.v4_at(9999).into(), talk::PATIENCE)
    };
    vec![Step::of(target.device.clone(), connect())]
}
