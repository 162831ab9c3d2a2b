//! The worker: everything that touches bytes from the network. It becomes nobody before it reads the first of them.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use agent_common::maps::Verdict;
use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;
use tokio::sync::watch;

use super::approvals::{Approvals, Reporter};
use super::audit::Audit;
use super::handoff::{self, Order, Report, Settings};
use super::log;
use super::packets::{Extra, Takers};
use crate::capture::Recorder;
use crate::config::invoker;
use crate::dns::{self, Forwarder};
use crate::ebpf::events::KernelEvents;
use crate::ebpf::flows::FlowTable;
use crate::engine::event::{Event, Events, Judged, Sink};
use crate::engine::http::tape::Tape;
use crate::engine::policy::Policy;
use crate::engine::process::Process;
use crate::proxy::{self, Approver, Destinations, Flows, Proxy};
use crate::sandbox::privileges;

/// More threads than this do not pay: a session is one user's traffic.
const MAX_THREADS: usize = 4;
/// More connections than this wait in the listeners' queues, whatever the limit of open files.
const MAX_CONNECTIONS: usize = 8192;
/// Descriptors that are not connections': listeners, maps, DNS, the runtime.
const RESERVED_FILES: u64 = 1200;
/// The argument of a worker that records, and whose working directory is where.
pub const RECORDS: &str = "records";

/// The worker's main function. Standard input is the socket to the supervisor, standard error the session's log.
///
/// # Errors
/// If it cannot start; the supervisor then starts another.
pub fn main(records: bool) -> anyhow::Result<()> {
    SigSet::empty().thread_set_mask().context("cannot unblock signals")?;
    // What it loses, its next line tells of; the supervisor's does at the end.
    let _lost = log::init(descriptor(&std::io::stderr())?.into());
    let socket = UnixStream::from(descriptor(&std::io::stdin())?);
    let max_connections = raise_file_limit()?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, MAX_THREADS);
    // The last files that it opens.
    let system_roots = rustls_native_certs::load_native_certs().certs;
    give_up_privileges(records)?;
    (&socket).write_all(&[handoff::CONFINED]).context("the supervisor is gone")?;
    let (mut settings, descriptors) = handoff::receive(&socket).context("cannot read the settings")?;
    settings.upstream_roots.extend(system_roots.iter().map(|root| root.to_vec()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let descriptors = Descriptors::sort(descriptors, &settings.extras)?;
    let served = runtime.block_on(serve(settings, descriptors, socket, max_connections));
    // What has not drained by now is cut.
    runtime.shutdown_background();
    served
}

fn descriptor(stream: &impl std::os::fd::AsFd) -> anyhow::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")
}

/// If the supervisor is gone already, the socket says so.
fn give_up_privileges(records: bool) -> anyhow::Result<()> {
    if !records {
        std::env::set_current_dir("/").context("cannot change to /")?;
    }
    privileges::become_worker(&invoker::worker()?, records).context("cannot give up privileges")
}

/// Raises the limit of open files as far as it goes, and returns how many connections that allows: two descriptors
/// each, and some for everything else.
fn raise_file_limit() -> anyhow::Result<usize> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the file limit")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the file limit")?;
    let connections = hard.saturating_sub(RESERVED_FILES) / 2;
    Ok(usize::try_from(connections).unwrap_or(MAX_CONNECTIONS).clamp(16, MAX_CONNECTIONS))
}

/// How many descriptors every worker gets.
const ALWAYS: usize = 10;

/// The descriptors in the order in which `Supervisor` sends them: the sockets as `Listener` numbers them, then the
/// maps, then what this session has besides.
struct Descriptors {
    proxy: Vec<TcpListener>,
    dns: dns::Sockets,
    flows: OwnedFd,
    names: OwnedFd,
    owners: OwnedFd,
    events: OwnedFd,
    extras: HashMap<Extra, OwnedFd>,
}

