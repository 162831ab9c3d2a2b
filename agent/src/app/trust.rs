//! What the session's programs see in the place of the host's files: resolver and trust stores, in their own mount
//! namespaces and, as far as `ip netns exec` can, for those it starts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::sandbox::journal::Record;
use crate::sandbox::link::{GATEWAY4, GATEWAY6};
use crate::sandbox::session::{Mount, Session, User};
use crate::sandbox::trust::{self, Trust, nss};

/// The files that replace the host's, made.
///
/// # Errors
/// If one cannot be made.
pub(super) fn prepare(session: &Session, ca_pem: &str, user: &User) -> anyhow::Result<Trust> {
    let directory = session.directory.join("trust");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let mut trust = trust::prepare(&directory, ca_pem)?;
    trust.mounts.push(resolv_conf(&session.directory)?);
    let databases = nss::databases(user);
    match nss::prepare(&directory, &databases, &trust.ca, user) {
        Ok(mounts) => trust.mounts.extend(mounts),
        // Everything else works without; the log and `agent doctor` say what does not.
        Err(error) => tracing::warn!(error = %super::chain(&error), "NSS databases are as they were"),
    }
    Ok(trust)
}

/// The file that names the gateway as resolver, mounted over whatever `/etc/resolv.conf` really is.
fn resolv_conf(directory: &Path) -> anyhow::Result<Mount> {
    let source = directory.join("resolv.conf");
    fs::write(&source, resolv_conf_text()).with_context(|| format!("cannot write `{}`", source.display()))?;
    let target = fs::canonicalize("/etc/resolv.conf")
        .context("cannot find `/etc/resolv.conf`; create it, an empty file is enough")?;
    Ok(Mount { source, target })
}

fn resolv_conf_text() -> String {
    format!("nameserver {GATEWAY4}\nnameserver {GATEWAY6}\noptions edns0 trust-ad\n")
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
    let resolv_conf = directory.join("resolv.conf");
    fs::write(&resolv_conf, resolv_conf_text()).with_context(|| format!("cannot write `{}`", resolv_conf.display()))?;
    trust::for_ip_netns(&directory, trust)?;
    Ok(())
}
