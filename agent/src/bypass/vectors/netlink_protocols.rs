//! The kernel's other conversation partners on netlink: those that no network namespace confines must not answer here.

use nix::libc;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "netlink-protocols",
    what: "netlink to the audit system, the connector, iSCSI, RDMA, SCSI and the crypto layer",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call {
        by: "network namespace, capabilities",
        errors: &["ECONNREFUSED", "EPERM", "EPROTONOSUPPORT"],
    },
};

/// `AUDIT_GET` (linux/audit.h): a question of the first type that a protocol of its own may use.
const STATUS: u16 = 1000;
const PROTOCOLS: [(&str, i32); 6] = [
    ("audit", libc::NETLINK_AUDIT),
    ("connector", libc::NETLINK_CONNECTOR),
    ("iSCSI", libc::NETLINK_ISCSI),
    ("RDMA", libc::NETLINK_RDMA),
    ("SCSI", libc::NETLINK_SCSITRANSPORT),
    ("crypto", libc::NETLINK_CRYPTO),
];

fn attempt(_target: &Target) -> Vec<Step> {
    PROTOCOLS.map(|(what, protocol)| Step::of(what, netlink::ask(protocol, STATUS))).into()
}
