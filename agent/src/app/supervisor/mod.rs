//! The supervisor: makes a session, watches its command and its worker, and takes it down. It parses no byte that came
//! from the network.

mod command;
mod control;
mod questions;
mod rereading;
mod rules_files;
mod signals;
mod worker;

use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use nix::sys::signal::Signal;

use self::command::Child;
use self::control::Control;
use self::questions::Questions;
use self::rereading::{Rereading, Rules};
use self::rules_files::RulesFiles;
use self::signals::{Arrived, Signals};
use self::worker::Worker;
use super::control::{Answer, Request, Word};
use super::handoff::Report;
use super::sandbox_up::{self, Plan, Sandbox};
use super::{flows, kernel_rules, log, trust};
use crate::config::invoker;
use crate::ebpf::flows::FlowTable;
use crate::ebpf::layout::layout;
use crate::ebpf::pins;
use crate::ebpf::untold::untold;
use crate::engine::event::{Event, Sink as _, micros};
use crate::engine::record::time;
use crate::sandbox::allowances::Allowance;
use crate::sandbox::capture_directory::{self, Directory, Place};
use crate::sandbox::failpoint::{Failpoint, Step};
use crate::sandbox::journal::Record;
use crate::sandbox::link::GATEWAY_IFINDEX;
use crate::sandbox::session::{Facts, Session};
use crate::sandbox::trust::Trust;
use crate::sandbox::{Error, cgroup, guise, host_sockets, netns};
use crate::{config, ebpf};

/// How often ended connections are removed from the flow table.
const SWEEP: Duration = Duration::from_secs(10);

/// How often a session that waits for its last process looks whether it has ended: those are not our children.
const LINGER: Duration = Duration::from_millis(100);

/// Runs a session from beginning to end and returns the exit status of its command, or zero without one.
///
/// # Errors
/// If the session could not be brought up, or the agent failed while it ran. Nothing is left behind either way.
pub fn run(config: &config::Run) -> anyhow::Result<u8> {
    // Before any thread exists, so that all inherit it: signals are read where the session is watched.
    let signals = Signals::block()?;
    for allowance in &config.warnings {
        crate::ui::warn(&format!("warning: `{}` opens the session: {}", allowance.option(), allowance.opens()));
    }
    let mut session = Session::create(&config.name, &config.failpoint)?;
    let result = record(config).and_then(|capture| {
        let started = Running::start(&mut session, config, signals, capture.clone());
        let mut running = started.inspect_err(|_| capture.into_iter().for_each(Directory::abandon))?;
        let result = running.watch(config);
        running.stop(&config.failpoint);
        result
    });
    keep_log(&session, config);
    let left: Vec<Error> = session.remove();
    match left.into_iter().next() {
        Some(error) => Err(anyhow::Error::from(error).context("the session was not removed entirely; run `agent gc`")),
        None => result,
    }
}

/// Makes the directory that the session is recorded in, if it is.
fn record(config: &config::Run) -> anyhow::Result<Option<Directory>> {
    let Some(capture) = &config.capture else { return Ok(None) };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = |time| i64::try_from(micros(time)).unwrap_or(i64::MAX);
    let stamp = time::stamp(micros(since));
    let writer = invoker::worker()?;
    let made = capture_directory::make(&capture.place, config.name.as_str(), &stamp, &capture.owner, writer.uid);
    let made = made.context("cannot record the session")?;
    if let Place::Among(folder) | Place::System(folder) = &capture.place {
        let before = micros(since.saturating_sub(capture.age));
        let rotated = guise::as_user(&capture.owner.user, || flows::rotate(folder, capture.keep - 1, before))?;
        if let Err(error) = rotated {
            crate::ui::warn(&format!("captures that are too many or too old stay: {error:#}"));
        }
    }
    Ok(Some(made))
}

/// The log lives with the session; `--log` keeps a copy.
fn keep_log(session: &Session, config: &config::Run) {
    let Some(target) = &config.log else { return };
    let source = session.directory.join("log");
    if !source.exists() {
        return;
    }
    if let Err(error) = std::fs::copy(&source, target) {
        crate::ui::warn(&format!("cannot keep the log as `{}`: {error}", target.display()));
    }
}

