//! The place of the test: a host and an outside that exist for it alone, in two network namespaces without a name, and
//! what in them notices whatever gets through. The outside has every address there is.

mod canary;
mod dns;
mod watch;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

pub(super) use self::canary::Log;
pub(super) use self::watch::Watch;
use crate::app::sandbox_up::netlink;
use crate::bypass::{Level, raw};
use crate::sandbox::{link, netns, sysctl};

/// The outside's DNS server.
pub(super) const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 53);
/// An address of the host that no session has.
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// What the outside's names end in.
pub(super) const DOMAIN: &str = "canary.test";
/// A program that shows what it can read of itself.
const CAT: &str = "/bin/cat";
/// Ports of the outside at which somebody listens.
const PORTS: [u16; 12] = [22, 25, 53, 80, 443, 853, 993, 8080, 8443, 9418, 9999, 65535];
/// Ports of the host at which somebody listens, on every address of it.
const HOST_PORTS: [u16; 5] = [22, 80, 443, 2375, 8080];

/// Rules of sessions that allow what is understood, but for one path.
const RULES: &str = "[[rule]]\nmatch.path = \"/forbidden/**\"\nverdict = \"block\"\n[[rule]]\nverdict = \"allow\"\n";

/// The two namespaces and who listens in them.
pub(super) struct Arena {
    // The outside's lives with the sockets in it.
    host: OwnedFd,
    /// What servers outside have heard.
    pub(super) outside_heard: Arc<Log>,
    /// What servers of the host have heard.
    pub(super) host_heard: Arc<Log>,
    /// What has come over the wire.
    pub(super) watch: Watch,
    /// Where the authority of the outside's certificates is.
    pub(super) authority: PathBuf,
    /// Where the sessions' rules are: all that is understood is allowed, for what is refused all the same is the point.
    pub(super) rules: PathBuf,
    /// Sockets of the host with a path.
    pub(super) sockets: Vec<PathBuf>,
    /// An abstract socket of the host.
    pub(super) abstract_socket: String,
    /// Copies of cat(1) with the setuid bit, and with capabilities.
    pub(super) elevating: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Arena {
    /// Makes everything.
    ///
    /// # Errors
    /// Whatever could not be made.
    pub(super) fn new() -> anyhow::Result<Self> {
        let (host, outside) = on_thread(make_namespaces)?;
        let (outside_heard, host_heard): (Arc<Log>, Arc<Log>) = Default::default();
        let folders = folders()?;
        let authority = folders[0].join("authority.pem");
        let (pem, tls) = canary::identity()?;
        fs::write(&authority, pem).with_context(|| format!("cannot write `{}`", authority.display()))?;
        let rules = folders[0].join("rules.toml");
        fs::write(&rules, RULES).with_context(|| format!("cannot write `{}`", rules.display()))?;
        let heard = Arc::clone(&outside_heard);
        let watch = within(&outside, move || {
            PORTS.iter().try_for_each(|port| canary::serve(*port, &heard, &tls))?;
            PORTS.iter().filter(|port| **port != 53).try_for_each(|port| canary::receive(*port, &heard))?;
            dns::serve(RESOLVER, &heard)?;
            Watch::start()
        })?;
        let elevating = elevating(&folders[1])?;
        let abstract_socket = format!("agent-bypass-{}", std::process::id());
        let (heard, name) = (Arc::clone(&host_heard), abstract_socket.clone());
        let sockets = [folders[0].join("docker.sock"), folders[1].join("agent.1")].to_vec();
        let paths = sockets.clone();
        within(&host, move || {
            HOST_PORTS.iter().try_for_each(|port| canary::listen(*port, &heard))?;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
            canary::listen_unix(UnixListener::bind_addr(&address)?, &heard);
            for path in paths {
                canary::listen_unix(UnixListener::bind(&path)?, &heard);
                fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
            }
            Ok(())
        })?;
        Ok(Self {
            host,
            outside_heard,
            host_heard,
            watch,
            authority,
            rules,
            sockets,
            abstract_socket,
            elevating,
            folders,
        })
    }

    /// Runs `f` on a thread on the host; what it starts is on the host, too.
    ///
    /// # Errors
    /// Its own.
    pub(super) fn on_host<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        within(&self.host, f)
    }

