//! Starts other programs and talks to the terminal. Knows no program in particular.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Tells the person who runs us something.
#[expect(clippy::print_stderr, reason = "the one place that owns the terminal")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Prints a result.
#[expect(clippy::print_stdout, reason = "the one place that owns the terminal")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// A command that runs in the workspace's root folder.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).args(args);
    command
}

/// Shows the command and runs it; fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    say(&format!("+ {line}"));
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs the command silently and returns what it printed; fails if it fails.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command.output().with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where `program` is, on PATH, among cargo's programs, or where the system keeps its daemons.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    env::split_paths(&path)
        .chain(cargo_home.map(|home| home.join("bin")))
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether we may do what only root may.
pub(crate) fn is_root() -> Result<bool> {
    Ok(read(&mut command("id", &["-u"]))?.trim() == "0")
}

/// The command with root's rights: through `sudo` if we are not root.
pub(crate) fn as_root(program: &str, args: &[&str]) -> Result<Command> {
    if is_root()? {
        return Ok(command(program, args));
    }
    if find("sudo").is_none() {
        bail!("root is needed and there is no `sudo`; as root, run: {program} {}", args.join(" "));
    }
    Ok(command("sudo", &[&[program], args].concat()))
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