/// A session that is up.
struct Running {
    facts: Facts,
    sandbox: Sandbox,
    worker: Worker,
    child: Option<Child>,
    flows: FlowTable,
    signals: Signals,
    control: Control,
    rules: Option<RulesFiles>,
    rereading: Rereading,
    questions: Questions,
    lost: log::Lost,
}

impl Running {
    /// Makes everything, each thing in the journal before it exists.
    fn start(
        session: &mut Session,
        config: &config::Run,
        signals: Signals,
        capture: Option<Directory>,
    ) -> anyhow::Result<Self> {
        // Of all that is made, the programs take longest, and they wait for this.
        let layout = std::thread::spawn(layout);
        let log_path = session.directory.join("log");
        let log = log::open(&log_path).with_context(|| format!("cannot open `{}`", log_path.display()))?;
        let lost = log::init(log.try_clone().context("cannot duplicate the log")?);
        let starting = worker::Starting::spawn(&log, capture.as_ref())?;
        config.failpoint.pass(Step::Made);
        let cgroup = cgroup::path(&session.name)?;
        let netns = netns::path(&session.name);
        session.journal.record(&Record::EmptyDir { path: netns::RUN_NETNS.into() })?;
        session.journal.record(&Record::Netns { path: netns.clone() })?;
        session.journal.record(&Record::Cgroup { path: cgroup.clone() })?;
        cgroup::create(&cgroup)?;
        config.failpoint.pass(Step::Made);
        let plan = Plan {
            netns: netns.clone(),
            cgroup: cgroup.clone(),
            policy: config.policy.clone(),
            packets: config.pcap.is_some(),
            attachment: config.attachment,
            layout,
            owner: config.allowances.has(Allowance::NetAdmin).then(|| this_program(crate::cli::OWNER)),
            failpoint: config.failpoint.clone(),
        };
        let bringing_up = std::thread::spawn(move || sandbox_up::bring_up(plan));
        let trust = trust::prepare(session, &config.ca.cert_pem, &config.user);
        let sandbox = sandbox_up::join(bringing_up)?;
        let (mut trust, databases) = trust?;
        trust.mounts.extend(databases.finish());
        // Before `/run` is replaced, where it comes from.
        if let Some(directory) = &capture {
            trust.mounts.push(host_sockets::instead(&session.directory, directory.hidden.clone())?);
        }
        if !config.allowances.has(Allowance::Host) {
            let hidden = host_sockets::hide(&session.directory, &trust.directory, &trust.mounts, &config.user)?;
            trust.mounts.extend(hidden);
        }
        let maps = pin(session, &sandbox)?;
        let facts = Facts {
            name: session.name.to_string(),
            pid: i32::try_from(std::process::id()).unwrap_or(0),
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            mode: config.policy.mode.name().to_owned(),
            netns,
            cgroup,
            maps,
            log: log_path,
            capture: capture.as_ref().map(|directory| directory.path.clone()),
            ca: trust.ca.clone(),
            mounts: trust.mounts.clone(),
            variables: trust.variables.clone(),
            user: config.user.clone(),
            allowances: config.allowances.clone(),
        };
        session.publish(&facts)?;
        let worker = starting.hand_over(worker::briefing(config, &sandbox)?, &sandbox, log, capture)?;
        config.failpoint.pass(Step::Made);
        let flows = FlowTable::of(&sandbox.dataplane, GATEWAY_IFINDEX)?;
        let control = Control::listen(&session.directory)?;
        let rules = config.file.is_some().then(|| watched(&config.files)).flatten();
        let rereading = Rereading::new().context("cannot make a socket")?;
        let questions = Questions::new(session.name.as_str(), !config.command.is_empty());
        let child = None;
        let mut running =
            Self { facts, sandbox, worker, child, flows, signals, control, rules, rereading, questions, lost };
        running.begin(session, config, &trust)?;
        Ok(running)
    }