impl Descriptors {
    fn sort(mut descriptors: Vec<OwnedFd>, extras: &[Extra]) -> anyhow::Result<Self> {
        let received = descriptors.len();
        let besides = descriptors.split_off(received.min(ALWAYS));
        if besides.len() != extras.len() {
            bail!("expected {} descriptors, got {received}", ALWAYS + extras.len());
        }
        let extras = extras.iter().copied().zip(besides).collect();
        let Ok([proxy4, proxy6, tcp4, tcp6, udp4, udp6, flows, names, owners, events]) =
            <[OwnedFd; ALWAYS]>::try_from(descriptors)
        else {
            bail!("expected {ALWAYS} descriptors, got {received}");
        };
        let udp = vec![UdpSocket::from(udp4), UdpSocket::from(udp6)];
        let dns = dns::Sockets { udp, tcp: vec![tcp4.into(), tcp6.into()] };
        Ok(Self { proxy: vec![proxy4.into(), proxy6.into()], dns, flows, names, owners, events, extras })
    }
}

async fn serve(
    settings: Settings,
    mut descriptors: Descriptors,
    socket: UnixStream,
    max_connections: usize,
) -> anyhow::Result<()> {
    let log: Events = Arc::new(log::EventLog);
    let recorder = settings.capture.as_ref().map(|capture| Recorder::open(capture, Arc::clone(&log))).transpose()?;
    let last = recorder.as_ref().map_or((0, 0), |recorder| recorder.last());
    let audit =
        descriptors.extras.remove(&Extra::Audit).map(|file| Audit::start(file.into(), settings.session.clone()));
    let audit = audit.transpose()?.map(Arc::new);
    let events: Events = Arc::new(Bus { recorder: recorder.clone(), audit: audit.clone() });
    let table = FlowTable::new(descriptors.flows, descriptors.names, descriptors.owners, settings.ifindex)?;
    let table = Arc::new(table);
    let resolvers = settings.resolvers.clone();
    let (policy, allowed) = watch::channel(Arc::new(settings.policy.clone()));
    let forwarder = Forwarder::new(dns_config(resolvers), allowed.clone(), Arc::clone(&events));
    let extras = &mut descriptors.extras;
    let takers = Arc::new(Takers::start(extras, &allowed, Arc::clone(&table), recorder.clone())?);
    let flows = Arc::new(Table { table, forwarder: Arc::clone(&forwarder) });
    let reporter = Arc::new(Reporter::new(socket.try_clone().context("cannot duplicate a socket")?));
    let approvals = Arc::new(Approvals::new(&reporter));
    let config = proxy::Config {
        secrets: takers.secrets(),
        ..proxy_config(settings, max_connections, last, Arc::clone(&approvals) as Arc<dyn Approver>)
    };
    let proxy = Proxy::new(config, allowed, flows, Arc::new(Host), Arc::clone(&events))?;
    let (drain, drained) = watch::channel(false);
    let mut serving = tokio::task::JoinSet::new();
    for listener in descriptors.proxy {
        let listener = tokio::net::TcpListener::from_std(listener).context("cannot listen")?;
        serving.spawn(Arc::clone(&proxy).serve(listener, drained.clone()));
    }
    let dns = tokio::spawn(Arc::clone(&forwarder).serve(descriptors.dns));
    let ring = KernelEvents::new(descriptors.events)?;
    std::thread::spawn(move || pass_on(ring, &events));
    reporter.tell(&Report::Ready).context("the supervisor is gone")?;
    let obeying = move || obey(&socket, &reporter, &policy, &approvals);
    tokio::task::spawn_blocking(obeying).await.context("cannot watch the supervisor")?;
    drain.send_replace(true);
    takers.hurry().await;
    while serving.join_next().await.is_some() {}
    dns.abort();
    forwarder.end();
    if let Some(recorder) = recorder {
        recorder.close();
    }
    if let Some(audit) = audit {
        audit.finish();
    }
    takers.finish().await;
    Ok(())
}

/// Gives every fact to the log, and to the capture if there is one, which gets contents as well.
struct Bus {
    recorder: Option<Arc<Recorder>>,
    audit: Option<Arc<Audit>>,
}

impl Sink for Bus {
    fn emit(&self, event: Event) {
        log::write(&event);
        if let Some(recorder) = &self.recorder {
            recorder.note(event);
        }
    }

