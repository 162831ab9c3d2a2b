//! Devices that give nothing of the network: who may open them is the host's business.

use std::fs::File;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "harmless-devices",
    what: "/dev/{vsock,vhost-net,kvm,kmsg,fuse}",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| {
        Expect::Any(&[
            Expect::Call { by: "mode, capabilities", errors: &["EACCES", "EPERM", "ENOENT", "ENXIO", "ENODEV"] },
            Expect::Harmless("no socket comes with it"),
        ])
    },
};

/// The machine's number on the hypervisor's bus; a queue for a device that the session must have; virtual machines and
/// file systems, which are programs of the session; lines for the kernel's log.
const DEVICES: &[&str] = &["/dev/vsock", "/dev/vhost-net", "/dev/kvm", "/dev/kmsg", "/dev/fuse"];

fn attempt(_target: &Target) -> Vec<Step> {
    let open = |path: &str| File::options().write(true).open(path);
    DEVICES.iter().map(|path| Step::of(*path, open(path))).collect()
}
