//! Everything that CI checks, cheapest first and the tests last, so that the output ends with their summary. CI runs
//! nothing but this, so that a laptop can do what CI does.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::build::{ebpf_target, recipe};
use crate::shell::{command, run, say, workspace};
use crate::{fuzz, setup, suites, tidy, tools};

type Step = (&'static str, fn() -> Result<()>);

/// `clippy`, `doc` and `deny` work on the same features and profile, so that dependencies are checked once.
const STEPS: [Step; 11] = [
    ("setup", setup::setup),
    ("fmt", fmt),
    ("tidy", tidy::tidy),
    ("typos", typos),
    ("clippy for the host", clippy),
    ("clippy for eBPF", clippy_ebpf),
    ("clippy for the fuzz targets", clippy_fuzz),
    ("doc", doc),
    ("deny", deny),
    ("fuzz", fuzz::briefly),
    ("test", || suites::test(&[])),
];

/// Runs every step; stops at the first that fails.
pub(crate) fn ci() -> Result<()> {
    let start = Instant::now();
    for (name, step) in STEPS {
        say(&format!("ci: {name} (at {:.0} s)", start.elapsed().as_secs_f64()));
        step().with_context(|| format!("ci: {name}"))?;
    }
    Ok(())
}

fn fmt() -> Result<()> {
    run(&mut command("cargo", &["fmt", "--all", "--check"]))?;
    run(&mut command("cargo", &["fmt", "--manifest-path", fuzz::MANIFEST, "--check"]))
}

fn typos() -> Result<()> {
    run(&mut command(&tools::typos()?.to_string_lossy(), &["--config", "Cargo.toml"]))
}

fn clippy() -> Result<()> {
    let options = ["--locked", "--workspace", "--exclude", "agent-ebpf", "--all-targets", "--", "-D", "warnings"];
    run(command("cargo", &["clippy"]).args(options))
}

/// They are a workspace of their own; where its crates are those of the other they are not compiled again.
fn clippy_fuzz() -> Result<()> {
    let options = ["--manifest-path", fuzz::MANIFEST, "--target-dir", "target", "--locked", "--", "-D", "warnings"];
    run(command("cargo", &["clippy"]).args(options))
}

/// Checks the eBPF programs as they are built for release and for debugging.
fn clippy_ebpf() -> Result<()> {
    run(&mut clippy_of(&recipe::ebpf_build(workspace(), &ebpf_target(), false).0))?;
    run(&mut clippy_of(&recipe::ebpf_build(workspace(), &ebpf_target(), true).0))
}

/// The command `cargo build …` as `cargo clippy …`, in the same folder, environment and with the same options.
fn clippy_of(build: &Command) -> Command {
    let mut clippy = Command::new(build.get_program());
    clippy.arg("clippy").args(build.get_args().skip(1)).args(["--", "-D", "warnings"]);
    if let Some(folder) = build.get_current_dir() {
        clippy.current_dir(folder);
    }
    for (name, value) in build.get_envs() {
        match value {
            Some(value) => clippy.env(name, value),
            None => clippy.env_remove(name),
        };
    }
    clippy
}

fn doc() -> Result<()> {
    let options = ["--locked", "--no-deps", "--workspace", "--exclude", "agent-ebpf"];
    run(command("cargo", &["doc"]).args(options).env("RUSTDOCFLAGS", "-D warnings"))
}

/// The advisory database is not part of this: it changes without us, and needs the internet.
fn deny() -> Result<()> {
    let options = ["bans", "licenses", "sources"];
    run(command(&tools::cargo_deny()?.to_string_lossy(), &["check"]).args(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ebpf_programs_are_checked_as_they_are_built() {
        let (build, _) = recipe::ebpf_build("/w".as_ref(), "/t".as_ref(), true);
        let clippy = clippy_of(&build);
        let args: Vec<_> = clippy.get_args().map(|arg| arg.to_string_lossy()).collect();
        assert_eq!(args[0], "clippy");
        assert!(
            args.contains(&"build-std=core".into()) && args.ends_with(&["--".into(), "-D".into(), "warnings".into()])
        );
        assert_eq!(clippy.get_current_dir(), build.get_current_dir());
        assert!(build.get_envs().eq(clippy.get_envs()));
    }
}
