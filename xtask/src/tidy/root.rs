//! The root folder holds what the design names and nothing else.

use super::tree::{Finding, Tree};

const ALLOWED: [&str; 14] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "agent",
    "agent-common",
    "agent-ebpf",
    "docs",
    "profiles",
    "rust-toolchain.toml",
    "target",
    "tests",
    "xtask",
];

/// Finds other names; dot-files are free.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let strangers = tree.root.iter().filter(|name| !name.starts_with('.') && !ALLOWED.contains(&name.as_str()));
    strangers.map(|name| format!("{name}:1: does not belong in the root folder")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_found() {
        let root = ["agent", ".ci", "target", "scripts", "Makefile"].map(str::to_owned).into();
        let findings = check(&Tree { root, files: Vec::new() });
        assert_eq!(findings.len(), 2, "{findings:?}");
    }
}
