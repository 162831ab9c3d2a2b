//! The rules that hold the session, in a file of the command's own user: written anew, and with another in its place.

use std::fs::{read, rename, write};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "own-rules",
    what: "writing the file of rules, which is the command's user's, and putting another in its place",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("exchange_refused"),
};

const OPEN: &str = "[[rule]]\nverdict = \"allow\"\n";

/// How often something is asked for that the rules forbid, and how long that waits: a change takes effect meanwhile.
const ROUNDS: (usize, Duration) = (20, Duration::from_millis(10));

fn attempt(target: &Target) -> Vec<Step> {
    // What DNS did not name is refused for that already.
    drop(talk::resolve(target, &target.name));
    let before = target.rules.as_deref().map(read);
    let written = change(target, |rules| write(rules, OPEN));
    let written = Step::with(format!("after writing it ({written})"), ask(target));
    let replaced = change(target, |rules| {
        let beside = rules.with_extension("new");
        write(&beside, OPEN)?;
        rename(beside, rules)
    });
    let replaced = Step::with(format!("after replacing it ({replaced})"), ask(target));
    if let Some(Ok(before)) = before {
        change(target, |rules| write(rules, before));
    }
    vec![written, replaced]
}

/// What came of a change.
fn change(target: &Target, change: impl FnOnce(&Path) -> io::Result<()>) -> String {
    let changed = target.rules.as_deref().map(change);
    changed.map_or_else(|| "there is none".into(), |changed| changed.map_or_else(|e| e.to_string(), |()| "done".into()))
}

/// Asks for what the rules forbid, until it is given.
fn ask(target: &Target) -> io::Result<String> {
    let Target { name, token, .. } = target;
    let request = format!("GET /forbidden/x HTTP/1.1\r\nHost: {name}\r\nX-Token: {token}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    for _ in 0..ROUNDS.0 {
        answer = talk::exchange(&mut talk::connect(target.v4_at(80))?, &request)?;
        if !answer.contains("403") {
            break;
        }
        std::thread::sleep(ROUNDS.1);
    }
    Ok(answer)
}
