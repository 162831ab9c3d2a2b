//! Runs the fuzz targets of `tests/fuzz`: builds them once, plays each for a while, two at a time, and says what came of
//! it. What a run learns stays below `target/fuzz`; the corpora in the tree are only read.

mod build;
mod figures;
mod target;

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use self::figures::table;
use self::target::{Outcome, Target};
use crate::setup;
use crate::shell::{print, say};

/// For how long each target runs unless told otherwise.
const USUAL: Duration = Duration::from_secs(60);
/// In CI: long enough to try the corpus and some thousand changes of it.
const SHORT: Duration = Duration::from_secs(8);
/// The package of the targets.
pub(crate) const MANIFEST: &str = "tests/fuzz/Cargo.toml";
/// Targets that run at once.
const AT_ONCE: usize = 2;

/// `cargo xtask fuzz [--seconds N] [TARGET…]`: all targets, if none is named.
pub(crate) fn fuzz(args: &[String]) -> Result<()> {
    let (time, names) = match args {
        [option, seconds, names @ ..] if option == "--seconds" => (Duration::from_secs(seconds.parse()?), names),
        names => (USUAL, names),
    };
    setup::setup()?;
    run(time, names)
}

/// Every target, for a short time.
pub(crate) fn briefly() -> Result<()> {
    run(SHORT, &[])
}

fn run(time: Duration, names: &[String]) -> Result<()> {
    let targets = Target::named(names)?;
    build::build()?;
    say(&format!("fuzz: {} targets, {} s each, {AT_ONCE} at a time", targets.len(), time.as_secs()));
    let outcomes = all(targets, time)?;
    print(&table(&outcomes));
    let findings: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.finding.is_some()).collect();
    for Outcome { target, finding, .. } in &findings {
        say(&format!("fuzz: {target}: {}", finding.as_deref().unwrap_or_default()));
    }
    if findings.is_empty() { Ok(()) } else { bail!("fuzz: {} targets have findings", findings.len()) }
}

/// Runs the targets; what came of them is in their order.
fn all(targets: Vec<Target>, time: Duration) -> Result<Vec<Outcome>> {
    let (waiting, done) = (Mutex::new(targets.into_iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = target.run(time);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    outcomes.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(outcomes)
}
