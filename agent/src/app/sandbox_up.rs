//! Brings a session's namespaces up: one thread that enters them, makes everything in them, and ends.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Instant;

use agent_common::owner::Layout;
use anyhow::{Context as _, anyhow};
use rtnetlink::Handle;

use super::kernel_rules;
use super::packets::kernel_config;
use crate::ebpf::dataplane::{Attachment, Dataplane};
use crate::engine::policy::Policy;
use crate::sandbox::failpoint::{Failpoint, Step};
use crate::sandbox::sockets::{self, Sockets};
use crate::sandbox::{link, netns, packets, sysctl, user_namespace};

/// What a session lives on. Dropping it closes the session off.
pub(super) struct Sandbox {
    /// The programs.
    pub(super) dataplane: Dataplane,
    /// The sockets in the gateway's namespace.
    pub(super) sockets: Sockets,
    /// The socket that sees every packet of the veth, if there is to be one.
    pub(super) packets: Option<OwnedFd>,
    /// The gateway's namespace, which ends with its last descriptor.
    _gateway: OwnedFd,
}

/// What is to be brought up.
pub(super) struct Plan {
    /// The client namespace's name, as a path.
    pub(super) netns: PathBuf,
    /// The control group of the session's commands, which exists.
    pub(super) cgroup: PathBuf,
    /// What the session allows.
    pub(super) policy: Policy,
    /// Whether every packet of the veth is to be seen.
    pub(super) packets: bool,
    /// How the classifiers are attached, if not as the kernel offers.
    pub(super) attachment: Option<Attachment>,
    /// What is being found out about the kernel's structures.
    pub(super) layout: JoinHandle<Layout>,
    /// The process that makes a client namespace for commands that may administer it.
    pub(super) owner: Option<Command>,
    /// Where the supervisor is to die, for tests.
    pub(super) failpoint: Failpoint,
}

/// Makes the two namespaces and all that is in them.
///
/// # Errors
/// Whatever could not be made. What was made is in the journal, or ends with its descriptors.
pub(super) fn bring_up(plan: Plan) -> anyhow::Result<Sandbox> {
    let begun = Instant::now();
    // Loading needs no namespace and takes as long as all the rest.
    let failpoint = plan.failpoint.clone();
    let loading = std::thread::spawn(move || {
        let dataplane = load(&plan.policy, &plan.cgroup, plan.layout);
        failpoint.pass(Step::Made);
        dataplane
    });
    let attachment = plan.attachment.unwrap_or_else(offered);
    let building = std::thread::spawn(move || {
        build(&plan.netns, plan.owner, attachment, plan.packets, &plan.failpoint, || join(loading))
    });
    let sandbox = join(building)?;
    tracing::info!(micros = crate::engine::event::micros(begun.elapsed()), "the sandbox is up");
    Ok(sandbox)
}

/// The result of a thread that helps to bring a session up.
///
/// # Errors
/// What it returned, or that it panicked.
pub(super) fn join<T>(thread: JoinHandle<anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().map_err(|_panic| anyhow!("a thread that set the session up panicked"))?
}

fn load(policy: &Policy, cgroup: &Path, layout: JoinHandle<Layout>) -> anyhow::Result<Dataplane> {
    // Without it, connections are told of no executable; all the rest is the same.
    let layout = layout.join().unwrap_or_default();
    let mut dataplane = Dataplane::load(&kernel_config(policy), &layout)?;
    #[cfg(debug_assertions)]
    crate::ebpf::log::follow(&mut dataplane)?;
    kernel_rules::set(&mut dataplane, &policy.network)?;
    dataplane.attach_owners(cgroup)?;
    Ok(dataplane)
}

/// Runs on a thread of its own, which changes namespaces and ends in the gateway's.
fn build(
    path: &Path,
    owner: Option<Command>,
    attachment: Attachment,
    with_packets: bool,
    failpoint: &Failpoint,
    dataplane: impl FnOnce() -> anyhow::Result<Dataplane>,
) -> anyhow::Result<Sandbox> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start netlink")?;
    let _entered = runtime.enter();
    let client = match owner {
        Some(owner) => {
            let client = user_namespace::make_network(owner)?;
            netns::enter(&client)?;
            client
        }
        None => netns::unshare_here()?,
    };
    failpoint.pass(Step::Made);
    netns::publish(path)?;
    failpoint.pass(Step::Made);
    sysctl::client()?;
    let client_links = netlink()?;
    let gateway = netns::unshare_here()?;
    sysctl::gateway()?;
    let gateway_links = netlink()?;
    let sockets = runtime.block_on(async {
        link::create(&gateway_links, &client).await?;
        failpoint.pass(Step::Made);
        link::set_up_gateway(&gateway_links).await?;
        sockets::create()
    })?;
    let packets = with_packets.then(|| packets::open(link::GATEWAY_LINK)).transpose()?;
    failpoint.pass(Step::Made);
    let mut dataplane = dataplane()?;
    dataplane.set_listeners(&sockets.0)?;
    dataplane.attach(link::GATEWAY_LINK, &gateway, attachment)?;
    failpoint.pass(Step::Made);
    // Only now can a packet pass.
    runtime.block_on(async {
        link::up_gateway(&gateway_links).await?;
        link::set_up_client(&client_links).await
    })?;
    failpoint.pass(Step::Made);
    Ok(Sandbox { dataplane, sockets, packets, _gateway: gateway })
}

/// The part of the process that `Plan::owner` starts.
///
/// # Errors
/// If the kernel refuses.
pub fn help_own() -> anyhow::Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")?;
    Ok(user_namespace::help(socket.into())?)
}

/// A netlink connection to the calling thread's namespace, which it stays connected to.
pub(super) fn netlink() -> anyhow::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
    tokio::spawn(connection);
    Ok(handle)
}

/// tcx came with kernel 6.6.
fn offered() -> Attachment {
    match super::doctor::kernel_release() {
        Some(release) if release < (6, 6) => Attachment::Clsact,
        _ => Attachment::Tcx,
    }
}
