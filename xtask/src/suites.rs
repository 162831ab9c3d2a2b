//! Runs what shows, tests and measures the agent. The programs themselves are in the package `tests`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{command, find, is_root, run};
use crate::{build, setup};

/// Shows the agent at work on this machine.
pub(crate) fn demo() -> Result<()> {
    setup::setup()?;
    // The build that `test` uses as well.
    build_for_suites()?;
    run(&mut cargo_as_root(&["run", "--quiet", "--locked", "--package", "tests", "--bin", "demo"])?)
}

/// Measures the agent beside the direct connection.
pub(crate) fn bench() -> Result<()> {
    setup::setup()?;
    build::release()?;
    for bench in ["verdict", "edit", "script"] {
        run(&mut command("cargo", &["bench", "--locked", "--package", "agent", "--bench", bench]))?;
    }
    run(&mut cargo_as_root(&["run", "--release", "--locked", "--package", "tests", "--bin", "bench"])?)
}

/// Runs sessions, connections and cycles by the thousand, and fails if anything of them stays.
pub(crate) fn soak(args: &[String]) -> Result<()> {
    setup::setup()?;
    build::release()?;
    let mut soak = cargo_as_root(&["run", "--release", "--locked", "--package", "tests", "--bin", "soak", "--"])?;
    run(soak.args(args))
}

/// Runs every test of the workspace: cargo goes by the packages' names, so the unit tests come before the privileged
/// suites. A test that cannot run fails.
pub(crate) fn test(args: &[String]) -> Result<()> {
    setup::setup()?;
    build_for_suites()?;
    let mut test = cargo_as_root(&["test", "--locked", "--workspace", "--exclude", "agent-ebpf"])?;
    run(test.args(args).env("AGENT_TESTS_STRICT", "1"))
}

/// The suites drive the binary, which `cargo test` alone would not build.
fn build_for_suites() -> Result<()> {
    run(&mut command("cargo", &["build", "--locked", "--workspace", "--exclude", "agent-ebpf", "--bins"]))
}

/// A cargo whose programs run as root; cargo itself builds as the one who called it, so that `target` stays theirs.
fn cargo_as_root(args: &[&str]) -> Result<Command> {
    let mut cargo = command("cargo", args);
    if is_root()? {
        return Ok(cargo);
    }
    if find("sudo").is_none() {
        bail!("this needs root, and there is no `sudo`; run the same command as root");
    }
    cargo.args(["--config", "target.'cfg(unix)'.runner = ['sudo', '-E']"]);
    Ok(cargo)
}
