//! The pinned Rust toolchain and its components. Asks for them by name, since rustup may be told not to install by
//! itself (RUSTUP_AUTO_INSTALL=0), and cargo then fails late or runs without `rust-src`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell::{command, find, read, run, say, workspace};

/// Installs the toolchain of `rust-toolchain.toml`; returns whether anything was missing.
pub(crate) fn install() -> Result<bool> {
    let text =
        fs::read_to_string(workspace().join("rust-toolchain.toml")).context("cannot read rust-toolchain.toml")?;
    let pinned = Pinned::parse(&text)?;
    let missing = pinned.missing();
    if missing.is_empty() {
        return Ok(false);
    }
    if find("rustup").is_none() {
        bail!("Rust {} lacks {}; install it with https://rustup.rs", pinned.channel, missing.join(", "));
    }
    say(&format!("setup: Rust {} with {}", pinned.channel, pinned.components.join(", ")));
    let mut rustup = command("rustup", &["toolchain", "install", &pinned.channel, "--profile", "minimal"]);
    for component in &pinned.components {
        rustup.args(["--component", component]);
    }
    run(&mut rustup)?;
    Ok(true)
}

/// What `rust-toolchain.toml` asks for.
#[derive(Debug, PartialEq)]
struct Pinned {
    channel: String,
    components: Vec<String>,
}

impl Pinned {
    fn parse(text: &str) -> Result<Self> {
        let value = |key: &str| {
            let assignments = text.lines().filter_map(|line| line.split_once('='));
            assignments.filter(|(name, _)| name.trim() == key).map(|(_, value)| value).next()
        };
        let strings = |value: &str| value.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let channel = value("channel").map(strings).and_then(|channels| channels.into_iter().next());
        let channel = channel.context("rust-toolchain.toml names no channel")?;
        Ok(Self { channel, components: value("components").map(strings).unwrap_or_default() })
    }

    /// What the active toolchain lacks, by the files that each part brings: asking rustup would take longer.
    fn missing(&self) -> Vec<&str> {
        let Ok(version) = read(&mut command("rustc", &["--version"])) else { return vec!["rustc"] };
        let Ok(root) = read(&mut command("rustc", &["--print", "sysroot"])) else { return vec!["rustc"] };
        if !version.contains(&self.channel) {
            return vec!["rustc"];
        }
        let components = self.components.iter().map(String::as_str);
        components.filter(|component| !Path::new(root.trim()).join(file_of(component)).exists()).collect()
    }
}

/// A file that `component` brings, below the toolchain's root.
fn file_of(component: &str) -> &str {
    match component {
        "rust-src" => "lib/rustlib/src/rust/library/Cargo.lock",
        "clippy" => "bin/cargo-clippy",
        "rustfmt" => "bin/rustfmt",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_toolchain_is_read() {
        let text =
            "[toolchain]\nchannel = \"1.95.0\"\ncomponents = [\"rust-src\", \"clippy\"]\nprofile = \"minimal\"\n";
        let expect = Pinned { channel: "1.95.0".into(), components: vec!["rust-src".into(), "clippy".into()] };
        assert_eq!(Pinned::parse(text).unwrap(), expect);
        assert!(Pinned::parse("[toolchain]\n").is_err());
    }
}
