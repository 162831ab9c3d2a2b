//! Programs that run as their owner, or with capabilities of their file, whoever starts them.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::bypass::{ENFORCED, Expect, How, NOTHING_GAINED, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "setuid-program",
    what: "setuid programs (su, sudo, mount) and file capabilities, by a copy of cat(1) that has them",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "NO_NEW_PRIVS, no bounding set", errors: &[NOTHING_GAINED, "EPERM"] },
};

/// What a program may not change by being executed, in `/proc/self/status`.
const FIELDS: [&str; 5] = ["Uid:", "Gid:", "CapPrm:", "CapEff:", "CapBnd:"];

fn attempt(target: &Target) -> Vec<Step> {
    let own = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let others = target.elevating.iter().map(|program| {
        let gained = standing_of(program).map(|theirs| difference(&own, &theirs));
        Step::gaining(program.display().to_string(), gained)
    });
    let is_shut = own.lines().any(|line| line == "NoNewPrivs:\t1");
    let open = (!is_shut).then(|| "programs may gain privileges".to_owned());
    others.chain([Step::gaining("NoNewPrivs", Ok(open))]).collect()
}

/// What such a program sees of itself.
fn standing_of(program: &Path) -> io::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "to execute it is the attempt")]
    let output = Command::new(program).arg("/proc/self/status").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first field in which theirs is not ours, or is missing.
fn difference(own: &str, theirs: &str) -> Option<String> {
    let line = |text: &str, field: &str| text.lines().find(|line| line.starts_with(field)).map(str::to_owned);
    let differs = |field: &&str| line(theirs, field).is_none() || line(theirs, field) != line(own, field);
    FIELDS.iter().find(|field| differs(field)).map(|field| line(theirs, field).unwrap_or_default())
}
