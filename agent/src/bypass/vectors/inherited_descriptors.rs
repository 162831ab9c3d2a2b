//! Descriptors that the agent left open: a socket of the host's network, a namespace, a map.

use std::fs;
use std::io;
use std::path::Path;

use crate::bypass::{ENFORCED, Expect, How, NOTHING_GAINED, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "inherited-descriptors",
    what: "descriptors from 3 on, and sockets among 0, 1 and 2",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "closed before exec", errors: &[NOTHING_GAINED] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    let standard = (0..3).map(|number| Step::gaining(format!("descriptor {number}"), Ok(socket(number))));
    standard.chain([Step::gaining("others", others())]).collect()
}

fn socket(number: u32) -> Option<String> {
    let link = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    let link = link.display().to_string();
    ["socket:", "net:", "anon_inode:"].iter().any(|kind| link.starts_with(kind)).then_some(link)
}

/// All but the one that lists them.
fn others() -> io::Result<Option<String>> {
    let listing = format!("/proc/{}/fd", std::process::id());
    let listed: io::Result<Vec<_>> = fs::read_dir(&listing)?.collect();
    let others = listed?.into_iter().filter(|entry| !["0", "1", "2"].iter().any(|own| entry.file_name() == *own));
    let mut links = others.filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(links.find(|link| *link != Path::new(&listing)).map(|link| link.display().to_string()))
}