    /// Starts the command, or says that all is ready for others.
    fn begin(&mut self, session: &mut Session, config: &config::Run, trust: &Trust) -> anyhow::Result<()> {
        if config.command.is_empty() {
            trust::prepare_ip_netns(session, trust)?;
            self.worker.wait_ready()?;
            crate::ui::line("ready");
            return Ok(());
        }
        let environment = super::exec::environment(&config.environment, &self.facts.variables);
        self.child = Some(Child::spawn(&self.facts, &config.command, &environment)?);
        config.failpoint.pass(Step::Made);
        // Others may look in while the command runs; it does not wait for them.
        trust::prepare_ip_netns(session, trust)
    }

    /// Watches until the session is over: the command has ended, or a signal came where there is none.
    fn watch(&mut self, config: &config::Run) -> anyhow::Result<u8> {
        let mut swept = Instant::now();
        let mut ended: Option<ExitStatus> = None;
        loop {
            let patience = if ended.is_some() { LINGER } else { SWEEP };
            let timeout = self.worker.respawn_in().map_or(patience, |respawn| respawn.min(patience));
            let mut others = vec![self.control.as_fd(), self.rereading.as_fd()];
            others.extend(self.rules.as_ref().map(RulesFiles::as_fd));
            others.extend(self.worker.voice());
            others.extend(self.questions.keyboard());
            match self.signals.wait(timeout, &others)? {
                Some(Arrived::Child) => ended = ended.or(self.reap()?),
                Some(Arrived::Other { signal: Signal::SIGHUP, from_terminal: false }) => {
                    self.rereading.begin(config, None);
                }
                Some(Arrived::Other { signal, from_terminal }) => match &self.child {
                    // A terminal has signalled the command as well.
                    Some(child) if !from_terminal => child.forward(signal),
                    Some(_) => {}
                    None => return Ok(0),
                },
                None => {}
            }
            self.attend(config);
            self.worker.respawn_if_due(&self.sandbox)?;
            if swept.elapsed() >= SWEEP {
                self.flows.sweep(ebpf::now().context("cannot read the clock")?);
                swept = Instant::now();
            }
            if let Some(status) = ended
                && (!config.wait_all || cgroup::processes(&self.facts.cgroup).is_empty())
            {
                return Ok(command::exit_status(status));
            }
        }
    }

    /// Does what it is told from outside, and follows its file of rules.
    fn attend(&mut self, config: &config::Run) {
        if self.rules.as_ref().is_some_and(RulesFiles::has_changed) {
            self.rereading.begin(config, None);
        }
        while let Some((asker, request)) = self.control.next() {
            let done = match request {
                Request::Reload => {
                    self.rereading.begin(config, Some(asker));
                    continue;
                }
                Request::Questions => serde_json::to_string(self.questions.open()).map_err(Into::into),
                Request::Answer { id, answer } => self.answer(config, id, answer),
            };
            asker.answer(&Answer::from(done));
        }
        if let Some((rules, askers)) = self.rereading.over(config) {
            let answer = Answer::from(self.adopt(rules));
            askers.into_iter().for_each(|asker| asker.answer(&answer));
        }
        for report in self.worker.heard() {
            match report {
                Report::Asked(question) => {
                    let id = question.id;
                    if let Some(word) = self.questions.ask(question) {
                        drop(self.worker.answer(id, word.is_yes(), false));
                    }
                }
                Report::Withdrawn(id) => self.questions.withdraw(id),
                Report::Ready | Report::Adopted => {}
            }
        }
        if let Some((id, word)) = self.questions.typed()
            && let Err(error) = self.answer(config, id, word)
        {
            crate::ui::warn(&format!("{error:#}"));
        }
    }

    /// Passes an answer on, and writes down what is to hold for ever.
    fn answer(&mut self, config: &config::Run, id: u64, word: Word) -> anyhow::Result<String> {
        let question = self.questions.open().iter().find(|question| question.id == id);
        let question = question.with_context(|| format!("there is no question {id} any more"))?.clone();
        self.worker.answer(id, word.is_yes(), matches!(word, Word::Session | Word::Always))?;
        self.questions.withdraw(id);
        if word == Word::Always {
            questions::allow_always(config.file.as_deref(), &config.user, &question.host)?;
        }
        Ok(format!("{}: {}", question.id, if word.is_yes() { "allowed" } else { "blocked" }))
    }

