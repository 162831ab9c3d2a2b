//! Where unsafe code may be.

use super::rust::{code, words};
use super::tree::{Finding, Tree};

/// The files that may hold unsafe code. A new one needs an ADR.
const ALLOWED: [&str; 8] = [
    "agent-common/src/pod.rs",
    "agent-ebpf/src/kernel.rs",
    "agent-ebpf/src/maps.rs",
    "agent-ebpf/src/packet.rs",
    "agent-ebpf/src/socket.rs",
    "agent-ebpf/src/steer.rs",
    "agent/src/bypass/raw.rs",
    "agent/src/sandbox/fds.rs",
];

/// Finds unsafe code elsewhere.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.rust().filter(|file| !ALLOWED.contains(&file.path.as_str()));
    let lines = files.flat_map(|file| code(&file.text).map(move |(number, line)| (&file.path, number, line)));
    let lines = lines.filter(|(_, _, line)| words(line).any(|word| word == "unsafe"));
    lines.map(|(path, number, _)| format!("{path}:{number}: unsafe code is not allowed in this file")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_outside_the_list() {
        for (file, text, expect) in [
            ("agent/src/sandbox/child.rs", "let a = unsafe { b() };", 1),
            ("agent/src/sandbox/child.rs", "#[unsafe(no_mangle)]", 1),
            ("agent/src/sandbox/child.rs", "#![deny(unsafe_code)] // unsafe", 0),
            ("agent-common/src/pod.rs", "unsafe impl Pod for X {}", 0),
        ] {
            assert_eq!(check(&Tree::from([(file, text)])).len(), expect, "{file}: {text}");
        }
    }
}
