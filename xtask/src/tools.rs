//! The programs that CI uses and the toolchain lacks. They live below `target/tools`, so that nothing else on the
//! machine changes, and are fetched once per version.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell::{command, read, run, say, workspace};

/// The spelling checker, from its PyPI wheel: compiling it takes minutes.
pub(crate) fn typos() -> Result<PathBuf> {
    const VERSION: &str = "1.52.0";
    let folder = workspace().join("target/tools/typos");
    let program = folder.join("bin/typos");
    if !is(&program, VERSION) {
        say(&format!("ci: fetching typos {VERSION}"));
        run(&mut command("python3", &["-m", "venv", "--clear", &folder.to_string_lossy()]))?;
        let pip = folder.join("bin/pip");
        run(&mut command(&pip.to_string_lossy(), &["install", "--quiet", &format!("typos=={VERSION}")]))?;
    }
    Ok(program)
}

/// The checker of licences, sources and duplicates. PyPI's newest is 0.14, which cannot read the metadata of today's
/// cargo, so it is compiled; without optimisation, since that takes longer than it saves.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    compiled("cargo-deny", "0.20.2")
}

/// What builds the fuzz targets.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    compiled("cargo-fuzz", "0.13.2")
}

/// A program of crates.io, compiled here.
fn compiled(name: &str, version: &str) -> Result<PathBuf> {
    let folder = workspace().join("target/tools").join(name);
    let program = folder.join("bin").join(name);
    if !is(&program, version) {
        say(&format!("xtask: building {name} {version}"));
        let root = folder.to_string_lossy();
        let options = ["--debug", "--locked", "--force", "--version", version, "--root", &root];
        let mut cargo = command("cargo", &["install", name]);
        run(cargo.args(options).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    Ok(program)
}

fn is(program: &Path, version: &str) -> bool {
    let printed = read(&mut command(&program.to_string_lossy(), &["--version"]));
    printed.is_ok_and(|printed| printed.split_whitespace().any(|word| word == version))
}
