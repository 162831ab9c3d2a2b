//! A network namespace with a name.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use crate::process::{self, Output};
use crate::tools;

/// A network namespace, deleted with its value. Processes in it are to be ended before.
pub struct Netns(String);

impl Netns {
    /// Makes one, with `lo` up.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn new(name: String) -> Self {
        process::run(tools::command("ip").args(["netns", "add", &name])).ok();
        let netns = Self(name);
        netns.ip(&["link set lo up"]);
        netns
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The file that names it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.0)
    }

    /// A command that runs in it, with everything else as it is outside.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        command_in(&self.0, program)
    }

    /// Runs `ip` commands in it, all in one process.
    ///
    /// # Panics
    /// If one fails.
    #[track_caller]
    pub fn ip(&self, commands: &[&str]) {
        let mut process = process::Process::spawn(tools::command("ip").args(["-netns", &self.0, "-batch", "-"]));
        process.write(commands.join("\n").as_bytes());
        process.finish().ok();
    }

    /// Runs a shell script in it.
    #[must_use]
    pub fn shell(&self, script: &str) -> Output {
        process::run(self.command("sh").args(["-c", script]))
    }

    /// Writes a sysctl of it, as in `net/ipv4/ip_forward`.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = PathBuf::from("/proc/sys").join(key);
        self.enter(|| std::fs::write(&path, value)).unwrap_or_else(|error| panic!("{key} = {value}: {error}"));
    }

    /// Calls `f` on a thread in the namespace.
    ///
    /// # Panics
    /// If the namespace cannot be entered.
    pub fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.path()).unwrap();
        let inside = || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            f()
        };
        std::thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        match tools::command("ip").args(["netns", "del", &self.0]).output() {
            Ok(output) if output.status.success() => {}
            other => eprintln!("{}: {other:?}", self.0),
        }
    }
}

/// A command that runs in the namespace of this name, with everything else as it is outside.
#[must_use]
pub fn command_in(netns: &str, program: &str) -> Command {
    let mut command = tools::command("nsenter");
    command
        .arg(format!("--net=/run/netns/{netns}"))
        .arg("--")
        .arg(tools::find(program).unwrap_or_else(|| program.into()));
    command
}
