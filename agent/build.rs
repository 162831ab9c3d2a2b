//! Builds the eBPF object and hands its path to `ebpf::load`, which embeds it.

#![expect(clippy::disallowed_methods, reason = "a build script is told what to do by the environment and runs cargo")]

use std::error::Error;
use std::path::PathBuf;

#[path = "../agent-ebpf/recipe.rs"]
mod recipe;

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    let target_dir = PathBuf::from(std::env::var("OUT_DIR")?).join("ebpf");
    for input in ["agent-ebpf", "agent-common/src", "Cargo.lock", "rust-toolchain.toml"] {
        println!("cargo:rerun-if-changed=../{input}");
    }
    let debug = std::env::var("PROFILE")? == "debug";
    let (mut cargo, object) = recipe::ebpf_build(&workspace, &target_dir, debug);
    let output = cargo.output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(
            format!("the eBPF programs did not build; `cargo xtask setup` installs what they need\n{why}").into()
        );
    }
    println!("cargo:rustc-env=AGENT_EBPF_OBJECT={}", object.display());
    Ok(())
}
