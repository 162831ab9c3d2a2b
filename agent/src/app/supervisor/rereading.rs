//! The file of rules read again, beside the session: it may name hosts that nobody knows, and files that are slow to come.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use anyhow::{Context as _, anyhow, bail};

use super::control::Asker;
use crate::config;
use crate::engine::policy::Policy;
use crate::sandbox::allowances::Allowance;
use crate::sandbox::changeable::changeable;
use crate::sandbox::session::User;

/// What the file says now, and the files that this is from.
pub(super) type Rules = anyhow::Result<(Policy, Vec<PathBuf>)>;

/// The reading that is on, and the one that is to follow.
pub(super) struct Rereading {
    current: Option<(io::Result<JoinHandle<Rules>>, Vec<Asker>)>,
    /// Who wants to know what becomes of a reading that begins later than the current one: what has changed since may
    /// not be in that.
    next: Option<Vec<Asker>>,
    /// Has a byte for each reading that has ended.
    ended: UnixStream,
    end: Arc<UnixStream>,
}

/// Tells of a reading's end, whichever way it ends.
struct End(Arc<UnixStream>);

impl Drop for End {
    fn drop(&mut self) {
        // There is room for the one byte, and its reader lives as long as the process.
        (&*self.0).write_all(&[0]).unwrap_or_default();
    }
}

impl Rereading {
    /// Nothing is read yet.
    pub(super) fn new() -> io::Result<Self> {
        let (ended, end) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        Ok(Self { current: None, next: None, ended, end: Arc::new(end) })
    }

    /// Has the file read, from now on or once more after the reading that is on; `asker` is answered after that.
    pub(super) fn begin(&mut self, config: &config::Run, asker: Option<Asker>) {
        if self.current.is_some() {
            self.next.get_or_insert_default().extend(asker);
        } else {
            self.read(config, asker.into_iter().collect());
        }
    }

    /// What was read and who asked for it, if a reading is over; the next begins then, if there is to be one.
    pub(super) fn over(&mut self, config: &config::Run) -> Option<(Rules, Vec<Asker>)> {
        self.ended.read_exact(&mut [0]).ok()?;
        let (thread, askers) = self.current.take()?;
        if let Some(next) = self.next.take() {
            self.read(config, next);
        }
        let rules = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_panic| Err(anyhow!("who read the rules panicked"))),
            Err(error) => Err(error).context("cannot start to read the rules"),
        };
        Some((rules, askers))
    }

    fn read(&mut self, config: &config::Run, askers: Vec<Asker>) {
        let held = (!config.allowances.has(Allowance::OwnRules)).then(|| config.user.clone());
        let (file, policy, end) = (config.file.clone(), config.policy.clone(), End(Arc::clone(&self.end)));
        let thread = Builder::new().name("rules".into()).spawn(move || {
            let _end = end;
            let (policy, files) = config::reload(file.as_deref(), &policy)?;
            held.iter().try_for_each(|user| out_of_reach(&files, user))?;
            Ok((policy, files))
        });
        self.current = Some((thread, askers));
    }
}

/// That programs of `user`, whom the rules hold, had no say in what these files say.
fn out_of_reach(files: &[PathBuf], user: &User) -> anyhow::Result<()> {
    for file in files {
        let part = changeable(file, user.uid).with_context(|| format!("cannot follow `{}`", file.display()))?;
        if let Some(part) = part {
            let (part, name) = (part.display(), &user.name);
            bail!(
                "`{part}` can be changed by `{name}`, whose programs the rules hold; keep them where only root can \
                 write, and let the command run as another user, or use `--allow-own-rules`"
            );
        }
    }
    Ok(())
}

impl AsFd for Rereading {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }
}
