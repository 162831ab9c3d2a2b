//! Attempts at moments of a session's life at which it might be open: each has a session of its own, whose command does
//! nothing but try, as fast as it can.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::arena::{Arena, RESOLVER};
use super::inside::{agent, killed, worker_of};
use super::judge::{Verdict, seen_outside};
use crate::bypass::{Level, Moment, Target};
use crate::sandbox::{cgroup, session};

/// Rounds of attempts before and after what happens to the session.
const ROUNDS: usize = 20;
/// How long something that is to end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes an attempt at `moment` of a session of its own.
///
/// # Errors
/// If the session cannot be brought to that moment.
pub(super) fn try_at(arena: &Arena, moment: Moment, target: &Target, user: &str) -> anyhow::Result<Verdict> {
    arena.watch.clear();
    let mut trying = Trying::start(arena, moment, target, user)?;
    let stopped_by = match moment {
        Moment::Start => {
            trying.rounds(ROUNDS)?;
            "links come up last"
        }
        Moment::WorkerDies => {
            trying.rounds(ROUNDS)?;
            for _ in 0..3 {
                kill_worker(trying.supervisor()?)?;
                trying.rounds(ROUNDS)?;
            }
            "a gateway without a way out"
        }
        Moment::SupervisorDies => {
            trying.rounds(ROUNDS)?;
            kill(Pid::from_raw(trying.supervisor()?), Signal::SIGKILL).context("cannot kill the supervisor")?;
            trying.rounds(ROUNDS)?;
            "the gateway ends with its last descriptor"
        }
        Moment::Teardown => {
            trying.rounds(ROUNDS)?;
            let mut down = agent(&["down", "--now", &trying.name]);
            let ended = arena.on_host(move || down.output().context("cannot end the session"))?;
            ensure!(ended.status.success(), "`agent down`: {}", String::from_utf8_lossy(&ended.stderr));
            "processes end before the gateway"
        }
        Moment::Outlives => "the control group ends with the session",
    };
    let left = trying.end(arena)?;
    arena.settle()?;
    Ok(match (seen_outside(arena, target, &target.token, true), left) {
        (Some(leak), _) => Verdict::Leaked(leak),
        (None, 0) => Verdict::Held { by: stopped_by.into(), reported: "-".into() },
        (None, left) => Verdict::Wrong(format!("{left} processes of the session are left")),
    })
}

fn kill_worker(supervisor: i32) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match worker_of(supervisor) {
            0 => ensure!(Instant::now() < deadline, "there is no worker"),
            worker => return kill(Pid::from_raw(worker), Signal::SIGKILL).context("cannot kill the worker"),
        }
        std::thread::yield_now();
    }
}

/// A session whose command tries.
struct Trying {
    name: String,
    process: Child,
    held: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

impl Trying {
    fn start(arena: &Arena, moment: Moment, target: &Target, user: &str) -> anyhow::Result<Self> {
        let name = format!("bypass-{}-{moment:?}-{}", std::process::id(), target.level.name());
        let mut command = agent(&["run", "--netns", &name, "--user", user, "--mode", "enforce", "--no-capture"]);
        command.arg("--dns").arg(RESOLVER.to_string()).arg("--config").arg(&arena.rules);
        if target.level == Level::NetAdmin {
            command.arg("--allow-net-admin");
        }
        let role = if moment == Moment::Outlives { crate::cli::LEAVE } else { crate::cli::PESTER };
        command.args(["--", "/proc/self/exe", role, &serde_json::to_string(target)?]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = arena.on_host(move || command.spawn().context("cannot start a session"))?;
        let said = process.stdout.take().context("the session has no output")?;
        Ok(Self { name, held: process.stdin.take(), process, said: BufReader::new(said).lines() })
    }

    /// Waits until the command has tried so many times more.
    fn rounds(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.said.next().context("the command has ended")?.context("cannot hear from the command")?;
        }
        Ok(())
    }

    fn supervisor(&self) -> anyhow::Result<i32> {
        session::holder(&self.name.parse()?).context("the session has no supervisor")
    }

    /// Ends the session, if it has not ended, removes what is left of it, and says how many processes there were then.
    fn end(mut self, arena: &Arena) -> anyhow::Result<usize> {
        drop(self.held.take());
        let group = cgroup::path(&self.name.parse()?)?;
        let status = self.process.wait().context("cannot wait for a session's end")?;
        if killed(status).is_some() {
            // Nobody is there to clean up: the user's part, or the next start's.
            let mut gc = agent(&["down", &self.name]);
            arena.on_host(move || gc.output().context("cannot remove the session"))?;
        }
        Ok(cgroup::processes(&group).len())
    }
}