    fn audits(&self) -> bool {
        self.audit.is_some()
    }

    fn judged(&self, judged: Judged) {
        if let Some(audit) = &self.audit {
            audit.write(&judged);
        }
        if let Some(recorder) = &self.recorder {
            recorder.judged(judged);
        }
    }

    fn tape(&self) -> Option<Arc<dyn Tape>> {
        self.recorder.clone().map(|recorder| recorder as Arc<dyn Tape>)
    }
}

/// Does what it is told until the supervisor wants the worker to end, or has ended itself.
fn obey(socket: &UnixStream, reporter: &Reporter, policy: &watch::Sender<Arc<Policy>>, approvals: &Approvals) {
    let end = loop {
        let done = match handoff::hear(socket) {
            Ok(Order::Policy(allowed)) => {
                policy.send_replace(Arc::new(*allowed));
                reporter.tell(&Report::Adopted)
            }
            Ok(Order::Answer { id, yes, lasts }) => {
                approvals.answer(id, yes, lasts);
                Ok(())
            }
            Err(end) => Err(end),
        };
        if let Err(end) = done {
            break end;
        }
    };
    tracing::debug!(%end, "draining");
}

fn dns_config(resolvers: Vec<SocketAddr>) -> dns::Config {
    dns::Config { resolvers, timeout: Duration::from_secs(2), attempts: 2, max_in_flight: 512 }
}

fn proxy_config(
    settings: Settings,
    max_connections: usize,
    last: (u64, u64),
    approver: Arc<dyn Approver>,
) -> proxy::Config {
    proxy::Config {
        ca: settings.ca,
        upstream_roots: settings.upstream_roots.into_iter().map(Into::into).collect(),
        client_certificates: settings.client_certificates,
        connect_timeout: Duration::from_secs(30),
        sniff_timeout: Duration::from_secs(1),
        handshake_timeout: Duration::from_secs(30),
        max_connections,
        last_connection: last.0,
        last_exchange: last.1,
        approver,
        secrets: None,
    }
}

/// Passes the kernel's events on, for as long as the process lives: on a thread of its own, which sleeps in poll(2).
fn pass_on(mut ring: KernelEvents, events: &Events) {
    loop {
        while let Some(event) = ring.next_event() {
            events.emit(event);
        }
        let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return tracing::error!(%error, "kernel events are no longer read"),
        }
    }
}

/// The BPF maps, as the proxy wants to ask them; names that a connection does not tell come from DNS.
struct Table {
    table: Arc<FlowTable>,
    forwarder: Arc<Forwarder>,
}

impl Flows for Table {
    fn lookup(&self, child: SocketAddr, local: SocketAddr) -> Option<(SocketAddr, Verdict)> {
        let flow = self.table.lookup(child, local)?;
        let verdict = Verdict::from_u8(flow.verdict)?;
        if let Some(name) = self.forwarder.names().name_of(flow.orig_dst().ip()) {
            self.table.set_name(child, local, &name);
        }
        Some((flow.orig_dst(), verdict))
    }

    fn process(&self, child: SocketAddr, local: SocketAddr) -> Option<Process> {
        self.table.process(child, local)
    }

    fn is_at(&self, host: &str, ip: IpAddr) -> bool {
        self.forwarder.names().gave(host, ip.to_canonical())
    }

    fn name(&self, child: SocketAddr, local: SocketAddr, name: &str) {
        self.table.set_name(child, local, name);
    }
}

/// The host's own addresses, asked of its routing table: a datagram socket that is connected to one of them gets that
/// address as its own. Nothing is sent.
struct Host;

impl Destinations for Host {
    fn is_host_local(&self, ip: IpAddr) -> bool {
        let unspecified: IpAddr =
            if ip.is_ipv4() { std::net::Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        let own = || {
            let socket = UdpSocket::bind((unspecified, 0))?;
            socket.connect((ip, 9))?;
            socket.local_addr()
        };
        // No route: the dial that follows fails by itself.
        own().is_ok_and(|own| own.ip() == ip)
    }
}
