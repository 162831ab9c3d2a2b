//! What observe mode leaves open on purpose: it shows what a program does, and the program is to work.

use std::os::unix::net::UnixStream;

use crate::bypass::{Expect, How, Level, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "observe-host-sockets",
    what: "Unix sockets of the host, from a session in observe mode",
    levels: &[Level::Observe],
    how: How::Inside(attempt),
    expect: |_| Expect::Allowed { close: "`--mode enforce`" },
};

fn attempt(target: &Target) -> Vec<Step> {
    target.sockets.iter().map(|path| Step::of(path.display().to_string(), UnixStream::connect(path))).collect()
}
