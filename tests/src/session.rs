//! A session that is up: what can be run in it, asked of it, and done to it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use crate::agent::{Running, agent_on};
use crate::facts;
use crate::lab::COMMAND;
use crate::leftovers::Leftovers;
use crate::netns::{Netns, command_in};
use crate::process::{self, Output, Process};
use crate::procfs::worker_of;
use crate::recorded::Recorded;
use crate::wait::eventually;

/// A session that is up without a command.
pub struct Session<'a> {
    running: Running,
    host: &'a Netns,
    leftovers: Leftovers,
    log: PathBuf,
}

impl<'a> Session<'a> {
    pub(crate) fn new(running: Running, host: &'a Netns, log: PathBuf) -> Self {
        let leftovers = Leftovers::of_running(running.name());
        Self { running, host, leftovers, log }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.running.name()
    }

    /// The supervisor.
    pub fn pid(&mut self) -> Pid {
        self.running.process().pid()
    }

    /// The worker.
    ///
    /// # Panics
    /// If there is none.
    pub fn worker(&mut self) -> Pid {
        let supervisor = self.pid();
        eventually("there is a worker", || worker_of(supervisor))
    }

    /// The gateway's namespace, which has no name, as a path: the supervisor holds it.
    ///
    /// # Panics
    /// If the supervisor holds no such namespace.
    pub fn gateway(&mut self) -> String {
        let inode = |path: &Path| std::fs::metadata(path).map(|file| file.ino());
        let known = [self.host.path(), Path::new("/run/netns").join(self.name())].map(|path| inode(&path).unwrap());
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().flatten().map(|entry| entry.path());
        let mut namespaces =
            fds.filter(|fd| std::fs::read_link(fd).is_ok_and(|link| link.to_string_lossy().starts_with("net:")));
        let gateway = namespaces.find(|fd| inode(fd).is_ok_and(|inode| !known.contains(&inode)));
        gateway.unwrap().to_str().unwrap().to_owned()
    }

    /// Runs a command in the session, as `agent exec` does.
    #[must_use]
    pub fn exec(&self, argv: &[&str]) -> Output {
        self.exec_within(COMMAND, argv)
    }

    /// Runs a command that may take longer.
    #[must_use]
    pub fn exec_within(&self, limit: Duration, argv: &[&str]) -> Output {
        self.spawn(argv).finish_within(limit)
    }

    /// Runs a shell script in the session.
    #[must_use]
    pub fn shell(&self, script: &str) -> Output {
        self.exec(&["sh", "-c", script])
    }

    /// Starts a command in the session.
    #[must_use]
    pub fn spawn(&self, argv: &[&str]) -> Process {
        let mut command = self.agent_command(&["exec", self.name(), "--"]);
        Process::spawn(command.args(argv))
    }

    /// A command with all of root's capabilities in the session's namespace, which no command of the session has.
    #[must_use]
    pub fn as_root(&self, program: &str) -> Command {
        command_in(self.name(), program)
    }

    /// Another agent on the same host.
    #[must_use]
    pub fn agent_command(&self, args: &[&str]) -> Command {
        agent_on(self.host, args)
    }

    /// Runs another agent on the same host.
    #[must_use]
    pub fn agent(&self, args: &[&str]) -> Output {
        process::run(&mut self.agent_command(args))
    }

    /// What `agent stats --json` says.
    ///
    /// # Panics
    /// If it is no JSON.
    #[must_use]
    pub fn stats(&self) -> Value {
        serde_json::from_str(self.agent(&["stats", self.name(), "--json"]).ok()).unwrap()
    }

    /// Sends the supervisor a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.running.process().signal(signal);
    }

    /// Ends the session as `agent down` does and asserts that nothing is left.
    ///
    /// # Panics
    /// If it does not end well.
    pub fn down(self) {
        self.agent(&["down", self.name()]).ok();
        self.ended(0);
    }

    /// Waits until the supervisor has ended, with this status, and asserts that nothing is left.
    ///
    /// # Panics
    /// If it does not end so.
    pub fn ended(self, status: i32) {
        let Self { running, leftovers, .. } = self;
        running.finish().assert_status(status);
        leftovers.assert_clean();
    }

    /// Waits until the supervisor is dead, whatever it left.
    #[must_use]
    pub fn died(self) -> Leftovers {
        let Self { running, leftovers, .. } = self;
        running.finish();
        leftovers
    }

    /// Where it is recorded.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn capture(&self) -> Recorded {
        let status: Value = serde_json::from_str(self.agent(&["status", self.name(), "--json"]).ok()).unwrap();
        Recorded(status["capture"].as_str().unwrap().into())
    }

    /// What the session has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let live = Path::new("/run/agent").join(self.name()).join("log");
        std::fs::read_to_string(live).or_else(|_| std::fs::read_to_string(&self.log)).unwrap_or_default()
    }

    /// What the log says of the facts of this name.
    #[must_use]
    pub fn events(&self, name: &str) -> Vec<Value> {
        facts::of(&self.log(), name)
    }
}
