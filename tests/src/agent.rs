//! The agent as its users start it: `agent run` around a command, or to bring a session up.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{COMMAND, Lab};
use crate::leftovers::Leftovers;
use crate::netns::Netns;
use crate::process::{Output, Process};
use crate::recorded::Recorded;
use crate::session::Session;
use crate::wait;
use crate::{scratch, tools};

/// An `agent run` that is about to be started, with a name of its own.
#[derive(Clone)]
pub struct Agent<'a> {
    host: &'a Netns,
    name: String,
    log: PathBuf,
    captures: PathBuf,
    allowing: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    wrapper: Vec<String>,
}

impl<'a> Agent<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        let name = scratch::unique();
        let log = lab.scratch.path().join(format!("{name}.log"));
        let state = lab.scratch.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        // Whoever a session is for makes the rest.
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o1777)).unwrap();
        let env = vec![("XDG_STATE_HOME".to_owned(), state.to_str().unwrap().to_owned())];
        let captures = state.join("agent/captures");
        let allowing =
            lab.scratch.write("allowing.toml", "check_addresses = false\n[[rule]]\nverdict = 'allow'\n").into();
        Self { host: &lab.host, name, log, captures, allowing, args: Vec::new(), env, wrapper: Vec::new() }
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

    /// `--mode enforce`. Without a file of its own, all that is understood is allowed.
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
        Session::new(running, self.host, self.log.clone())
    }

    /// What a session that has ended logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The latest capture of root's sessions of this name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn capture(&self) -> Recorded {
        let entries = std::fs::read_dir(&self.captures).unwrap().flatten().map(|entry| entry.path());
        let prefix = format!("{}-2", self.name);
        let ours = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix));
        Recorded(ours.max().unwrap())
    }

    /// The command line up to `--`. The process that it starts becomes the supervisor.
    #[must_use]
    pub fn command(&self) -> Command {
        let agent = tools::agent_binary();
        let words: Vec<&OsStr> = self.wrapper.iter().map(OsStr::new).chain([agent.as_os_str()]).collect();
        let mut command = self.host.command(words[0].to_str().unwrap());
        command.args(&words[1..]).arg("run").arg("--netns").arg(&self.name);
        command.arg("--log").arg(&self.log).args(&self.args);
        let has = |word: &str| self.args.iter().any(|arg| arg == word);
        if has("enforce") && !has("--config") {
            command.arg("--config").arg(&self.allowing);
        }
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
    /// The session's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

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

/// A command of the agent on this host.
#[must_use]
pub fn agent_on(host: &Netns, args: &[&str]) -> Command {
    let mut command = host.command(tools::agent_binary().to_str().unwrap());
    command.args(args);
    command
}
