//! Builds the fuzz targets with cargo-fuzz: instrumented for coverage and for bad memory accesses, with all assertions.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::shell::{command, read, run, workspace};
use crate::tools;

/// Where the targets' package is.
pub(super) const PACKAGE: &str = "tests/fuzz";

/// Everything that is built and learnt.
pub(super) fn folder() -> PathBuf {
    workspace().join("target/fuzz")
}

/// Builds every target.
pub(super) fn build() -> Result<()> {
    let (cargo_fuzz, folder, host) = (tools::cargo_fuzz()?, folder(), host()?);
    let mut build = command(&cargo_fuzz.to_string_lossy(), &["build", "--fuzz-dir", PACKAGE, "--target", &host]);
    // Sanitizers are unstable; the stable toolchain has them.
    run(build.args(["--sanitizer", "address", "--target-dir"]).arg(folder).env("RUSTC_BOOTSTRAP", "1"))
}

/// Where the target `name` is when it is built.
pub(super) fn binary(name: &str) -> Result<PathBuf> {
    Ok(folder().join(host()?).join("release").join(name))
}

/// What the compiler calls this machine.
fn host() -> Result<String> {
    let version = read(&mut command("rustc", &["--version", "--verbose"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it builds for")
}
