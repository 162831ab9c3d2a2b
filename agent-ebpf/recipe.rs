// How the eBPF object is built: included by `agent/build.rs`, which embeds the object, and by `cargo xtask build-ebpf`,
// which shows it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The command that builds the eBPF object below `target_dir`, and where the object will be.
///
/// The stable toolchain builds it: `core` comes from the `rust-src` component (`-Z build-std`), and `RUSTC_BOOTSTRAP`
/// allows the few unstable features that aya's kernel half needs. Instruction set v3 has 32-bit arithmetic; every
/// supported kernel has it.
pub(crate) fn ebpf_build(workspace: &Path, target_dir: &Path, log: bool) -> (Command, PathBuf) {
    let triple = if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };
    let rustflags = format!(
        "--cfg=bpf_target_arch=\"{}\"\x1f-Ctarget-cpu=v3\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf",
        std::env::consts::ARCH
    );
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(workspace.join("agent-ebpf"))
        .args(["build", "--release", "--locked", "-Z", "build-std=core", "--target", triple, "--target-dir"])
        .arg(target_dir)
        .args(log.then_some("--features=log"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags)
        // The outer cargo's choices for the host are not for this target.
        .env_remove("RUSTC")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    (cargo, target_dir.join(triple).join("release/agent-ebpf"))
}
