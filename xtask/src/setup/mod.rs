//! Installs what a fresh machine lacks, in the order in which one needs the other, and says so. Where all is there it
//! only looks. It never touches anything that is not missing.

mod clients;
mod debian;
mod linker;
mod toolchain;

use anyhow::Result;

use crate::shell::say;

/// Brings the machine to where `cargo build` and `cargo xtask test` work.
pub(crate) fn setup() -> Result<()> {
    let mut changed = toolchain::install()?;
    changed |= debian::install(&debian::runtime())?;
    changed |= linker::install()?;
    changed |= clients::install()?;
    say(if changed { "setup: done" } else { "setup: all is there" });
    Ok(())
}
