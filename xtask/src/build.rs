//! Builds the eBPF object and the release binary, shows the one and installs the other.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use crate::shell::{as_root, command, print, run, say, workspace};

#[path = "../../agent-ebpf/recipe.rs"]
pub(crate) mod recipe;

/// Builds the eBPF programs as the release binary embeds them, and prints each one's section and size.
pub(crate) fn ebpf() -> Result<()> {
    let (mut build, object) = recipe::ebpf_build(workspace(), &ebpf_target(), false);
    run(&mut build)?;
    let bytes = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    print(&format!("{:<16} {:<16} instructions", "program", "section"));
    for program in programs(&bytes)? {
        print(&format!("{:<16} {:<16} {:>12}", program.name, program.section, program.instructions));
    }
    Ok(())
}

/// Builds the release binary.
pub(crate) fn release() -> Result<()> {
    run(&mut command("cargo", &["build", "--release", "--locked", "--package", "agent"]))
}

/// Copies the release binary to `folder` so that another process sees the old one or the new one, never half of it.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let built = workspace().join("target/release/agent");
    if !built.is_file() {
        bail!("{} is not there; `cargo xtask build` makes it", built.display());
    }
    copy(&built, folder).with_context(|| format!("cannot install to {}", folder.display()))?;
    say(&format!("installed {}", folder.join("agent").display()));
    Ok(())
}

fn copy(built: &Path, folder: &Path) -> Result<()> {
    let (partial, installed) = (folder.join(".agent.partial"), folder.join("agent"));
    match fs::copy(built, &partial) {
        Ok(_) => {
            fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))?;
            Ok(fs::rename(&partial, &installed)?)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let (built, partial) = (built.to_string_lossy(), partial.to_string_lossy());
            run(&mut as_root("install", &["-m", "0755", &built, &partial])?)?;
            run(&mut as_root("mv", &["-f", &partial, &installed.to_string_lossy()])?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where `xtask` builds eBPF programs; the agent's build script has a folder of its own.
pub(crate) fn ebpf_target() -> PathBuf {
    workspace().join("target/bpf")
}

/// One function of the object: a program, or a function that programs call.
#[derive(Debug, PartialEq)]
struct Program {
    name: String,
    section: String,
    instructions: u64,
}

/// The functions of an eBPF object, by section and name.
fn programs(object: &[u8]) -> Result<Vec<Program>> {
    /// Bytes of one eBPF instruction (RFC 9669, section 3).
    const INSTRUCTION: u64 = 8;
    let file = object::File::parse(object).context("the eBPF object is no ELF file")?;
    let mut programs = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let Some(index) = symbol.section_index() else { continue };
        programs.push(Program {
            name: symbol.name()?.to_owned(),
            section: file.section_by_index(index)?.name()?.to_owned(),
            instructions: symbol.size() / INSTRUCTION,
        });
    }
    programs.sort_by(|a, b| (&a.section, &a.name).cmp(&(&b.section, &b.name)));
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_replaces_the_binary_and_leaves_no_partial_copy() {
        let folder = std::env::temp_dir().join(format!("xtask-install-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("agent"), "old").unwrap();
        fs::write(folder.join("built"), "new").unwrap();
        copy(&folder.join("built"), &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("agent")).unwrap(), "new");
        assert_eq!(fs::metadata(folder.join("agent")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn install_fails_where_there_is_no_folder() {
        assert!(copy("/dev/null".as_ref(), "/dev/null/folder".as_ref()).is_err());
    }

    #[test]
    fn what_is_no_object_has_no_programs() {
        assert!(programs(b"\x7fELF").is_err());
    }
}
