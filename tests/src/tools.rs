//! What the suites need of the machine. A test that lacks it fails; none is skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// Where programs are looked for, and what the commands in the lab get as `PATH`: the distribution's own programs, not
/// what a developer's shell puts before them.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

const NEEDED: [&str; 26] = [
    "nginx",
    "curl",
    "nghttp",
    "h2load",
    "openssl",
    "certutil",
    "tstclnt",
    "gnutls-cli",
    "ip",
    "nft",
    "nsenter",
    "unshare",
    "setpriv",
    "node",
    "java",
    "javac",
    "chromium",
    "ping",
    "sha256sum",
    "python3",
    "getent",
    "git",
    "wget",
    "tcpdump",
    "tshark",
    "cmp",
];

/// Checks once that this process is root and finds its tools.
///
/// # Panics
/// If not; the message says what to do.
pub fn require() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        assert!(nix::unistd::geteuid().is_root(), "the suites need root; run `cargo xtask test`");
        let missing: Vec<&str> = NEEDED.into_iter().filter(|program| find(program).is_none()).collect();
        assert!(missing.is_empty(), "missing: {}; run `cargo xtask setup`", missing.join(", "));
    });
}

/// Where a program is.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    PATH.split(':').map(|directory| Path::new(directory).join(program)).find(|path| path.is_file())
}

/// A command with a small, known environment.
#[must_use]
pub fn command(program: &str) -> Command {
    let path = if program.contains('/') { program.into() } else { find(program).unwrap_or_else(|| program.into()) };
    #[expect(clippy::disallowed_methods, reason = "the one place where the harness makes a command")]
    let mut command = Command::new(path);
    command.env_clear().env("PATH", PATH).env("HOME", "/root").env("LANG", "C.UTF-8").env("TERM", "xterm");
    command
}

/// The binary under test: `AGENT_BIN`, or the one that cargo built beside this program.
///
/// # Panics
/// If it has not been built.
#[must_use]
pub fn agent_binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the one variable that the harness reads")]
    let given = std::env::var_os("AGENT_BIN").map(PathBuf::from);
    given.unwrap_or_else(|| beside("agent").into())
}

/// A program that cargo built beside this one.
///
/// # Panics
/// If it has not been built.
#[must_use]
pub fn beside(program: &str) -> String {
    let exe = std::env::current_exe().unwrap();
    // Beside a program of this package, or one above a test, which cargo puts into `deps`.
    let mut places = exe.ancestors().skip(1).take(2).map(|directory| directory.join(program));
    let found = places.find(|path| path.is_file());
    let found = found.unwrap_or_else(|| panic!("`{program}` is not built; run `cargo build --workspace --bins`"));
    found.to_str().unwrap().to_owned()
}

/// A file of this package's `programs/`.
#[must_use]
pub fn program(name: &str) -> String {
    format!("{}/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The eBPF object that was built into the binary under test: the newest that its build left.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn ebpf_object() -> Vec<u8> {
    let build = agent_binary().parent().unwrap().join("build");
    let packages = std::fs::read_dir(&build).unwrap().flatten().map(|entry| entry.path().join("out/ebpf"));
    let targets = packages.flat_map(|ebpf| std::fs::read_dir(ebpf).into_iter().flatten().flatten());
    let objects = targets.map(|target| target.path().join("release/agent-ebpf")).filter(|object| object.is_file());
    let newest = objects.max_by_key(|object| std::fs::metadata(object).unwrap().modified().unwrap());
    let object = newest.unwrap_or_else(|| panic!("no eBPF object below `{}`; run `cargo build`", build.display()));
    std::fs::read(object).unwrap()
}
