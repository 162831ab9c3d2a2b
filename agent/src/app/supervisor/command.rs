//! The session's command, as its parent sees it.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sandbox::session::Facts;

/// The running command. It is this program until it has entered the session, and then the command itself: one process,
/// with our terminal.
pub(super) struct Child(std::process::Child);

impl Child {
    pub(super) fn spawn(
        facts: &Facts,
        command: &[OsString],
        environment: &[(OsString, OsString)],
    ) -> anyhow::Result<Self> {
        let mut launch = super::this_program(crate::cli::LAUNCH);
        launch.arg(&facts.name).args(command).env_clear().envs(environment.iter().cloned());
        launch.spawn().map(Self).context("cannot start the command's process")
    }

    /// Passes a signal on.
    pub(super) fn forward(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(0));
        if let Err(errno) = kill(pid, signal) {
            tracing::debug!(%signal, %errno, "the command has ended already");
        }
    }

    /// The command's status, if it has ended.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.0.try_wait().context("cannot wait for the command")
    }
}

/// The exit status as shells give it: a signal's is 128 and its number.
pub(super) fn exit_status(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(125)
}
