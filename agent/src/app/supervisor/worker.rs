//! The worker, as its parent sees it: started, handed its settings, started again when it dies, drained at the end.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use agent_common::maps;
use agent_common::owner::OWNERS;
use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

use super::this_program;
use crate::app::handoff::{self, Order, Report, Reports, Settings};
use crate::app::packets::Extra;
use crate::app::sandbox_up::Sandbox;
use crate::app::worker::RECORDS;
use crate::capture;
use crate::config::{self, invoker};
use crate::engine::policy::Policy;
use crate::sandbox::capture_directory::Directory;
use crate::sandbox::link::GATEWAY_IFINDEX;
use crate::sandbox::privileges;
use crate::sandbox::standing::Standing;

/// A worker that died is replaced after this long; the listeners live on and clients queue.
const RESPAWN: Duration = Duration::from_millis(100);
/// One that dies again and again is replaced after twice as long each time, up to this.
const RESPAWN_MAX: Duration = Duration::from_secs(5);
/// A worker that has lived this long counts as sound.
const SOUND: Duration = Duration::from_secs(10);
/// How long open connections may take to finish after the last process of the session has ended.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a worker may take to say that it is ready.
const READY: Duration = Duration::from_secs(10);

/// A worker process that waits for its settings.
pub(super) struct Starting {
    process: std::process::Child,
    socket: UnixStream,
    reports: Reports,
}

