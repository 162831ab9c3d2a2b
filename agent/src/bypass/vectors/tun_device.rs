//! A device of one's own. It is made in the session's namespace, which has no way out but one.

use std::fs::File;

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "tun-device",
    what: "a TUN device by /dev/net/tun",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| match level {
        Level::NetAdmin => Expect::Any(&[REFUSED, Expect::Harmless("the session's own namespace")]),
        Level::User | Level::Root | Level::Observe => REFUSED,
    },
};

const REFUSED: Expect = Expect::Call { by: "mode, capabilities", errors: &["EACCES", "EPERM", "ENOENT", "ENODEV"] };

fn attempt(_target: &Target) -> Vec<Step> {
    let tun = File::options().read(true).write(true).open("/dev/net/tun");
    vec![Step::of("/dev/net/tun", tun.and_then(|tun| raw::make_tun(&tun)))]
}
