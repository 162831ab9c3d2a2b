//! What the session's programs see in the place of the host's files: resolver and trust stores, in their own mount
//! namespaces and, as far as `ip netns exec` can, for those it starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::Context as _;

use crate::sandbox::failpoint::Step;
use crate::sandbox::journal::Record;
use crate::sandbox::session::{Mount, Session, User};
use crate::sandbox::trust::{self, Trust, nss};
use crate::sandbox::{Error, resolver, tmpfs};

/// The files that replace the host's, made.
///
/// # Errors
/// If one cannot be made.
pub(super) fn prepare(session: &mut Session, ca_pem: &str, user: &User) -> anyhow::Result<(Trust, NssDatabases)> {
    let directory = session.directory.join("trust");
    session.journal.record(&Record::Tmpfs { path: directory.clone() })?;
    tmpfs::create(&directory)?;
    session.failpoint.pass(Step::Made);
    let mut trust = trust::prepare(&directory, ca_pem)?;
    session.failpoint.pass(Step::Made);
    let databases = NssDatabases::start(session, &directory, &trust.ca, user)?;
    trust.mounts.extend(resolver::prepare(&session.directory)?);
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
    resolver::copy(&session.directory, &directory)?;
    trust::for_ip_netns(&directory, trust)?;
    session.failpoint.pass(Step::Made);
    Ok(())
}
