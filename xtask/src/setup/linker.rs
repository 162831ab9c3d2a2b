//! bpf-linker, which makes one eBPF object of what rustc emits. It is built against LLVM 22, as the pinned rustc is.

use anyhow::{Result, bail};

use super::debian::{self, Package};
use crate::shell::{command, find, read, run, say};

const VERSION: &str = "0.13.0";
const LLVM: &str = "/usr/lib/llvm-22";

/// What bpf-linker's build needs and nothing else does.
const PACKAGES: [Package; 5] = [
    Package::new("g++"),
    Package::new("llvm-22-dev"),
    Package::new("libpolly-22-dev"),
    Package::new("zlib1g-dev"),
    Package::new("libzstd-dev"),
];

/// Builds bpf-linker unless a fitting one is there; returns whether it was missing.
pub(crate) fn install() -> Result<bool> {
    if installed().is_some_and(|version| fits(&version)) {
        return Ok(false);
    }
    require_llvm()?;
    debian::install(&PACKAGES)?;
    say(&format!("setup: bpf-linker {VERSION} (takes a minute)"));
    let options = ["--locked", "--no-default-features", "--features", "llvm-22", "--version", VERSION, "--force"];
    let mut cargo = command("cargo", &["install", "bpf-linker"]);
    run(cargo.args(options).env("LLVM_PREFIX", LLVM))?;
    Ok(true)
}

fn installed() -> Option<String> {
    let linker = find("bpf-linker")?;
    read(&mut command(&linker.to_string_lossy(), &["--version"])).ok()
}

/// Whether `bpf-linker --version` is of the same minor version: the object format has changed between those.
fn fits(version: &str) -> bool {
    let ours = VERSION.rsplit_once('.').map_or(VERSION, |(minor, _)| minor);
    let theirs = version.split_whitespace().nth(1).and_then(|version| version.rsplit_once('.'));
    theirs.is_some_and(|(minor, _)| minor == ours)
}

fn require_llvm() -> Result<()> {
    let known = find("apt-get").is_some()
        && (debian::knows("llvm-22-dev") || (debian::update().is_ok() && debian::knows("llvm-22-dev")));
    if known || std::path::Path::new(LLVM).join("bin/llvm-config").exists() {
        return Ok(());
    }
    bail!(
        "bpf-linker {VERSION} is missing, and so is LLVM 22, which its build needs: apt has no `llvm-22-dev`. Either add \
         https://apt.llvm.org (`deb https://apt.llvm.org/CODENAME/ llvm-toolchain-CODENAME-22 main`) to apt's sources \
         and run this again, or put a bpf-linker {VERSION} on PATH \
         (https://github.com/aya-rs/bpf-linker/releases has binaries)"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_minor_version_fits() {
        for (version, expect) in
            [("bpf-linker 0.13.0", true), ("bpf-linker 0.13.7\n", true), ("bpf-linker 0.14.0", false), ("", false)]
        {
            assert_eq!(fits(version), expect, "{version:?}");
        }
    }
}
