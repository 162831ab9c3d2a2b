//! Who may name what: the arrows between the modules of `agent`. The engine stays pure, siblings do not know one
//! another, one folder names aya, one reads the environment.

use super::rust::{is_test, paths};
use super::tree::{Finding, Tree};

/// One row: in `folder`, except in `allowed`, code names none of `paths`.
struct Row {
    folder: &'static str,
    allowed: &'static [&'static str],
    /// Segments from the path's start; after `..`, anywhere in it.
    paths: &'static [&'static str],
    why: &'static str,
}

const SIBLINGS: [&str; 7] = ["sandbox", "ebpf", "proxy", "dns", "bypass", "capture", "ui"];

const TABLE: [Row; 5] = [
    Row {
        folder: "agent/src/engine/",
        allowed: &[],
        paths: &[
            "tokio",
            "aya",
            "rustls",
            "hyper",
            "nix",
            "socket2",
            "rand",
            "fastrand",
            "getrandom",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "..TcpStream",
            "..TcpListener",
            "..UdpSocket",
            "..ToSocketAddrs",
            "..UnixStream",
            "..SystemTime",
            "..Instant::now",
            "..OsRng",
        ],
        why: "the engine is pure: bytes, time and dice come in as arguments",
    },
    Row {
        folder: "agent/src/engine/",
        allowed: &[],
        paths: &[
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::sandbox",
            "crate::ebpf",
            "crate::proxy",
            "crate::dns",
            "crate::capture",
            "crate::ui",
        ],
        why: "the engine imports nobody",
    },
    Row {
        folder: "agent/src/",
        allowed: &["agent/src/ebpf/"],
        paths: &["aya", "aya_log", "aya_obj"],
        why: "only `ebpf/` names aya",
    },
    Row {
        folder: "agent-common/src/",
        allowed: &["agent-common/src/pod.rs"],
        paths: &["aya"],
        why: "only `pod.rs` names aya",
    },
    Row {
        folder: "agent/src/",
        allowed: &["agent/src/config/"],
        paths: &["..env::var", "..env::vars", "..env::var_os", "..env::vars_os", "..env::set_var", "..env::remove_var"],
        why: "only `config/` reads the environment",
    },
];

/// Finds paths that the table forbids.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.rust().filter(|file| !is_test(&file.path));
    files.flat_map(|file| paths(&file.text).into_iter().filter_map(|named| forbidden(&file.path, &named))).collect()
}

fn forbidden(file: &str, (line, path): &(usize, Vec<String>)) -> Option<Finding> {
    let row = TABLE.iter().find(|row| row.covers(file) && row.paths.iter().any(|pattern| names(path, pattern)));
    let why =
        row.map(|row| row.why).or_else(|| names_sibling(file, path).then_some("siblings never import one another"))?;
    Some(format!("{file}:{line}: names `{}`: {why}", path.join("::")))
}

impl Row {
    fn covers(&self, file: &str) -> bool {
        file.starts_with(self.folder) && !self.allowed.iter().any(|allowed| file.starts_with(allowed))
    }
}

fn names(path: &[String], pattern: &str) -> bool {
    let segments = |pattern: &str| pattern.split("::").map(str::to_owned).collect::<Vec<_>>();
    match pattern.strip_prefix("..") {
        Some(anywhere) => {
            let wanted = segments(anywhere);
            path.windows(wanted.len()).any(|window| window == wanted)
        }
        None => path.starts_with(&segments(pattern)),
    }
}

fn names_sibling(file: &str, path: &[String]) -> bool {
    let own = file.strip_prefix("agent/src/").and_then(|file| file.split(['/', '.']).next());
    let is_sibling = |name: &str| SIBLINGS.contains(&name);
    match (own, path) {
        (Some(own), [start, other, ..]) if is_sibling(own) => {
            matches!(start.as_str(), "crate" | "super") && is_sibling(other) && other != own
                // `super::dns` below `proxy/http/` is that folder's own `dns`.
                && (start == "crate" || file == format!("agent/src/{own}/mod.rs"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_paths_are_found_and_others_are_not() {
        for (file, text, expect) in [
            ("agent/src/engine/a.rs", "use tokio::net::X;", true),
            ("agent/src/engine/a.rs", "use std::{fmt, fs};", true),
            ("agent/src/engine/a.rs", "let t = std::time::Instant::now();", true),
            ("agent/src/engine/a.rs", "use std::time::Instant;", false),
            ("agent/src/engine/a.rs", "use std::net::{IpAddr, UdpSocket};", true),
            ("agent/src/engine/a.rs", "use std::net::IpAddr;", false),
            ("agent/src/engine/a.rs", "use crate::dns::Config;", true),
            ("agent/src/engine/a.rs", "use crate::engine::wire::dns;", false),
            ("agent/src/proxy/a.rs", "use crate::dns::Names;", true),
            ("agent/src/proxy/a.rs", "use crate::{dns::Names, engine};", true),
            ("agent/src/proxy/mod.rs", "use super::dns::Names;", true),
            ("agent/src/proxy/a.rs", "use crate::engine::event;", false),
            ("agent/src/proxy/a.rs", "use crate::proxy::b;", false),
            ("agent/src/app/a.rs", "use crate::dns::Names;", false),
            ("agent/src/app/a.rs", "use aya::Ebpf;", true),
            ("agent/src/ebpf/a.rs", "use aya::Ebpf;", false),
            ("agent-common/src/maps.rs", "use aya::Pod;", true),
            ("agent-common/src/pod.rs", "use aya::Pod;", false),
            ("agent/src/app/a.rs", "let home = env::var_os(HOME);", true),
            ("agent/src/app/a.rs", "let file = env!(HOME);", false),
            ("agent/src/config/a.rs", "let home = std::env::var_os(HOME);", false),
            ("agent/src/engine/a/tests.rs", "use std::fs;", false),
        ] {
            let findings = check(&Tree::from([(file, text)]));
            assert_eq!(!findings.is_empty(), expect, "{file}: {text}: {findings:?}");
        }
    }
}
