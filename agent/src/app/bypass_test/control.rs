//! The test of the test: the same attempts where nothing stops them must be seen outside.

use std::process::Stdio;

use anyhow::Context as _;

use super::arena::Arena;
use super::inside::agent;
use super::{Row, target};
use crate::bypass::{Expect, How, Level, Vector};

/// Makes those attempts that send something, as root of the test's host. Those that reach into processes and files are
/// not made: here they would.
pub(super) fn without_session(arena: &Arena, vectors: &[&Vector]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (number, vector) in (1..).zip(vectors) {
        if !sends(vector) {
            continue;
        }
        arena.watch.clear();
        let heard = arena.host_heard.len();
        let target = target(arena, None, Level::NetAdmin, number);
        let mut command = agent(&[crate::cli::ATTEMPT, vector.id, &serde_json::to_string(&target)?]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let output = arena.on_host(move || command.output().context("cannot make the attempt"))?;
        arena.settle()?;
        let frames = arena.watch.others() + arena.host_heard.since(heard).len();
        let steps = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        rows.push(Row {
            vector: vector.id,
            what: vector.what,
            level: Level::NetAdmin,
            result: if frames > 0 { "seen" } else { "wrong" },
            stopped_by: if frames > 0 { "nothing: there is no session".into() } else { format!("not seen: {steps}") },
            reported_as: format!("{frames} frames"),
        });
    }
    Ok(rows)
}

/// Whether the attempt is to send something where nobody keeps it from that.
fn sends(vector: &Vector) -> bool {
    let expected = (vector.expect)(Level::NetAdmin);
    let traffic = matches!(expected, Expect::Kernel(_) | Expect::Worker(_) | Expect::Intercepted | Expect::Forwarder);
    traffic && matches!(vector.how, How::Inside(_)) && vector.levels.contains(&Level::NetAdmin)
}