impl Starting {
    /// Starts the process. Its environment is empty: nothing in it is the worker's business.
    pub(super) fn spawn(log: &File, capture: Option<&Directory>) -> anyhow::Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
        let log = log.try_clone().context("cannot duplicate the log")?;
        let mut program = this_program(crate::cli::WORKER);
        if let Some(directory) = capture {
            // By its descriptor: those above it are the user's, who may put another in its place.
            program.arg(RECORDS).current_dir(format!("/proc/self/fd/{}", directory.handle.as_raw_fd()));
        }
        let process = program
            .env_clear()
            // Not of the terminal's foreground group: what the user types is for the command.
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start the worker")?;
        Ok(Self { process, socket: ours, reports: Reports::default() })
    }

    /// Gives the worker what it needs.
    pub(super) fn hand_over(
        mut self,
        briefing: Briefing,
        sandbox: &Sandbox,
        log: File,
        capture: Option<Directory>,
    ) -> anyhow::Result<Worker> {
        self.wait_confined()?;
        send(&self.socket, &briefing, sandbox)?;
        let (since, patience, heard) = (Instant::now(), RESPAWN / 2, Vec::new());
        Ok(Worker { alive: Some(self), since, patience, briefing, log, capture, heard, is_deaf: false })
    }

    /// Waits until the worker says that it has given up its privileges, and looks whether the kernel says so, too.
    fn wait_confined(&mut self) -> anyhow::Result<()> {
        let mut heard = [0];
        let read = self.socket.set_read_timeout(Some(READY)).and_then(|()| self.socket.read_exact(&mut heard));
        match read {
            Ok(()) if heard == [handoff::CONFINED] => {}
            Ok(()) => anyhow::bail!("the worker did not give up its privileges"),
            Err(error) => return Err(error).context("the worker did not give up its privileges; see the log"),
        }
        let standing = Standing::of(self.process.id())?;
        Ok(standing.require(&privileges::worker(&invoker::worker()?))?)
    }

    /// The next report, if it comes in time.
    fn hear(&mut self, patience: Duration) -> io::Result<Option<Report>> {
        let until = Instant::now() + patience;
        loop {
            if let Some(report) = self.reports.next()? {
                return Ok(Some(report));
            }
            let left =
                PollTimeout::try_from(until.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, left) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(nix::Error::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let mut bytes = [0; 4096];
            match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.reports.feed(bytes.get(..read).unwrap_or_default()),
                Err(nix::Error::EAGAIN | nix::Error::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn send(socket: &UnixStream, briefing: &Briefing, sandbox: &Sandbox) -> anyhow::Result<()> {
    let mut descriptors: Vec<_> = sandbox.sockets.0.iter().map(OwnedFd::as_fd).collect();
    for map in [maps::FLOWS, maps::NAMES, OWNERS, maps::EVENTS] {
        descriptors.push(sandbox.dataplane.map_fd(map)?);
    }
    descriptors.extend(briefing.extras.iter().map(OwnedFd::as_fd));
    handoff::send(socket, &briefing.settings, &descriptors).context("the worker did not take its settings; see the log")
}

/// What each worker of a session is told and given, besides what the sandbox has.
pub(super) struct Briefing {
    settings: Settings,
    /// As [`Settings::extras`] names them.
    extras: Vec<OwnedFd>,
}

/// What the workers of a session are told and given. What an earlier session left in the user's files goes.
pub(super) fn briefing(config: &config::Run, sandbox: &Sandbox) -> anyhow::Result<Briefing> {
    let mut extras = Vec::new();
    if let (Some(file), Some(socket)) = (&config.pcap, &sandbox.packets) {
        extras.push((Extra::Packets, socket.try_clone().context("cannot duplicate the packet socket")?));
        extras.push((Extra::Pcap, start_over(file)?));
    }
    if let Some(file) = &config.keylog {
        extras.push((Extra::Keylog, start_over(file)?));
    }
    if let Some(file) = &config.audit {
        extras.push((Extra::Audit, file.try_clone().context("cannot duplicate the audit")?.into()));
    }
    let (names, extras) = extras.into_iter().unzip();
    Ok(Briefing { settings: settings(config, names), extras })
}

/// Empties a file of the user's; pipes and devices have nothing in them.
fn start_over(file: &File) -> anyhow::Result<OwnedFd> {
    let emptied = file.metadata().and_then(|metadata| if metadata.is_file() { file.set_len(0) } else { Ok(()) });
    let duplicate = emptied.and_then(|()| file.try_clone());
    Ok(duplicate.context("cannot empty the file of packets or keys")?.into())
}

fn settings(config: &config::Run, extras: Vec<Extra>) -> Settings {
    Settings {
        session: config.name.to_string(),
        capture: config.capture.as_ref().map(|capture| recorded(config, capture)),
        policy: config.policy.clone(),
        ca: config.ca.clone(),
        upstream_roots: config.upstream_roots.clone(),
        client_certificates: config.client_certificates.clone(),
        resolvers: config.resolvers.clone(),
        ifindex: GATEWAY_IFINDEX,
        extras,
    }
}

/// What is recorded of a session, in the root directory of its worker.
fn recorded(config: &config::Run, capture: &config::capture::Capture) -> capture::Config {
    // Arguments may be credentials, in any shape.
    let told = if capture.redact { 1 } else { config.command.len() };
    let command: Vec<_> = config.command.iter().take(told).map(|word| word.to_string_lossy()).collect();
    let about = [
        ("session", config.name.to_string()),
        ("mode", config.policy.mode.name().to_owned()),
        ("command", command.join(" ")),
        ("user", config.user.name.clone()),
    ];
    capture::Config {
        directory: "/".into(),
        max_body: capture.max_body,
        max_session: capture.max_session,
        on_full: capture.on_full,
        redact: capture.redact,
        redact_fields: capture.redact_fields.clone(),
        about: about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// The worker of a session, or the gap between two.
pub(super) struct Worker {
    alive: Option<Starting>,
    /// Since when it has been alive, or dead.
    since: Instant,
    /// How long the next one is waited with.
    patience: Duration,
    briefing: Briefing,
    log: File,
    capture: Option<Directory>,
    /// What it said while something else was waited for.
    heard: Vec<Report>,
    /// It cannot be heard any more.
    is_deaf: bool,
}

impl Worker {
    /// Waits until the worker serves.
    pub(super) fn wait_ready(&mut self) -> anyhow::Result<()> {
        self.wait_for(&Report::Ready).context("the worker did not start; start again with `--log FILE` and read it")
    }

    /// What it is to allow.
    pub(super) const fn policy(&self) -> &Policy {
        &self.briefing.settings.policy
    }

    /// Has it, and whoever comes after it, allow what `policy` says.
    ///
    /// # Errors
    /// If it does not; whoever comes after it will.
    pub(super) fn adopt(&mut self, policy: &Policy) -> anyhow::Result<()> {
        self.briefing.settings.policy = policy.clone();
        let Some(alive) = &mut self.alive else { return Ok(()) };
        let order = Order::Policy(Box::new(policy.clone()));
        handoff::tell(&mut alive.socket, &order).context("the worker did not take the rules")?;
        self.wait_for(&Report::Adopted).context("the worker did not take the rules")
    }

    fn wait_for(&mut self, wanted: &Report) -> anyhow::Result<()> {
        let Some(alive) = &mut self.alive else { anyhow::bail!("it has died") };
        loop {
            match alive.hear(READY)? {
                Some(report) if report == *wanted => return Ok(()),
                Some(report) => self.heard.push(report),
                None => anyhow::bail!("it says nothing"),
            }
        }
    }

    /// What it has said since this was last asked.
    pub(super) fn heard(&mut self) -> Vec<Report> {
        let mut heard = std::mem::take(&mut self.heard);
        while let Some(alive) = &mut self.alive {
            match alive.hear(Duration::ZERO) {
                Ok(Some(report)) => heard.push(report),
                Ok(None) => break,
                Err(error) => {
                    // Its death is noticed elsewhere; what it says otherwise is not listened to.
                    tracing::debug!(%error, "the worker cannot be heard");
                    self.is_deaf = true;
                    break;
                }
            }
        }
        heard
    }

    /// Where it speaks, as long as it can be heard.
    pub(super) fn voice(&self) -> Option<BorrowedFd<'_>> {
        self.alive.as_ref().filter(|_| !self.is_deaf).map(|alive| alive.socket.as_fd())
    }

    /// Gives it an answer.
    pub(super) fn answer(&mut self, id: u64, yes: bool, lasts: bool) -> anyhow::Result<()> {
        let Some(alive) = &mut self.alive else { anyhow::bail!("the worker has died") };
        handoff::tell(&mut alive.socket, &Order::Answer { id, yes, lasts })
            .context("the worker did not take the answer")
    }

    /// Takes note of the worker's death; whether it has died.
    pub(super) fn reap(&mut self) -> anyhow::Result<bool> {
        let Some(alive) = &mut self.alive else { return Ok(false) };
        let ended = alive.process.try_wait().context("cannot wait for the worker")?;
        if let Some(status) = ended {
            tracing::error!(%status, "the worker died");
            self.patience = if self.since.elapsed() > SOUND { RESPAWN } else { RESPAWN_MAX.min(self.patience * 2) };
            self.alive = None;
            self.since = Instant::now();
        }
        Ok(ended.is_some())
    }

    /// How long until another worker is to be started, if one is.
    pub(super) fn respawn_in(&self) -> Option<Duration> {
        self.alive.is_none().then(|| self.patience.saturating_sub(self.since.elapsed()))
    }

    /// Starts another worker if it is time.
    pub(super) fn respawn_if_due(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        if !self.respawn_in().is_some_and(|wait| wait.is_zero()) {
            return Ok(());
        }
        let mut starting = Starting::spawn(&self.log, self.capture.as_ref())?;
        // If it dies before it has its settings, that is noticed like any other death; if it lives and did not give up
        // its privileges, it gets none, and its end of the socket closes.
        let taken = starting.wait_confined().and_then(|()| send(&starting.socket, &self.briefing, sandbox));
        if let Err(error) = taken {
            tracing::error!(error = format!("{error:#}"), "a new worker did not take its settings");
            starting.socket.shutdown(Shutdown::Both).unwrap_or_default();
        }
        tracing::info!(pid = starting.process.id(), "another worker was started");
        self.alive = Some(starting);
        self.is_deaf = false;
        self.since = Instant::now();
        Ok(())
    }

    /// Lets open connections finish, for a while, and ends the worker.
    pub(super) fn drain(self) {
        let Some(mut alive) = self.alive else { return };
        let asked = alive.socket.shutdown(Shutdown::Write).and_then(|()| alive.socket.set_read_timeout(Some(DRAIN)));
        // The worker's end closes when it has ended; until then reports may come.
        let drained = asked.and_then(|()| {
            let mut reports = [0; 512];
            while alive.socket.read(&mut reports)? > 0 {}
            Ok(())
        });
        if let Err(error) = drained {
            tracing::warn!(%error, "connections were cut after {DRAIN:?}");
        }
        if let Err(error) = alive.process.kill().and_then(|()| alive.process.wait()) {
            tracing::warn!(%error, "the worker could not be waited for");
        }
    }
}
