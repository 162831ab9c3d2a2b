//! The socket over which a session is told what to do: who reaches it answers its own questions.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "control-socket",
    what: "the session's own socket, to answer the questions that it asks and to have it read other rules",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "mounts", errors: &["ENOENT", "ECONNREFUSED", "EACCES"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let path = format!("/run/agent/{}/control", target.session);
    let told = UnixStream::connect(&path).and_then(|mut stream| stream.write_all(b"\"reload\"\n"));
    vec![Step::of(path, told)]
}
