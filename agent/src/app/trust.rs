//! What the session's programs see in the place of the host's files: resolver and trust stores, in their own mount
//! namespaces and, as far as `ip netns exec` can, for those it starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::Context as _;

use crate::sandbox::journal::Record;
use crate::sandbox::link::{GATEWAY4, GATEWAY6};
use crate::sandbox::session::{Mount, Session, User};
use crate::sandbox::trust::{self, Trust, nss};
use crate::sandbox::{Error, tmpfs};

/// The files that replace the host's, made.
///
/// # Errors
/// If one cannot be made.
pub(super) fn prepare(session: &mut Session, ca_pem: &str, user: &User) -> anyhow::Result<(Trust, NssDatabases)> {
    let directory = session.directory.join("trust");
    session.journal.record(&Record::Tmpfs { path: directory.clone() })?;
    tmpfs::create(&directory)?;
    let mut trust = trust::prepare(&directory, ca_pem)?;
    let databases = NssDatabases::start(session, &directory, &trust.ca, user)?;
    trust.mounts.push(resolv_conf(&session.directory)?);
    trust.mounts.extend(masks(&session.directory)?);
    Ok((trust, databases))
}

/// The user's NSS databases being copied and changed, which takes as long as all the rest.
pub(super) struct NssDatabases(Option<JoinHandle<Result<Vec<Mount>, Error>>>);

impl NssDatabases {
    fn start(session: &mut Session, directory: &Path, ca: &Path, user: &User) -> anyhow::Result<Self> {
        if !user.home.is_dir() {
            return Ok(Self(None));
        }
        let databases = nss::Databases::of(user);
        for path in databases.directories(user) {
            let record = Record::SharedDir { path: path.clone() };
            drop(session.journal.record_shared(&record, || path.exists())?);
        }
        let (directory, ca, user) = (directory.to_owned(), ca.to_owned(), user.clone());
        Ok(Self(Some(std::thread::spawn(move || databases.prepare(&directory, &ca, &user)))))
    }

    /// Waits until they are made, and returns what is to be mounted. Everything else works without; the log and
    /// `agent doctor` say what does not.
    pub(super) fn finish(self) -> Vec<Mount> {
        match self.0.map(JoinHandle::join) {
            Some(Ok(Ok(mounts))) => mounts,
            Some(Ok(Err(error))) => {
                tracing::warn!(error = %super::chain(&error), "NSS databases do not trust the session");
                Vec::new()
            }
            Some(Err(_)) | None => Vec::new(),
        }
    }
}

/// Sockets of the host's resolvers, by which programs would look names up without asking the session's forwarder.
const RESOLVER_SOCKETS: &[&str] = &["/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket"];

/// An empty file in the place of each of the host's resolver sockets: programs then fall back to `resolv.conf`.
fn masks(directory: &Path) -> anyhow::Result<Vec<Mount>> {
    let source = directory.join("empty");
    fs::write(&source, "").with_context(|| format!("cannot write `{}`", source.display()))?;
    let sockets = RESOLVER_SOCKETS.iter().map(PathBuf::from).filter(|socket| socket.exists());
    Ok(sockets.map(|target| Mount { source: source.clone(), target }).collect())
}

/// The file that names the gateway as resolver, mounted over whatever `/etc/resolv.conf` really is.
fn resolv_conf(directory: &Path) -> anyhow::Result<Mount> {
    let source = directory.join("resolv.conf");
    let target = fs::canonicalize("/etc/resolv.conf")
        .context("cannot find `/etc/resolv.conf`; create it, an empty file is enough")?;
    let host = fs::read_to_string(&target).unwrap_or_default();
    fs::write(&source, resolv_conf_text(&host)).with_context(|| format!("cannot write `{}`", source.display()))?;
    Ok(Mount { source, target })
}

/// The host's file with the gateway in the place of its resolvers: search domains and options stay.
fn resolv_conf_text(host: &str) -> String {
    let mut text = format!("nameserver {GATEWAY4}\nnameserver {GATEWAY6}\n");
    for line in host.lines().filter(|line| !line.trim_start().starts_with("nameserver")) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Fills `/etc/netns/NAME`, which `ip netns exec` mounts over `/etc` entry by entry.
///
/// # Errors
/// If a file cannot be made.
pub(super) fn prepare_ip_netns(session: &mut Session, trust: &Trust) -> anyhow::Result<()> {
    let parent = PathBuf::from("/etc/netns");
    let directory = parent.join(session.name.as_str());
    session.journal.record(&Record::EmptyDir { path: parent })?;
    session.journal.record(&Record::Tree { path: directory.clone() })?;
    fs::create_dir_all(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let (source, copy) = (session.directory.join("resolv.conf"), directory.join("resolv.conf"));
    fs::copy(source, &copy).with_context(|| format!("cannot write `{}`", copy.display()))?;
    trust::for_ip_netns(&directory, trust)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::resolv_conf_text;

    #[test]
    fn the_gateway_takes_the_place_of_the_hosts_resolvers_and_the_rest_stays() {
        let host = "# by hand\nnameserver 192.0.2.53\nsearch corp.example\n nameserver 192.0.2.54\noptions ndots:2\n";
        let expect =
            "nameserver 10.200.1.1\nnameserver fd0a:c801::1\n# by hand\nsearch corp.example\noptions ndots:2\n";
        assert_eq!(resolv_conf_text(host), expect);
    }
}