    /// Has the session follow the rules that were read, all or none: what cannot be used changes nothing.
    fn adopt(&mut self, rules: Rules) -> anyhow::Result<String> {
        let adopted = rules.and_then(|(policy, files)| {
            let (old, dataplane) = (self.worker.policy().network.clone(), &mut self.sandbox.dataplane);
            kernel_rules::restrict(dataplane, &old, &policy.network)?;
            self.worker.adopt(&policy)?;
            kernel_rules::relax(dataplane, &old, &policy.network)?;
            self.rules.iter_mut().for_each(|rules| watch(rules, &files));
            Ok(policy)
        });
        let event = match &adopted {
            Ok(policy) => Event::RulesReloaded { rules: policy.rules.all().len(), hash: policy.hash.clone() },
            Err(error) => Event::RulesRejected { reason: format!("{error:#}") },
        };
        if let Event::RulesRejected { reason } = &event {
            crate::ui::warn(&format!("the rules stay as they are: {reason}"));
        }
        log::EventLog.emit(event);
        adopted.map(|policy| format!("{} rules are in force", policy.rules.all().len()))
    }

    /// Takes note of children that have ended; returns the command's status if it is one of them.
    fn reap(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.worker.reap()? {
            self.questions.clear();
        }
        match &mut self.child {
            Some(child) => child.ended(),
            None => Ok(None),
        }
    }

    /// Ends processes, lets what they sent go out, and closes the session off; the journal does the rest.
    fn stop(self, failpoint: &Failpoint) {
        if !cgroup::processes(&self.facts.cgroup).is_empty() {
            cgroup::end(&self.facts.cgroup, cgroup::GRACE);
        }
        failpoint.pass(Step::Undo);
        self.worker.drain();
        failpoint.pass(Step::Undo);
        report_untold(&self.sandbox);
        // The last line: where it does not fit, neither did others.
        tracing::info!("the session ends");
        if self.lost.lines() > 0 {
            crate::ui::warn(&format!("`{}` is not complete: it could not be written", self.facts.log.display()));
        }
        drop(self.sandbox);
        failpoint.pass(Step::Undo);
    }
}

/// The files of rules, if they can be watched.
fn watched(files: &[PathBuf]) -> Option<RulesFiles> {
    let mut rules = RulesFiles::new().inspect_err(|errno| unwatched("the files of rules", *errno)).ok()?;
    watch(&mut rules, files);
    Some(rules)
}

/// Watches these files as well.
fn watch(rules: &mut RulesFiles, files: &[PathBuf]) {
    if let Some((file, errno)) = rules.watch(files) {
        unwatched(&format!("`{}`", file.display()), errno);
    }
}

fn unwatched(what: &str, errno: nix::Error) {
    crate::ui::warn(&format!("{what} cannot be watched: {errno}; after a change, run `agent policy reload`"));
}

/// Has the log tell of every attempt that was refused, before the counters go.
fn report_untold(sandbox: &Sandbox) {
    match untold(&sandbox.dataplane) {
        Ok(events) => events.into_iter().for_each(|event| log::EventLog.emit(event)),
        Err(error) => tracing::error!(error = %super::chain(&error), "refused attempts are missing above"),
    }
}

/// Pins the maps; mounts the BPF file system if nobody has.
fn pin(session: &mut Session, sandbox: &Sandbox) -> anyhow::Result<std::path::PathBuf> {
    let namespace = std::fs::read_link("/proc/self/ns/mnt").context("cannot name the mount namespace")?;
    let bpffs = Record::Bpffs { path: pins::BPFFS.into(), namespace };
    let locked = session.journal.record_shared(&bpffs, pins::is_mounted)?;
    if !pins::is_mounted() {
        pins::mount_bpffs()?;
    }
    drop(locked);
    session.failpoint.pass(Step::Made);
    let maps = pins::directory(session.name.as_str());
    if let Some(parent) = maps.parent() {
        session.journal.record(&Record::EmptyDir { path: parent.to_owned() })?;
    }
    session.journal.record(&Record::Tree { path: maps.clone() })?;
    pins::pin(&sandbox.dataplane, &maps)?;
    session.failpoint.pass(Step::Made);
    Ok(maps)
}

/// This program again, in another role.
#[expect(clippy::disallowed_methods, reason = "the supervisor starts its own program's other roles")]
pub(super) fn this_program(role: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(role);
    command
}
