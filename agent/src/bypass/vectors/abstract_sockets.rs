//! Unix sockets with an abstract name, which belong to a network namespace (unix(7)): X servers, buses, containerd-shim.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "abstract-sockets",
    what: "abstract Unix sockets of the host: X11, and one made for this",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "network namespace", errors: &["ECONNREFUSED"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let connect = |name: &str| UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?);
    let names = [target.abstract_socket.as_str(), "/tmp/.X11-unix/X0"];
    names.map(|name| Step::of(format!("@{name}"), connect(name))).into()
}
