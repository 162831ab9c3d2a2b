//! The clients and servers of the suites that come from PyPI and npm, below `target/clients`, so that nothing else on
//! the machine changes. Their versions are those of the lock files in `tests/programs`; no other is ever asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell::{command, run, say, workspace};

/// The distribution's Python, which the suites use, too.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Packages of one registry, and how they are installed.
struct Registry {
    /// Of the folder below `tests/programs` and of that below `target/clients`.
    name: &'static str,
    /// Names every package with its version, those that others need included.
    lock: &'static str,
    install: fn(sources: &Path, folder: &Path) -> Result<()>,
}

const REGISTRIES: [Registry; 2] = [
    Registry { name: "python", lock: "requirements.txt", install: install_python },
    Registry { name: "node", lock: "package-lock.json", install: install_node },
];

/// Installs what the lock files name, unless it is there; returns whether it was not.
pub(crate) fn install() -> Result<bool> {
    let (sources, target) = (workspace().join("tests/programs"), workspace().join("target/clients"));
    let mut changed = false;
    for registry in &REGISTRIES {
        changed |= registry.update(&sources.join(registry.name), &target.join(registry.name))?;
    }
    Ok(changed)
}

impl Registry {
    /// Makes `folder` anew unless it was made from the same lock file to its end.
    fn update(&self, sources: &Path, folder: &Path) -> Result<bool> {
        let lock = sources.join(self.lock);
        let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
        let mark = mark(folder);
        if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(false);
        }
        say(&format!("setup: clients of {}", lock.display()));
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        (self.install)(sources, folder)?;
        fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))?;
        Ok(true)
    }
}

/// A copy of the lock file that a folder was made from; written last.
fn mark(folder: &Path) -> PathBuf {
    folder.join("installed.lock")
}

/// A virtual environment. What a package needs is in the lock file, so pip is not asked to find it.
fn install_python(sources: &Path, folder: &Path) -> Result<()> {
    run(&mut command(PYTHON, &["-m", "venv", &text(folder)]))?;
    let options = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"];
    let mut pip = command(&text(&folder.join("bin/pip")), &options);
    run(pip.arg("--requirement").arg(sources.join("requirements.txt")))
}

/// `node_modules`. Scripts of packages are not run: none of ours needs its own.
fn install_node(sources: &Path, folder: &Path) -> Result<()> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    let mut npm = command("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    run(npm.current_dir(folder))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_installed_again_when_the_lock_file_changes_or_installing_failed() {
        let folder = std::env::temp_dir().join(format!("xtask-clients-{}", std::process::id()));
        let (sources, target) = (folder.join("sources"), folder.join("target"));
        fs::create_dir_all(&sources).unwrap();
        let registry = |install| Registry { name: "any", lock: "lock", install };
        let (works, fails) = (registry(|_, _| Ok(())), registry(|_, _| anyhow::bail!("no network")));
        for (lock, registry, expect) in [
            ("one", &works, Some(true)),
            ("one", &fails, Some(false)),
            ("two", &fails, None),
            ("one", &works, Some(true)),
            ("one", &works, Some(false)),
        ] {
            fs::write(sources.join("lock"), lock).unwrap();
            assert_eq!(registry.update(&sources, &target).ok(), expect, "{lock}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_package_has_one_version() {
        let requirements = include_str!("../../../tests/programs/python/requirements.txt");
        for line in requirements.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("=="), "{line}");
        }
        let package = include_str!("../../../tests/programs/node/package.json");
        assert!(!package.contains(['^', '~', '*']), "{package}");
    }
}
