//! Sockets to radios, which no network namespace confines.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "bluetooth",
    what: "Bluetooth sockets: HCI, L2CAP, RFCOMM",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EAFNOSUPPORT"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    const AF_BLUETOOTH: i32 = 31;
    let kinds = [("HCI", 3, 1), ("L2CAP", 5, 0), ("RFCOMM", 1, 3)];
    kinds.map(|(what, kind, protocol)| Step::of(what, raw::socket(AF_BLUETOOTH, kind, protocol))).into()
}