    /// The rules of a session of `level` for `user`, and where it may be recorded: in a folder that is that user's alone.
    ///
    /// # Errors
    /// If they cannot be made.
    pub(super) fn files(&self, level: Level, user: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
        let folder = self.folders[1].join(level.name());
        let owner = nix::unistd::User::from_name(user).context("cannot look up a user")?;
        let owner = owner.with_context(|| format!("there is no user `{user}`"))?;
        fs::create_dir(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let rules = folder.join("rules.toml");
        fs::copy(&self.rules, &rules).with_context(|| format!("cannot write `{}`", rules.display()))?;
        for path in [&rules, &folder] {
            std::os::unix::fs::chown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
        }
        Ok((rules, folder.join("capture")))
    }

    /// Waits until everything that the host has sent so far has been seen.
    ///
    /// # Errors
    /// If the wire does not carry even that.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        let mark = self.watch.next_mark();
        let text = mark.clone();
        self.on_host(move || {
            let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 254)), 7);
            socket.send_to(text.as_bytes(), to).context("the host cannot send")?;
            Ok(())
        })?;
        self.watch.wait_for(&mark, Duration::from_secs(5))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = fs::remove_dir_all(folder) {
                tracing::debug!(%error, folder = %folder.display(), "not removed");
            }
        }
    }
}

/// One where the host keeps sockets of services, one where users' programs keep theirs.
fn folders() -> anyhow::Result<Vec<PathBuf>> {
    let name = format!("agent-bypass-{}", std::process::id());
    let folders = ["/run", "/tmp"].map(|parent| Path::new(parent).join(&name));
    for folder in &folders {
        fs::create_dir(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(folders.to_vec())
}

/// Programs that show what they can read of themselves: one that is root, one with `CAP_NET_ADMIN`, `CAP_NET_RAW` and
/// `CAP_SYS_ADMIN`. A program of several in one finds its name unchanged.
fn elevating(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let plant = |name: &str, mode: u32| {
        let program = folder.join(name).join("cat");
        fs::create_dir(folder.join(name))?;
        fs::copy(CAT, &program).with_context(|| format!("cannot copy `{CAT}`"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(mode))?;
        anyhow::Ok(program)
    };
    let (setuid, capable) = (plant("setuid", 0o4755)?, plant("capable", 0o755)?);
    raw::give_capabilities(&capable, 1 << 12 | 1 << 13 | 1 << 21).context("cannot give a program capabilities")?;
    Ok(vec![setuid, capable])
}

/// The host is to the outside as a session's client namespace is to its gateway: every address is there.
fn make_namespaces() -> anyhow::Result<(OwnedFd, OwnedFd)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start netlink")?;
    let _entered = runtime.enter();
    let host = netns::unshare_here()?;
    sysctl::client()?;
    let host_links = netlink()?;
    let outside = netns::unshare_here()?;
    sysctl::gateway()?;
    let outside_links = netlink()?;
    runtime.block_on(async {
        link::create(&outside_links, &host).await?;
        link::set_up_gateway(&outside_links).await?;
        link::up_gateway(&outside_links).await?;
        link::set_up_client(&host_links).await?;
        link::add_address(&host_links, link::LO, HOST.into(), 32).await
    })?;
    Ok((host, outside))
}

fn within<T: Send + 'static>(
    netns: &OwnedFd,
    f: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let netns = netns.try_clone().context("cannot duplicate a descriptor")?;
    on_thread(move || {
        netns::enter(&netns)?;
        f()
    })
}

fn on_thread<T: Send + 'static>(f: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    std::thread::spawn(f).join().map_err(|_panic| anyhow!("a thread of the test panicked"))?
}
