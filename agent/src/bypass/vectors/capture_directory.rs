//! What was recorded, of this session and of others: it may be the user's own, and shows what was sent with which
//! credentials.

use std::fs::{File, read_dir};

use crate::bypass::{Expect, How, Level, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "capture-directory",
    what: "reading and changing what the session has recorded",
    levels: &[Level::User, Level::Root, Level::NetAdmin, Level::Observe],
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "mounts", errors: &["ENOENT", "EROFS", "EACCES"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let Some(directory) = &target.capture else { return Vec::new() };
    let database = directory.join("capture.db");
    let bodies = directory.join("bodies");
    vec![
        Step::of("reading the database", File::open(&database)),
        Step::of("writing the database", File::options().append(true).open(&database)),
        Step::of("listing the bodies", read_dir(bodies)),
        Step::of("removing the database", std::fs::remove_file(&database)),
    ]
}
