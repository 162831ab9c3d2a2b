//! The agent as its users start it: `agent run` around a command, or a session that stays up.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use crate::lab::{COMMAND, Lab};
use crate::leftovers::Leftovers;
use crate::netns::{Netns, command_in};
use crate::process::{self, Output, Process};
use crate::wait::{self, eventually};
use crate::{scratch, tools};

/// An `agent run` that is about to be started, with a name of its own.
#[derive(Clone)]
pub struct Agent<'a> {
    host: &'a Netns,
    name: String,
    log: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    wrapper: Vec<String>,
}

impl<'a> Agent<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        let name = scratch::unique();
        let log = lab.scratch.path().join(format!("{name}.log"));
        Self { host: &lab.host, name, log, args: Vec::new(), env: Vec::new(), wrapper: Vec::new() }
    }

    /// Adds options.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Takes all options away, the lab's included.
    #[must_use]
    pub fn no_args(mut self) -> Self {
        self.args.clear();
        self
    }

    /// `--mode enforce`.
    #[must_use]
    pub fn enforce(self) -> Self {
        self.args(&["--mode", "enforce"])
    }

    /// Gives the session another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets a variable of the agent's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the agent through another program, such as setpriv(1).
    #[must_use]
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|arg| (*arg).to_owned()).collect();
        self
    }

    /// The session's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a command to its end and asserts that nothing is left.
    ///
    /// # Panics
    /// If it does not end in time or leaves something.
    #[must_use]
    pub fn run(&self, argv: &[&str]) -> Output {
        self.run_within(COMMAND, argv)
    }

    /// Runs a command that may take longer.
    ///
    /// # Panics
    /// As [`Agent::run`].
    #[must_use]
    pub fn run_within(&self, limit: Duration, argv: &[&str]) -> Output {
        let output = self.spawn(argv).finish_within(limit);
        if output.status != 0 {
            eprintln!("{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
        Leftovers::of(&self.name).assert_clean();
        output
    }

    /// Runs a shell script.
    #[must_use]
    pub fn shell(&self, script: &str) -> Output {
        self.run(&["sh", "-c", script])
    }

    /// Starts a command.
    #[must_use]
    pub fn spawn(&self, argv: &[&str]) -> Running {
        let mut command = self.command();
        command.arg("--").args(argv);
        Running { process: Some(Process::spawn(&mut command)), name: self.name.clone() }
    }

    /// Brings a session up without a command.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn up(&self) -> Session<'a> {
        let mut running = Running { process: Some(Process::spawn(&mut self.command())), name: self.name.clone() };
        running.process().wait_line("ready");
        let leftovers = Leftovers::of_running(&self.name);
        Session { running, host: self.host, leftovers, log: self.log.clone() }
    }

    /// What a session that has ended logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The command line up to `--`. The process that it starts becomes the supervisor.
    #[must_use]
    pub fn command(&self) -> Command {
        let agent = tools::agent_binary();
        let words: Vec<&OsStr> = self.wrapper.iter().map(OsStr::new).chain([agent.as_os_str()]).collect();
        let mut command = self.host.command(words[0].to_str().unwrap());
        command.args(&words[1..]).arg("run").arg("--netns").arg(&self.name);
        command.arg("--log").arg(&self.log).args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running `agent run`. When dropped, it is asked to end, and made to.
pub struct Running {
    process: Option<Process>,
    name: String,
}

impl Running {
    /// The supervisor's process.
    ///
    /// # Panics
    /// Never: the process is taken only by [`Running::finish`].
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn finish(self) -> Output {
        self.finish_within(COMMAND)
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// If it does not within `limit`.
    pub fn finish_within(mut self, limit: Duration) -> Output {
        self.process.take().unwrap().finish_within(limit)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.is_alive() {
            process.signal(Signal::SIGTERM);
            wait::within(Duration::from_secs(10), || (!process.is_alive()).then_some(()));
        }
        drop(self.process.take());
        // Whatever it could not remove itself.
        if Path::new("/run/agent").join(&self.name).exists() {
            eprintln!(
                "{:?}",
                tools::command(tools::agent_binary().to_str().unwrap()).args(["down", &self.name]).output()
            );
        }
    }
}

/// A session that is up without a command.
pub struct Session<'a> {
    running: Running,
    host: &'a Netns,
    leftovers: Leftovers,
    log: PathBuf,
}

impl Session<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.running.name
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

    /// What the session has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let live = Path::new("/run/agent").join(self.name()).join("log");
        std::fs::read_to_string(live).or_else(|_| std::fs::read_to_string(&self.log)).unwrap_or_default()
    }
}

/// A command of the agent on this host.
#[must_use]
pub fn agent_on(host: &Netns, args: &[&str]) -> Command {
    let mut command = host.command(tools::agent_binary().to_str().unwrap());
    command.args(args);
    command
}

/// The worker among the children of a supervisor.
#[must_use]
pub fn worker_of(supervisor: Pid) -> Option<Pid> {
    children(supervisor).into_iter().find(|pid| {
        let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command_line.split(|byte| *byte == 0).nth(1) == Some(b"__worker")
    })
}

/// The children of all threads of a process.
///
/// # Panics
/// If the kernel lists what is no number.
#[must_use]
pub fn children(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<String> =
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    pids.iter().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// The value of a field in `/proc/PID/status`.
///
/// # Panics
/// If there is no such process or field.
#[must_use]
pub fn status_of(pid: Pid, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {status}")).trim().to_owned()
}
